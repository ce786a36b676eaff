//! What waits for the journal: commits gathered into the bytes of the next segment, under a short lock.
//!
//! A submission is checked against its stream's head and copied behind the one before; the journal takes the
//! whole segment at once. So its thread does nothing for a single commit but give it its place. A large commit is not
//! copied under the lock: its bytes are moved into the batch, and copied to their place by the journal's thread.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_domain::Version;

use crate::commit::Commit;
use crate::format::segment;
use crate::hash;
use crate::options::StoreOptions;
use crate::settlement::Ticket;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Condvar, Mutex, MutexGuard};
use crate::writer::StreamState;

/// An idle journal looks for work this long before it sleeps, if that paid the last time: one client's next command is
/// here in 25 to 45 microseconds, and waking the thread would take 10 to 20 more (docs/decisions/0011).
const SPIN_MAX: Duration = if cfg!(shuttle) {
    // where a scheduler decides who runs, time means nothing: it would spin differently each time
    Duration::ZERO
} else {
    Duration::from_micros(60)
};
/// A commit of this size is not copied under the lock: that takes a microsecond, and its submitters wait in turn.
const LARGE_COMMIT_BYTES: usize = 16 * 1024;

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

/// Commits that will be one segment.
#[derive(Default)]
pub(crate) struct Batch {
    /// Room for the segment's header, then the records; the large ones once it is assembled.
    pub(crate) segment: Vec<u8>,
    /// Large records that are not in their place yet, in order.
    large: Vec<Large>,
    large_bytes: usize,
    pub(crate) items: Vec<Item>,
    /// Commits and events in the segment: stale items have none.
    pub(crate) commits: u32,
    pub(crate) events: u32,
    /// Bytes of all records submitted, stale ones included.
    pub(crate) submitted_bytes: usize,
    pub(crate) last_submission: u64,
}

/// A large record, and where in the segment it belongs.
struct Large {
    start: usize,
    record: Vec<u8>,
}

/// One submission.
pub(crate) struct Item {
    pub(crate) ticket: Ticket,
    pub(crate) last_version: Version,
    pub(crate) fate: Fate,
}

/// What is to be done with a submission.
pub(crate) enum Fate {
    /// It has its place in the segment.
    Write(Placed),
    /// It does not follow this head.
    Stale(Version),
}

/// A commit's place in a segment, and what the tail finds it by.
#[derive(Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) events: u32,
    pub(crate) first_version: Version,
    pub(crate) stream_hash: u64,
    pub(crate) command_hash: Option<u64>,
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
        for large in &mut self.submitting.state.lock().filling.large {
            large.start = usize::MAX;
        }
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

impl Batch {
    /// How long its segment will be.
    fn bytes(&self) -> usize {
        self.segment.len() + self.large_bytes
    }

    /// Gives a commit its place behind the ones before, and takes its bytes.
    fn place(&mut self, stream_hash: u64, command_hash: Option<u64>, commit: &mut Commit) -> Placed {
        if self.segment.is_empty() {
            self.segment.resize(segment::HEADER_BYTES, 0);
        }
        let (start, len) = (self.bytes(), commit.bytes.len());
        if len < LARGE_COMMIT_BYTES {
            self.segment.extend_from_slice(&commit.bytes);
        } else {
            let record = std::mem::take(&mut commit.bytes);
            self.large.push(Large { start, record });
            self.large_bytes += len;
        }
        self.commits += 1;
        self.events += commit.events;
        Placed {
            start: u32::try_from(start).expect("a batch is bounded far below 4 GiB"),
            len: u32::try_from(len).expect("a commit is bounded far below 4 GiB"),
            events: commit.events,
            first_version: commit.first_version,
            stream_hash,
            command_hash,
        }
    }

    /// Copies the large records to their places. Those before the first one are in theirs.
    pub(crate) fn assemble(&mut self) {
        let Some(first) = self.large.first() else { return };
        let whole = self.bytes();
        let behind = self.segment.split_off(first.start);
        let mut behind = behind.as_slice();
        self.segment.reserve(whole - self.segment.len());
        for Large { start, record } in self.large.drain(..) {
            let (between, rest) = behind.split_at(start - self.segment.len());
            self.segment.extend_from_slice(between);
            self.segment.extend_from_slice(&record);
            behind = rest;
        }
        self.segment.extend_from_slice(behind);
        self.large_bytes = 0;
    }

    fn clear(&mut self) {
        self.segment.clear();
        self.large.clear();
        self.large_bytes = 0;
        self.items.clear();
        self.commits = 0;
        self.events = 0;
        self.submitted_bytes = 0;
        self.last_submission = 0;
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
mod tests {
    use super::*;
    use std::sync::Arc;

    fn busy(time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            std::hint::spin_loop();
        }
    }

    /// A submission of no consequence.
    fn put(queue: &Queue) {
        let mut state = queue.submitting.state.lock();
        state.filling.items.push(Item {
            ticket: Ticket {
                sink: crate::settlement::SinkId(0),
                key: 0,
            },
            last_version: Version::new(1),
            fate: Fate::Stale(Version::new(1)),
        });
        queue.signal(state);
    }

    #[test]
    fn a_long_wait_ends_the_spinning_and_waking_is_no_part_of_it() {
        let queue = Queue::new(&StoreOptions::default());
        let asleep = || while !queue.submitting.state.lock().sleeping {};
        std::thread::scope(|scope| {
            scope.spawn(|| {
                asleep();
                busy(SPIN_MAX);
                put(&queue);
            });
            assert!(matches!(queue.next(), Next::Batch(_)));
            assert!(!queue.spinning_pays.load(Ordering::Relaxed));
            scope.spawn(|| {
                asleep();
                // as if work had come at once, and only waking the thread had taken long
                let mut state = queue.submitting.state.lock();
                state.sleeping = false;
                state.woken = Some(Instant::now() - Duration::from_secs(1));
                drop(state);
                busy(SPIN_MAX);
                put(&queue);
                queue.wake.notify_one();
            });
            assert!(matches!(queue.next(), Next::Batch(_)));
            assert!(queue.spinning_pays.load(Ordering::Relaxed));
        });
    }

    /// No wake-up is lost, and both orders to end are heard, wherever in its wait they meet the journal.
    #[test]
    fn no_wake_up_is_lost() {
        let mut random = 88_172_645_463_325_252_u64;
        let mut below = move |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        for round in 0..1_500 {
            let queue = Arc::new(Queue::new(&StoreOptions::default()));
            let taken = Arc::clone(&queue);
            let journal = std::thread::spawn(move || {
                let mut all = 0;
                while let Next::Batch(batch) = taken.next() {
                    all += batch.items.len();
                    taken.recycle(batch);
                }
                all
            });
            let items = below(12) as usize;
            for _ in 0..items {
                busy(Duration::from_nanos(below(130_000)));
                put(&queue);
                if below(2) == 0 {
                    // Taken without anything else coming: nothing but its own wake-up can help.
                    let since = Instant::now();
                    while !queue.submitting.state.lock().is_empty() {
                        assert!(
                            since.elapsed() < Duration::from_secs(5),
                            "round {round}: asleep beside work"
                        );
                        std::thread::yield_now();
                    }
                }
            }
            busy(Duration::from_nanos(below(130_000)));
            queue.end(if round % 2 == 0 {
                End::Finish
            } else {
                End::Abandon("x".into())
            });
            let since = Instant::now();
            while !journal.is_finished() {
                assert!(
                    since.elapsed() < Duration::from_secs(5),
                    "round {round}: it does not end"
                );
                std::thread::yield_now();
            }
            assert_eq!(journal.join().unwrap(), items);
        }
    }
}
