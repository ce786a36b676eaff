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
        }
    }

    /// Runs until the queue ends. After a panic it stops the store and goes on to settle what comes as not done.
    pub(crate) fn run(mut self) {
        while catch_unwind(AssertUnwindSafe(|| self.run_until_end())).is_err() {
            self.session.stop("the journal panicked");
            if let Some(batch) = self.in_hand.take() {
                self.settle(batch, &Verdict::Unknown("the journal panicked".into()));
            }
        }
    }

    fn run_until_end(&mut self) {
        while let Next::Batch(batch) = self.session.queue.next() {
            if batch.commits > 0 {
                let session = &self.session;
                let waited = session.tail.wait_for_room(|| session.refusal().is_some());
                self.count_room_wait(waited);
            }
            self.take(batch);
        }
    }

    /// Writes a batch, unless nothing may be written any more, and tells its submitters.
    fn take(&mut self, batch: Batch) {
        self.session.notice_failure();
        if let Some(reason) = self.session.refusal() {
            return self.settle(batch, &Verdict::Stopped(reason));
        }
        self.in_hand = Some(batch);
        let verdict = self.write();
        let batch = self.in_hand.take().expect("put there above");
        self.settle(batch, &verdict);
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
        batch.map(|batch| self.take(batch)).is_some()
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

    /// Gives every submission of a batch its fate.
    fn settle(&self, mut batch: Batch, verdict: &Verdict) {
        let session = &self.session;
        session.registry.decided(batch.last_submission);
        session.queue.settled(batch.items.len(), batch.submitted_bytes);
        // whoever found none a moment ago may be waiting already: whether there was some before says nothing
        if session.has_space() {
            session.core.space.notify_waiters();
        }
        self.count_fates(&batch, verdict);
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

    fn count_fates(&self, batch: &Batch, verdict: &Verdict) {
        let counters = &self.session.core.counters;
        let stale = batch.items.len() as u64 - u64::from(batch.commits);
        if stale > 0 {
            counters.stale_commits.add(stale);
            metrics::counter!(metric_names::JOURNAL_STALE_COMMITS).increment(stale);
        }
        match verdict {
            Verdict::Durable { .. } => {}
            Verdict::Unknown(_) => {
                counters.unknown_commits.add(batch.commits.into());
                metrics::counter!(metric_names::JOURNAL_UNKNOWN_COMMITS).increment(batch.commits.into());
            }
            Verdict::Stopped(_) => {
                counters.stopped_commits.add(batch.commits.into());
                metrics::counter!(metric_names::JOURNAL_STOPPED_COMMITS).increment(batch.commits.into());
            }
        }
    }
}

fn placed(item: &Item) -> Option<Placed> {
    match &item.fate {
        Fate::Write(placed) => Some(*placed),
        Fate::Stale(_) => None,
    }
}
