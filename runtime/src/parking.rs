//! Answers that wait for the disk, in the order in which they were given (P2).
//!
//! An entity decides on state that is not durable yet. Whatever it then answers, reply, refusal or query, stands
//! behind the commits that the answer may rest on, and leaves when they are durable. If one of them fails, everything
//! behind it is taken back.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::task::{Poll, Waker};
use std::time::Instant;

use dormouse_domain::{NotDone, Offset, Position, Unknown, Version};
use dormouse_persistence::{DistributionRecorder, NotCommitted, Planted, Settled, Settlement, planted};
use metrics::Histogram;

use crate::call::{Failure, Parked};
use crate::metric_names;
use crate::residency::Charge;

thread_local! {
    static COMMIT_WAIT: Histogram = metrics::histogram!(metric_names::COMMIT_WAIT_SECONDS);
}

/// Records how long commits waited for the disk.
pub(crate) struct CommitWait<'a> {
    /// When the journal's word came.
    pub(crate) arrived: Instant,
    pub(crate) recorder: &'a DistributionRecorder,
}

impl CommitWait<'_> {
    fn record(&self, since: Instant) {
        let waited = self.arrived.duration_since(since);
        COMMIT_WAIT.with(|wait| wait.record(waited.as_secs_f64()));
        self.recorder.record_time(waited);
    }
}

/// Places that an entity with nothing in flight keeps.
const QUEUE_KEPT: usize = 64;

/// A call whose answer is held back, with its place in the in-flight counts.
pub(crate) struct Held {
    call: Option<Arc<dyn Parked>>,
    charge: Option<Charge>,
}

impl Held {
    pub(crate) fn new(call: Arc<dyn Parked>, charge: Charge) -> Self {
        Self {
            call: Some(call),
            charge: Some(charge),
        }
    }

    /// The count is given back first: who has an answer finds its aggregate no longer busy with it.
    fn release(mut self, at: Option<Position>) {
        self.charge = None;
        if let Some(call) = self.call.take() {
            contain(move || call.release(at));
        }
    }

    fn fail(mut self, failure: Failure) {
        self.charge = None;
        if let Some(call) = self.call.take() {
            contain(move || call.fail(failure));
        }
    }

    /// Takes the answer back: it rests on a commit that failed.
    fn take_back(self) {
        let reason = "a write before it failed".into();
        self.fail(Failure::NotDone(NotDone::Stopped { reason }));
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(call) = self.call.take() {
            contain(move || call.fail(Failure::Unknown(Unknown::Abandoned)));
        }
    }
}

/// An answer whose caller is gone is dropped where it is released; if dropping a user's value panics, the arbiter's
/// other entities must not notice.
fn contain(act: impl FnOnce()) {
    if catch_unwind(AssertUnwindSafe(act)).is_err() {
        tracing::error!("dropping what nobody waits for any more panicked");
    }
}

/// Something to be done once everything before it is durable; told the offset of the stream's newest durable event.
pub(crate) type OnceDurable = Box<dyn FnOnce(Option<Offset>)>;

enum Waiting {
    Commit {
        first: Version,
        last: Version,
        since: Instant,
        held: Held,
    },
    Answer(Held),
    Then(OnceDurable),
}

/// What stands between an entity and its callers. Shared, on one arbiter, by the actor and the settlements' runner.
#[derive(Default)]
pub(crate) struct Parking {
    queue: RefCell<VecDeque<Waiting>>,
    durable: Cell<Version>,
    /// The offset of the newest durable event; `Offset::NONE` if there is none.
    newest: Cell<Offset>,
    failed: Cell<bool>,
    /// What the journal names this entity by: given once, by its lane.
    key: Cell<u64>,
    settled_waker: Cell<Option<Waker>>,
}

impl Parking {
    /// For an entity that was activated at `version`.
    pub(crate) fn activated(&self, version: Version, newest: Option<Offset>) {
        debug_assert!(
            self.queue.borrow().is_empty(),
            "an entity activates only when nothing is in flight"
        );
        self.durable.set(version);
        self.newest.set(newest.unwrap_or(Offset::NONE));
        self.failed.set(false);
    }

    pub(crate) fn key(&self) -> u64 {
        self.key.get()
    }

    pub(crate) fn name(&self, key: u64) {
        self.key.set(key);
    }

    /// The newest version known to be on disk.
    pub(crate) fn durable(&self) -> Version {
        self.durable.get()
    }

    fn newest(&self) -> Option<Offset> {
        Some(self.newest.get()).filter(|newest| *newest > Offset::NONE)
    }

    /// A commit failed: what the entity holds in memory is not what the disk holds.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed.get()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.queue.borrow().is_empty()
    }

    /// A command's commit, handed to the journal.
    pub(crate) fn commit(&self, first: Version, last: Version, since: Instant, mut held: Held) {
        if planted(Planted::ReplyBeforeDurable) {
            held.call.take().into_iter().for_each(|call| call.release(None));
        }
        self.queue.borrow_mut().push_back(Waiting::Commit {
            first,
            last,
            since,
            held,
        });
    }

    /// An answer that rests on all commits before it.
    pub(crate) fn answer(&self, held: Held) {
        if !self.is_empty() {
            self.queue.borrow_mut().push_back(Waiting::Answer(held));
        } else if self.has_failed() {
            held.take_back();
        } else {
            held.release(None);
        }
    }

    /// An act that rests on all commits before it. Dropped, not run, if one of them fails.
    pub(crate) fn then(&self, act: OnceDurable) {
        if !self.is_empty() {
            self.queue.borrow_mut().push_back(Waiting::Then(act));
        } else if !self.has_failed() {
            act(self.newest());
        }
    }

    /// The journal's word on the oldest commit. How long it waited is recorded if `wait` says where.
    pub(crate) fn settle(&self, settled: &Settled, wait: Option<CommitWait<'_>>) {
        let oldest = self.queue.borrow_mut().pop_front();
        let Some(Waiting::Commit {
            first,
            last,
            since,
            held,
        }) = oldest
        else {
            debug_assert!(false, "the oldest thing parked is always a commit");
            return;
        };
        debug_assert_eq!(
            last, settled.last_version,
            "commits settle in the order they were handed over"
        );
        match &settled.settlement {
            Settlement::Durable { first: at, .. } => {
                let newest = Position {
                    shard: at.shard,
                    offset: at.offset.plus(last.get() - first.get()),
                };
                if let Some(wait) = wait {
                    wait.record(since);
                }
                self.durable.set(last);
                self.newest.set(newest.offset);
                held.release(Some(newest));
            }
            Settlement::Unknown { reason } => {
                self.failed.set(true);
                held.fail(Failure::Unknown(Unknown::WriteFailed {
                    reason: Arc::clone(reason),
                }));
            }
            Settlement::NotDone(why) => {
                self.failed.set(true);
                held.fail(Failure::NotDone(not_done(why)));
            }
        }
        self.release_up_to_next_commit();
        if self.is_empty() {
            // what a burst needed is not kept for as long as the aggregate is resident
            self.queue.borrow_mut().shrink_to(QUEUE_KEPT);
            self.settled_waker.take().into_iter().for_each(Waker::wake);
        }
    }

    /// Ready when nothing is in flight.
    pub(crate) fn poll_settled(&self, waker: &Waker) -> Poll<()> {
        if self.is_empty() {
            return Poll::Ready(());
        }
        self.settled_waker.set(Some(waker.clone()));
        Poll::Pending
    }

    fn release_up_to_next_commit(&self) {
        loop {
            let next = {
                let mut queue = self.queue.borrow_mut();
                match queue.front() {
                    None | Some(Waiting::Commit { .. }) => return,
                    Some(_) => queue.pop_front(),
                }
            };
            match next {
                Some(Waiting::Answer(held)) if self.has_failed() => held.take_back(),
                Some(Waiting::Answer(held)) => held.release(None),
                Some(Waiting::Then(act)) if !self.has_failed() => contain(|| act(self.newest())),
                rested_on_what_failed => contain(|| drop(rested_on_what_failed)),
            }
        }
    }
}

fn not_done(why: &NotCommitted) -> NotDone {
    match why {
        NotCommitted::Stale { head } => NotDone::Stale { head: *head },
        NotCommitted::Stopped { reason } => NotDone::Stopped {
            reason: Arc::clone(reason),
        },
        other => NotDone::Stopped {
            reason: other.to_string().into(),
        },
    }
}
