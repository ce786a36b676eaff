//! The tail: the segments that are durable but not indexed yet, found by stream and by command.
//!
//! It is a list of *generations*, swapped as a whole. The newest is filled by the journal; older ones are frozen
//! and wait for the indexer, which turns one at a time into a run and only then takes it off the list. A reader
//! takes the list first and looks into the index afterwards, so whatever has left the list is in the index.

mod generation;

use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_domain::{Offset, StreamId, Version};

pub(crate) use self::generation::{Contents, Generation, TailCommit, TailSegment, placed};
use crate::format::meta::Indexed;
use crate::format::segment::Header;
use crate::options::StoreOptions;
use crate::queue::Placed;
use crate::sync::atomic::{AtomicUsize, Ordering};
use crate::sync::{ArcSwap, Condvar, Mutex};

/// A reader of the log takes segments in slices: so many at once, since the journal waits meanwhile, ...
const SLICE_SEGMENTS: usize = 256;
/// ... and until they hold so many bytes, which a slow reader keeps in memory beyond the tail's bound.
const SLICE_BYTES: usize = 1024 * 1024;

/// The tail of one session.
pub(crate) struct Tail {
    list: ArcSwap<List>,
    /// Held while the list is replaced.
    change: Mutex<()>,
    /// The list was replaced, or whoever waits should look whether it still needs to.
    changed: Condvar,
    bytes: AtomicUsize,
    generation_bytes: usize,
    bound_bytes: usize,
}

/// An immutable list of generations, oldest first; the last one is being filled.
pub(crate) struct List {
    generations: Vec<Arc<Generation>>,
}

impl List {
    /// Everything up to here has left the tail and is in the index.
    pub(crate) fn after(&self) -> Offset {
        self.generations[0].after().offset
    }

    /// The generations, newest first.
    fn newest_first(&self) -> impl Iterator<Item = &Arc<Generation>> {
        self.generations.iter().rev()
    }

    /// The stream's commits from the one that holds `from` (or else its newest) on, oldest first.
    pub(crate) fn commits(&self, hash: u64, stream: &StreamId, from: Version) -> Vec<TailCommit> {
        let mut found = Vec::new();
        for generation in self.newest_first() {
            if generation.collect(hash, stream, from, &mut found) {
                break;
            }
        }
        found.reverse();
        found
    }

    /// The next slice of the log's segments, beginning with the one that holds `from`; `None` if that has left the
    /// tail. Nothing is copied, and no lock is held when it returns.
    pub(crate) fn segments(&self, from: Offset) -> Option<Vec<TailSegment>> {
        let later = self
            .generations
            .partition_point(|generation| generation.after().offset < from);
        let holding = later.checked_sub(1)?;
        let (mut slice, mut bytes) = (Vec::new(), 0);
        let mut take = |segment: TailSegment| {
            bytes += segment.bytes.len();
            slice.push(segment);
            bytes < SLICE_BYTES && slice.len() < SLICE_SEGMENTS
        };
        for generation in &self.generations[holding..] {
            if !generation.segments(from, &mut take) {
                break;
            }
        }
        Some(slice)
    }

    /// The stream's head, if the tail holds any of its commits.
    pub(crate) fn head(&self, hash: u64, stream: &StreamId) -> Option<Version> {
        self.newest_first()
            .find_map(|generation| generation.head(hash, stream))
    }

    /// Shows the type and the id of every commit's stream, in no order.
    pub(crate) fn each_name(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        for generation in &self.generations {
            generation.each_name(visit);
        }
    }

    /// The first version of the commit that a command caused in a stream.
    pub(crate) fn find_command(&self, hash: u64, stream: &StreamId, command: u128) -> Option<Version> {
        self.newest_first()
            .find_map(|generation| generation.find_command(hash, stream, command))
    }
}

impl Tail {
    /// An empty tail that follows what is indexed.
    pub(crate) fn new(options: &StoreOptions, after: Indexed) -> Tail {
        let first = Arc::new(Generation::new(after, None));
        Tail {
            list: ArcSwap::from_pointee(List {
                generations: vec![first],
            }),
            change: Mutex::new(()),
            changed: Condvar::new(),
            bytes: AtomicUsize::new(0),
            generation_bytes: options.generation_bytes,
            bound_bytes: options.tail_bound(),
        }
    }

    /// The list as it is now.
    pub(crate) fn list(&self) -> Arc<List> {
        self.list.load_full()
    }

    /// Adds a durable segment; freezes the generation that reaches its size. One thread at a time.
    pub(crate) fn add(
        &self,
        segment: Arc<[u8]>,
        header: &Header,
        hash: u128,
        placed: impl Iterator<Item = Placed>,
    ) {
        let list = self.list.load();
        let active = list.generations.last().expect("the list is never empty");
        let (added, size) = active.add(segment, header, hash, placed);
        self.bytes.fetch_add(added, Ordering::Relaxed);
        if size < self.generation_bytes {
            return;
        }
        let _change = self.change.lock();
        let mut generations = self.list.load().generations.clone();
        generations.push(Arc::new(Generation::new(active.end(), Some(active))));
        self.list.store(Arc::new(List { generations }));
        self.changed.notify_all();
    }

    /// The oldest generation, if it is frozen.
    pub(crate) fn oldest_frozen(&self) -> Option<Arc<Generation>> {
        let list = self.list.load();
        (list.generations.len() > 1).then(|| Arc::clone(&list.generations[0]))
    }

    /// The oldest generation, which was frozen, is in the index now: takes it off the list.
    pub(crate) fn remove_oldest(&self) {
        let _change = self.change.lock();
        let list = self.list.load_full();
        self.bytes
            .fetch_sub(list.generations[0].bytes(), Ordering::Relaxed);
        self.list.store(Arc::new(List {
            generations: list.generations[1..].to_vec(),
        }));
        self.changed.notify_all();
    }

    /// Waits until a generation is frozen; `None` once `until` says so (see [`Tail::wake`]).
    pub(crate) fn wait_for_frozen(&self, until: impl Fn() -> bool) -> Option<Arc<Generation>> {
        let mut change = self.change.lock();
        loop {
            if until() {
                return None;
            }
            if let Some(oldest) = self.oldest_frozen() {
                return Some(oldest);
            }
            self.changed.wait(&mut change);
        }
    }

    /// Waits while the tail is at its bound and the indexer can shorten it; not longer than `until` says. Returns how
    /// long it waited.
    pub(crate) fn wait_for_room(&self, until: impl Fn() -> bool) -> Duration {
        if self.has_room() {
            return Duration::ZERO;
        }
        let start = Instant::now();
        let mut change = self.change.lock();
        while !self.has_room() && self.oldest_frozen().is_some() && !until() {
            self.changed.wait(&mut change);
        }
        start.elapsed()
    }

    /// Lets those that wait look again.
    pub(crate) fn wake(&self) {
        let _change = self.change.lock();
        self.changed.notify_all();
    }

    pub(crate) fn has_room(&self) -> bool {
        self.bytes() < self.bound_bytes
    }

    /// Memory that the tail takes, about.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes.load(Ordering::Relaxed)
    }

    /// Where the journal stops taking.
    pub(crate) fn bound_bytes(&self) -> usize {
        self.bound_bytes
    }

    /// How far the index reaches.
    pub(crate) fn indexed(&self) -> Offset {
        self.list.load().after()
    }
}
