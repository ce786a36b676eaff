//! The open streams of a session, by name.

use std::sync::Arc;

use dormouse_domain::{StreamId, Version};
use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

use crate::error::StoreError;
use crate::stream_state::StreamState;
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Locks to spread the streams over: writers open and close on every arbiter.
const PARTS: usize = 64;

/// Streams by name: a state holds its name and its hash, so the table needs neither again.
type Streams = HashTable<Arc<StreamState>>;

/// Open streams, and closed ones whose last commits are still on their way.
pub(crate) struct Registry {
    parts: Vec<Mutex<Streams>>,
    /// The newest submission whose fate is decided and, if it is stored, can be read.
    decided: AtomicU64,
    /// Closed streams that could not be forgotten yet; the flag saves the journal the lock.
    closing: Mutex<Vec<Arc<StreamState>>>,
    any_closing: AtomicBool,
}

impl Registry {
    pub(crate) fn new() -> Registry {
        Registry {
            parts: (0..PARTS).map(|_| Mutex::default()).collect(),
            decided: AtomicU64::new(0),
            closing: Mutex::default(),
            any_closing: AtomicBool::new(false),
        }
    }

    /// Holds the stream for one writer.
    pub(crate) fn open(&self, stream: &StreamId, head: Version) -> Result<Arc<StreamState>, StoreError> {
        let state = Arc::new(StreamState::new(stream.clone(), head));
        let mut part = self.part(&state).lock();
        match part.entry(state.hash, |held| held.stream == *stream, |held| held.hash) {
            Entry::Occupied(held)
                if held.get().open.load(Ordering::Relaxed) || !self.is_decided(held.get()) =>
            {
                return Err(StoreError::StreamHeld {
                    stream: stream.clone(),
                });
            }
            Entry::Occupied(mut closed) => *closed.get_mut() = Arc::clone(&state),
            Entry::Vacant(free) => {
                free.insert(Arc::clone(&state));
            }
        }
        drop(part);
        Ok(state)
    }

    /// The writer is gone. The stream stays held while commits of it are on their way: what they will have stored
    /// can't be read yet.
    pub(crate) fn close(&self, state: &Arc<StreamState>) {
        let mut part = self.part(state).lock();
        if self.is_decided(state) {
            remove(&mut part, state);
            return;
        }
        state.open.store(false, Ordering::Relaxed);
        drop(part);
        self.closing.lock().push(Arc::clone(state));
        self.any_closing.store(true, Ordering::Release);
    }

    /// Everything up to this submission is decided: forgets the closed streams that waited for it.
    pub(crate) fn decided(&self, submission: u64) {
        self.decided.store(submission, Ordering::Release);
        if !self.any_closing.load(Ordering::Acquire) {
            return;
        }
        let mut closing = self.closing.lock();
        closing.retain(|state| {
            let decided = self.is_decided(state);
            if decided {
                self.forget_closed(state);
            }
            !decided
        });
        self.any_closing.store(!closing.is_empty(), Ordering::Release);
    }

    /// How many streams are open.
    pub(crate) fn len(&self) -> usize {
        self.parts.iter().map(|part| part.lock().len()).sum()
    }

    fn forget_closed(&self, state: &Arc<StreamState>) {
        let mut part = self.part(state).lock();
        // It may have been opened again already.
        remove(&mut part, state);
    }

    fn is_decided(&self, state: &StreamState) -> bool {
        state.last_submission.load(Ordering::Acquire) <= self.decided.load(Ordering::Acquire)
    }

    fn part(&self, state: &StreamState) -> &Mutex<Streams> {
        // The table takes the low bits for the bucket and the top ones for its tags.
        &self.parts[(state.hash >> 32) as usize % PARTS]
    }
}

/// Removes this very state; another one of the same stream stays.
fn remove(part: &mut Streams, state: &Arc<StreamState>) {
    if let Ok(held) = part.find_entry(state.hash, |held| Arc::ptr_eq(held, state)) {
        held.remove();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::writer::StreamWriter;
    use dormouse_domain::AggregateType;

    fn stream() -> StreamId {
        StreamId::new(AggregateType::from_static("t"), "a".try_into().unwrap())
    }

    /// Closes the stream with its fifth submission on its way.
    fn closed_on_its_way(registry: &Arc<Registry>) {
        let writer = StreamWriter::open(registry, &stream(), Version::NONE).unwrap();
        writer.state().last_submission.store(5, Ordering::Relaxed);
    }

    #[test]
    fn a_stream_is_held_until_its_last_submission_is_decided() {
        let registry = Arc::new(Registry::new());
        closed_on_its_way(&registry);
        for (decided, held) in [(4, 1), (5, 0)] {
            assert!(StreamWriter::open(&registry, &stream(), Version::NONE).is_err());
            registry.decided(decided);
            assert_eq!(registry.len(), held);
        }
        assert!(!registry.any_closing.load(Ordering::Relaxed));
        assert!(StreamWriter::open(&registry, &stream(), Version::NONE).is_ok());
    }

    /// Between the decision and the forgetting, another thread opens it.
    #[test]
    fn a_stream_that_was_opened_again_is_not_forgotten() {
        let registry = Arc::new(Registry::new());
        closed_on_its_way(&registry);
        registry.decided.store(5, Ordering::Relaxed);
        let again = StreamWriter::open(&registry, &stream(), Version::NONE).unwrap();
        registry.decided(5);
        assert_eq!(registry.len(), 1);
        assert!(StreamWriter::open(&registry, &stream(), Version::NONE).is_err());
        drop(again);
        assert_eq!(registry.len(), 0);
    }

    #[test]
    fn streams_are_spread_over_the_locks() {
        let registry = Arc::new(Registry::new());
        let open = |n| {
            let id = format!("a-{n}").as_str().try_into().unwrap();
            StreamWriter::open(
                &registry,
                &StreamId::new(AggregateType::from_static("t"), id),
                Version::NONE,
            )
        };
        let _writers: Vec<_> = (0..1_000).map(open).collect();
        let used = registry.parts.iter().filter(|part| !part.lock().is_empty());
        assert_eq!((used.count(), registry.len()), (PARTS, 1_000));
    }
}
