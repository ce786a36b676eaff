//! Beginning and ending a session: the engine is opened, its log verified, the tail refilled, and the workers start.

use std::sync::Arc;
use std::time::Instant;

use dormouse_domain::Offset;

use crate::core::Core;
use crate::engine::{Disk, Watermark};
use crate::error::StoreError;
use crate::indexer;
use crate::journal::Journal;
use crate::metric_names;
use crate::queue::End;
use crate::recovery;
use crate::session::Session;
use crate::sync::thread::{self, JoinHandle, ThreadId};

/// Who is to run the journal and the indexer of a store's sessions.
pub(crate) enum RunBy {
    /// A thread each.
    Threads,
    /// Whoever holds its steps.
    #[cfg(feature = "simulation")]
    Steps(crate::steps::Steps),
}

/// Who runs the journal and the indexer of a session.
pub(crate) enum Workers {
    Threads(Threads),
    #[cfg(feature = "simulation")]
    Steps(crate::steps::Steps),
}

/// A thread each.
pub(crate) struct Threads {
    journal: JoinHandle<()>,
    indexer: JoinHandle<()>,
}

/// Opens the engine, verifies its log, refills the tail, and starts the workers.
pub(crate) fn open(
    core: &Arc<Core>,
    disk: &dyn Disk,
    generation: u64,
    run_by: &RunBy,
) -> Result<(Arc<Session>, Workers), StoreError> {
    let start = Instant::now();
    let opened = disk.open(&core.options)?;
    let engine = Arc::clone(&opened.engine);
    let recovered = match recovery::recover(&opened, &core.options) {
        Ok(recovered) => recovered,
        Err(error) => {
            // Nothing was written; the lock must go with the error.
            engine.stop();
            let _ = engine.close();
            return Err(error);
        }
    };
    // On reopening, this process knows better than any watermark what was durable.
    let (log_end, durable) = (recovered.log_end.offset(), core.durable());
    if log_end < durable {
        engine.stop();
        let _ = engine.close();
        return Err(StoreError::LogShorterThanWatermark {
            log_end,
            watermark: durable,
        });
    }
    // The log's end may lie beyond the watermark that was found, and what is derived waits for one that speaks for it.
    if log_end > Offset::NONE {
        engine.mark_durable(Watermark::new(
            core.options.shard,
            log_end,
            recovered.log_end.hash,
        ));
    }
    core.publish_durable(log_end);
    let session = Arc::new(Session::new(core, engine, recovered.tail, generation));
    let journal = Journal::new(Arc::clone(&session), recovered.log_end);
    let workers = Workers::start(&session, journal, run_by).inspect_err(|_| {
        session.engine.stop();
        let _ = session.engine.close();
    })?;
    metrics::gauge!(metric_names::STORE_STOPPED).set(0.0);
    tracing::info!(
        durable = log_end.get(), recovered_events = session.index_lag(), took = ?start.elapsed(), generation,
        "the store is open"
    );
    Ok((session, workers))
}

impl Workers {
    fn start(session: &Arc<Session>, journal: Journal, run_by: &RunBy) -> Result<Workers, StoreError> {
        match run_by {
            RunBy::Threads => Threads::start(session, journal).map(Workers::Threads),
            #[cfg(feature = "simulation")]
            RunBy::Steps(steps) => Ok(Workers::Steps(steps.begin(journal))),
        }
    }

    /// Ends them and waits for them. What is queued is written, or not done, as `end` says.
    pub(crate) fn end(self, session: &Session, end: End) {
        session.queue.end(end);
        session.tail.wake();
        // The indexer ends after the journal, which may wait for it.
        match self {
            Workers::Threads(threads) => threads.join_journal_then(|| session.end_indexer()),
            #[cfg(feature = "simulation")]
            Workers::Steps(steps) => {
                steps.finish();
                session.end_indexer();
            }
        }
    }
}

impl Threads {
    fn start(session: &Arc<Session>, journal: Journal) -> Result<Threads, StoreError> {
        let spawned = |error: std::io::Error| StoreError::Engine {
            context: "starting a thread".into(),
            reason: error.to_string().into(),
        };
        let indexing = Arc::clone(session);
        let journal = thread::Builder::new()
            .name("dormouse-journal".into())
            .spawn(move || journal.run())
            .map_err(spawned)?;
        let indexer = thread::Builder::new()
            .name("dormouse-indexer".into())
            .spawn(move || indexer::run(&indexing))
            .map_err(spawned);
        match indexer {
            Ok(indexer) => {
                session.run_by([journal.thread().id(), indexer.thread().id()]);
                Ok(Threads { journal, indexer })
            }
            Err(error) => {
                session.queue.end(End::Finish);
                let _ = journal.join();
                Err(error)
            }
        }
    }

    /// Whether this is one of them, so that waiting for them would last for ever.
    fn contain(&self, thread: ThreadId) -> bool {
        [self.journal.thread().id(), self.indexer.thread().id()].contains(&thread)
    }

    fn join_journal_then(self, end_indexer: impl FnOnce()) {
        if self.contain(thread::current().id()) {
            return end_indexer();
        }
        let _ = self.journal.join();
        end_indexer();
        let _ = self.indexer.join();
    }
}
