//! What waits for the journal: commits gathered into the bytes of the next segment, under a short lock.
//!
//! A submission is checked against its stream's head and copied behind the one before; the journal takes the
//! whole segment at once. So its thread does nothing for a single commit but give it its place. A large commit is not
//! copied under the lock: its bytes are moved into the batch, and copied to their place by the journal's thread.

mod batch;

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_domain::Version;

use crate::commit::Commit;
use crate::hash;
use crate::options::StoreOptions;
use crate::settlement::Ticket;
use crate::stream_state::StreamState;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};

use self::batch::LARGE_COMMIT_BYTES;
pub(crate) use self::batch::{Batch, Fate, Item, Placed};

/// An idle journal looks for work this long before it sleeps, if that paid the last time: one client's next command is
/// here in 25 to 45 microseconds, and waking the thread would take 10 to 20 more (docs/decisions/0011).
const SPIN_MAX: Duration = if cfg!(shuttle) {
    // where a scheduler decides who runs, time means nothing: it would spin differently each time
    Duration::ZERO
} else {
    Duration::from_micros(60)
};

/// The journal's queue.
pub(crate) struct Queue {
    submitting: Submitting,
    wake: Condvar,
    /// Work or an order to end is there: what the spinning journal looks at.
    signal: AtomicBool,
    /// The journal's last wait was so short that spinning finds work, or would have.
    spinning_pays: AtomicBool,
    settled: Settled,
    batch_bytes_max: usize,
    batch_commits_max: usize,
}

/// What each submission writes, on cache lines that nobody else writes: counts beside the lock that guards them.
#[repr(C, align(128))]
struct Submitting {
    submitted: Count,
    state: Mutex<State>,
}

/// What the journal writes, once a batch.
#[repr(align(128))]
struct Settled(Count);

/// Commits, and the bytes of their records, since the queue was made. Only grows, by one writer at a time.
#[derive(Default)]
struct Count {
    commits: AtomicUsize,
    bytes: AtomicUsize,
}

impl Count {
    fn add(&self, commits: usize, bytes: usize) {
        let grow = |count: &AtomicUsize, by| {
            let sum = count.load(Ordering::Relaxed).wrapping_add(by);
            count.store(sum, Ordering::Release);
        };
        grow(&self.commits, commits);
        grow(&self.bytes, bytes);
    }
}

struct State {
    /// Batches that reached their bound, oldest first.
    full: VecDeque<Batch>,
    filling: Batch,
    /// A buffer to fill next.
    spare: Option<Batch>,
    submissions: u64,
    sleeping: bool,
    /// When the journal was last woken.
    woken: Option<Instant>,
    end: Option<End>,
    /// The journal has gone, and why: nobody takes from the queue any more.
    ended: Option<Arc<str>>,
}

/// How the journal is to end.
#[derive(Clone, Debug)]
pub(crate) enum End {
    /// After it has written what is queued.
    Finish,
    /// At once; what is queued is not done.
    Abandon(Arc<str>),
}

/// What the journal does next.
pub(crate) enum Next {
    Batch(Batch),
    /// The queue is empty and takes nothing more.
    End,
}

impl Queue {
    pub(crate) fn new(options: &StoreOptions) -> Queue {
        let state = State {
            full: VecDeque::new(),
            filling: Batch::default(),
            spare: None,
            submissions: 0,
            sleeping: false,
            woken: None,
            end: None,
            ended: None,
        };
        Queue {
            submitting: Submitting {
                submitted: Count::default(),
                state: Mutex::new(state),
            },
            wake: Condvar::new(),
            signal: AtomicBool::new(false),
            spinning_pays: AtomicBool::new(true),
            settled: Settled(Count::default()),
            batch_bytes_max: options.batch_bytes_max,
            batch_commits_max: options.batch_commits_max,
        }
    }

    /// Queues a commit; `Err` with the reason if the journal has gone. `ours`: whether this session opened the stream.
    pub(crate) fn submit(
        &self,
        stream: &StreamState,
        ours: bool,
        mut commit: Commit,
        ticket: Ticket,
    ) -> Result<(), Arc<str>> {
        let command_hash = commit.command.map(|id| hash::command(stream.hash, id));
        let ours = ours && commit.is_of(&stream.stream);
        let (bytes, last_version) = (commit.bytes.len(), commit.last_version());
        let mut state = self.submitting.state.lock();
        if let Some(reason) = &state.ended {
            return Err(Arc::clone(reason));
        }
        state.submissions += 1;
        let submission = state.submissions;
        stream.last_submission.store(submission, Ordering::Release);
        let head = stream.head.load(Ordering::Relaxed);
        let stale = !ours || commit.first_version.get() != head + 1;
        let mut item = Item {
            ticket,
            last_version,
            fate: Fate::Stale(Version::new(head)),
        };
        if !stale {
            stream.head.store(last_version.get(), Ordering::Release);
            if bytes >= LARGE_COMMIT_BYTES && state.filling.bytes() + bytes > self.batch_bytes_max {
                state.set_aside_filling();
            }
            item.fate = Fate::Write(state.filling.place(stream.hash, command_hash, &mut commit));
        }
        state.filling.items.push(item);
        state.filling.submitted_bytes += bytes;
        state.filling.last_submission = submission;
        self.submitting.submitted.add(1, bytes);
        let filling = &state.filling;
        if filling.bytes() >= self.batch_bytes_max || filling.items.len() >= self.batch_commits_max {
            state.set_aside_filling();
        }
        self.signal(state);
        Ok(())
    }

    /// Waits for the next batch: what has gathered, up to its bounds.
    pub(crate) fn next(&self) -> Next {
        let idle_since = self.spin();
        let mut state = self.submitting.state.lock();
        loop {
            if let Some(batch) = state.take() {
                if let Some(since) = idle_since {
                    let until = state.woken.take().unwrap_or_else(Instant::now);
                    self.spinning_pays
                        .store(until - since <= SPIN_MAX, Ordering::Relaxed);
                }
                if state.is_empty() && state.end.is_none() {
                    self.signal.store(false, Ordering::Relaxed);
                }
                drop(state);
                return Next::Batch(batch);
            }
            if let Some(end) = &state.end {
                state.ended = Some(end.reason());
                return Next::End;
            }
            self.signal.store(false, Ordering::Relaxed);
            state.sleeping = true;
            self.wake.wait(&mut state);
            state.sleeping = false;
        }
    }

    /// What has gathered, without waiting for it.
    #[cfg(feature = "simulation")]
    pub(crate) fn try_next(&self) -> Option<Batch> {
        self.submitting.state.lock().take()
    }

    /// Looks for work for a while, if that pays. Since when there was none; `None` if there was some at once.
    fn spin(&self) -> Option<Instant> {
        if self.signal.load(Ordering::Relaxed) {
            return None;
        }
        let since = Instant::now();
        if self.spinning_pays.load(Ordering::Relaxed) {
            while !self.signal.load(Ordering::Relaxed) && since.elapsed() < SPIN_MAX {
                std::hint::spin_loop();
            }
        }
        Some(since)
    }

    /// Tells the journal to end. The first order counts, but one to abandon overrules one to finish.
    pub(crate) fn end(&self, end: End) {
        let mut state = self.submitting.state.lock();
        if !matches!(state.end, Some(End::Abandon(_))) {
            state.end = Some(end);
        }
        self.signal(state);
    }

    /// Why what is queued must not be written any more, if the journal was told to abandon it.
    pub(crate) fn abandoned(&self) -> Option<Arc<str>> {
        match &self.submitting.state.lock().end {
            Some(End::Abandon(reason)) => Some(Arc::clone(reason)),
            _ => None,
        }
    }

    /// So many submissions have a fate. Called by the journal's thread alone.
    pub(crate) fn settled(&self, commits: usize, bytes: usize) {
        self.settled.0.add(commits, bytes);
    }

    /// A batch is done; its buffers come back.
    pub(crate) fn recycle(&self, mut batch: Batch) {
        batch.clear();
        self.submitting.state.lock().spare = Some(batch);
    }

    /// Commits submitted and not settled.
    pub(crate) fn commits(&self) -> usize {
        self.unsettled(|count| &count.commits)
    }

    /// The same in bytes of records.
    pub(crate) fn bytes(&self) -> usize {
        self.unsettled(|count| &count.bytes)
    }

    fn unsettled(&self, of: impl Fn(&Count) -> &AtomicUsize) -> usize {
        // in this order: what is settled was submitted before, so that the difference is never below zero
        let settled = of(&self.settled.0).load(Ordering::Acquire);
        let submitted = of(&self.submitting.submitted).load(Ordering::Acquire);
        submitted.wrapping_sub(settled)
    }

    fn signal(&self, mut state: MutexGuard<'_, State>) {
        self.signal.store(true, Ordering::Relaxed);
        let sleeping = std::mem::take(&mut state.sleeping);
        if sleeping {
            // how long waking takes is no part of how long there was nothing to do
            state.woken = Some(Instant::now());
        }
        drop(state);
        if sleeping {
            self.wake.notify_one();
        }
    }
}

#[cfg(test)]
impl Queue {
    /// The large records that have gathered get places that no segment has: assembling them panics.
    pub(crate) fn misplace_large_records(&self) {
        self.submitting.state.lock().filling.misplace_large_records();
    }
}

impl State {
    fn is_empty(&self) -> bool {
        self.full.is_empty() && self.filling.items.is_empty()
    }

    fn take(&mut self) -> Option<Batch> {
        if let Some(batch) = self.full.pop_front() {
            return Some(batch);
        }
        if self.filling.items.is_empty() {
            return None;
        }
        let next = self.spare.take().unwrap_or_default();
        Some(std::mem::replace(&mut self.filling, next))
    }

    fn set_aside_filling(&mut self) {
        if !self.filling.items.is_empty() {
            let next = self.spare.take().unwrap_or_default();
            self.full.push_back(std::mem::replace(&mut self.filling, next));
        }
    }
}

impl End {
    pub(crate) fn reason(&self) -> Arc<str> {
        match self {
            End::Finish => "it is closed".into(),
            End::Abandon(reason) => Arc::clone(reason),
        }
    }
}

#[cfg(test)]
mod tests;
