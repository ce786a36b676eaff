//! The journal: one thread that makes batches durable, one segment and one sync each.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_domain::{Offset, Position, Timestamp};

use crate::engine::Watermark;
use crate::format::keys;
use crate::format::packing::Packer;
use crate::format::segment::{self, Header};
use crate::log_end::LogEnd;
use crate::metric_names;
use crate::queue::{Batch, Fate, Item, Next, Placed};
use crate::session::Session;
use crate::settlement::{NotCommitted, Settled, Settlement};

pub(crate) struct Journal {
    session: Arc<Session>,
    log_end: LogEnd,
    packer: Packer,
    /// The batch that has no fate yet: a panic leaves it here.
    in_hand: Option<Batch>,
    /// Whether the batch in hand may be in the log by now.
    is_writing: bool,
}

/// What became of a batch as a whole.
enum Verdict {
    Durable { first: Offset, time: Timestamp },
    Unknown(Arc<str>),
    Stopped(Arc<str>),
}

impl Journal {
    pub(crate) fn new(session: Arc<Session>, log_end: LogEnd) -> Journal {
        Journal {
            session,
            log_end,
            packer: Packer::new(),
            in_hand: None,
            is_writing: false,
        }
    }

    /// Runs until the queue ends. After a panic it stops the store and goes on to settle what comes as not done.
    ///
    /// The application's recorder of metrics and its subscriber to traces are called on the way, and may panic at any
    /// time: before that each batch is in hand, and what they are told of its fate comes after its submitters know it.
    pub(crate) fn run(mut self) {
        let mut panicked = false;
        while catch_unwind(AssertUnwindSafe(|| self.run_until_end(panicked))).is_err() {
            panicked = true;
        }
    }

    fn run_until_end(&mut self, after_panic: bool) {
        if after_panic {
            self.session.stop("the journal panicked");
            self.settle_what_a_panic_left();
        }
        while let Next::Batch(batch) = self.session.queue.next() {
            let commits = batch.commits;
            self.in_hand = Some(batch);
            if commits > 0 {
                let session = &self.session;
                let waited = session.tail.wait_for_room(|| session.refusal().is_some());
                self.count_room_wait(waited);
            }
            self.take();
        }
    }

    fn settle_what_a_panic_left(&mut self) {
        let reason = "the journal panicked".into();
        if std::mem::take(&mut self.is_writing) {
            self.settle(&Verdict::Unknown(reason));
        } else if self.in_hand.is_some() {
            self.settle(&Verdict::Stopped(reason));
        }
    }

    /// Writes the batch in hand, unless nothing may be written any more, and tells its submitters.
    fn take(&mut self) {
        self.session.notice_failure();
        if let Some(reason) = self.session.refusal() {
            return self.settle(&Verdict::Stopped(reason));
        }
        self.is_writing = true;
        let verdict = self.write();
        self.is_writing = false;
        self.settle(&verdict);
    }

    /// Takes the next batch, if there is one, and the tail has room or never will. `false`: it took none.
    #[cfg(feature = "simulation")]
    pub(crate) fn step(&mut self) -> bool {
        let tail = &self.session.tail;
        let waits = !tail.has_room() && tail.oldest_frozen().is_some() && self.session.refusal().is_none();
        let batch = if waits {
            None
        } else {
            self.session.queue.try_next()
        };
        self.in_hand = batch;
        let took = self.in_hand.is_some();
        if took {
            self.take();
        }
        took
    }

    /// Nothing is queued any more: says so to whoever submits from here on. The queue was told to end.
    #[cfg(feature = "simulation")]
    pub(crate) fn end(self) {
        let next = self.session.queue.next();
        debug_assert!(matches!(next, Next::End), "what was queued was taken before");
    }

    #[cfg(feature = "simulation")]
    pub(crate) fn session(&self) -> &Arc<Session> {
        &self.session
    }

    /// Makes the batch in hand durable and readable.
    fn write(&mut self) -> Verdict {
        let batch = self.in_hand.as_mut().expect("the caller put it there");
        let first = self.log_end.last.next();
        let time = self.session.core.options.clock.now().max(self.log_end.time);
        if batch.commits == 0 {
            return Verdict::Durable { first, time };
        }
        batch.assemble();
        let header = Header {
            shard: self.session.shard,
            epoch: self.log_end.epoch,
            batch: self.log_end.batch + 1,
            first,
            time,
            previous: self.log_end.hash,
            events: batch.events,
            commits: batch.commits,
        };
        let stored = self.packer.seal(&mut batch.segment, &header);
        let (hash, bytes) = (segment::hash(stored), stored.len());
        let start = Instant::now();
        let key = keys::log(header.shard, first);
        let appended = self.session.engine.append_log(&key, stored);
        self.count_sync(start);
        if let Err(error) = appended {
            self.session.stop(&error.to_string());
            return Verdict::Unknown(error.to_string().into());
        }
        self.publish(&header, hash);
        self.count_batch(bytes);
        Verdict::Durable { first, time }
    }

    /// The batch in hand is durable: it can be read from here on, and then says so.
    fn publish(&mut self, header: &Header, hash: u128) {
        let session = &self.session;
        let batch = self.in_hand.as_ref().expect("the batch just written");
        // First, so that whoever derives something from the batch finds its mark to wait for.
        let mark = Watermark::new(header.shard, header.last(), hash);
        session.engine.mark_durable(mark);
        session.tail.add(
            batch.segment.as_slice().into(),
            header,
            hash,
            batch.items.iter().filter_map(placed),
        );
        self.log_end = LogEnd::of(header, hash);
        session.core.publish_durable(header.last());
    }

    /// Gives every submission of the batch in hand its fate.
    fn settle(&mut self, verdict: &Verdict) {
        let mut batch = self.in_hand.take().expect("the caller put it there");
        let stale = batch.items.len() as u64 - u64::from(batch.commits);
        let commits = batch.commits;
        let session = &self.session;
        session.registry.decided(batch.last_submission);
        session.queue.settled(batch.items.len(), batch.submitted_bytes);
        // whoever found none a moment ago may be waiting already: whether there was some before says nothing
        if session.has_space() {
            session.core.space.notify_waiters();
        }
        self.count_fates(stale, commits, verdict);
        let mut next = match verdict {
            Verdict::Durable { first, .. } => *first,
            _ => Offset::NONE,
        };
        let shard = session.shard;
        session.core.deliver(batch.items.drain(..).map(|item| {
            let settlement = match (item.fate, verdict) {
                (Fate::Stale(head), _) => Settlement::NotDone(NotCommitted::Stale { head }),
                (Fate::Write(placed), Verdict::Durable { time, .. }) => {
                    let first = Position::new(shard, next);
                    next = next.plus(placed.events.into());
                    Settlement::Durable { first, time: *time }
                }
                (Fate::Write(_), Verdict::Unknown(reason)) => Settlement::Unknown {
                    reason: reason.clone(),
                },
                (Fate::Write(_), Verdict::Stopped(reason)) => Settlement::NotDone(NotCommitted::Stopped {
                    reason: reason.clone(),
                }),
            };
            let settled = Settled {
                key: item.ticket.key,
                last_version: item.last_version,
                settlement,
            };
            (item.ticket.sink, settled)
        }));
        session.queue.recycle(batch);
        record_fates(stale, commits, verdict);
    }

    /// Nothing for a batch that found room: it did not look at the clock.
    fn count_room_wait(&self, waited: Duration) {
        if waited.is_zero() {
            return;
        }
        self.session.core.counters.room_wait_nanos.add_time(waited);
        metrics::histogram!(metric_names::JOURNAL_ROOM_WAIT_SECONDS).record(waited.as_secs_f64());
    }

    fn count_sync(&self, start: Instant) {
        let took = start.elapsed();
        self.session.core.counters.sync_nanos.record_time(took);
        metrics::histogram!(metric_names::JOURNAL_SYNC_SECONDS).record(took.as_secs_f64());
    }

    #[allow(clippy::cast_precision_loss, reason = "gauges and histograms")]
    fn count_batch(&self, bytes: usize) {
        let batch = self.in_hand.as_ref().expect("the batch just written");
        let session = &self.session;
        let counters = &session.core.counters;
        counters.commits.add(batch.commits.into());
        counters.events.add(batch.events.into());
        counters.batch_bytes.record(bytes as u64);
        counters.batch_commits.record(batch.commits.into());
        metrics::histogram!(metric_names::JOURNAL_BATCH_COMMITS).record(batch.commits);
        metrics::histogram!(metric_names::JOURNAL_BATCH_BYTES).record(bytes as f64);
        metrics::gauge!(metric_names::JOURNAL_QUEUE_COMMITS).set(session.queue.commits() as f64);
        metrics::gauge!(metric_names::TAIL_BYTES).set(session.tail.bytes() as f64);
        metrics::gauge!(metric_names::INDEX_LAG_EVENTS).set(session.index_lag() as f64);
    }

    fn count_fates(&self, stale: u64, commits: u32, verdict: &Verdict) {
        let counters = &self.session.core.counters;
        counters.stale_commits.add(stale);
        match verdict {
            Verdict::Durable { .. } => {}
            Verdict::Unknown(_) => counters.unknown_commits.add(commits.into()),
            Verdict::Stopped(_) => counters.stopped_commits.add(commits.into()),
        }
    }
}

/// Tells the application's recorder, which may panic.
fn record_fates(stale: u64, commits: u32, verdict: &Verdict) {
    if stale > 0 {
        metrics::counter!(metric_names::JOURNAL_STALE_COMMITS).increment(stale);
    }
    let name = match verdict {
        Verdict::Durable { .. } => return,
        Verdict::Unknown(_) => metric_names::JOURNAL_UNKNOWN_COMMITS,
        Verdict::Stopped(_) => metric_names::JOURNAL_STOPPED_COMMITS,
    };
    metrics::counter!(name).increment(commits.into());
}

fn placed(item: &Item) -> Option<Placed> {
    match &item.fate {
        Fate::Write(placed) => Some(*placed),
        Fate::Stale(_) => None,
    }
}
