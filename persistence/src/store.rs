//! The store: what callers hold.

mod checkpoint;
mod compaction;
mod reading;

use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dormouse_domain::StreamId;

use crate::admission::Admission;
use crate::commit::Commit;
use crate::core::Core;
use crate::engine::memory::MemoryDisk;
use crate::engine::{Disk, EngineStatistics, Family};
use crate::error::StoreError;
use crate::format::{self, keys};
use crate::gauges;
use crate::lifecycle::{self, RunBy, Workers};
use crate::metric_names;
use crate::options::StoreOptions;
use crate::queue::End;
use crate::session::Session;
use crate::settings::StoreSettings;
use crate::settlement::{SettlementSink, SinkId, Ticket};
use crate::snapshot::Snapshot;
use crate::statistics::StoreStatistics;
use crate::sync::{ArcSwap, Guard, Mutex};
use crate::writer::{Reached, StreamWriter};
use crate::writing::Writing;

/// What a snapshot waits for the watermark. A busy store takes thousands a second, and each write of the watermark is a sync
/// beside the log's: so there are twenty a second more at most.
const SNAPSHOT_PATIENCE: Duration = Duration::from_millis(50);

/// An event store. Clones are the same store; it lives until the last one is dropped.
///
/// Dropping it without [`Store::close`] is no worse than a crash: what was answered `Durable` stays, what is
/// queued is settled as not done.
///
/// Writing never blocks and may be done on any thread; reading blocks on the disk.
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    disk: Box<dyn Disk>,
    run_by: RunBy,
    session: Arc<ArcSwap<Session>>,
    lifecycle: Mutex<Lifecycle>,
    /// What the engine said when it was last told to the metrics facade.
    recorded: Mutex<EngineStatistics>,
}

/// Held while the store is reopened or closed.
struct Lifecycle {
    /// Of the current session; none after it has ended.
    workers: Option<Workers>,
    closed: bool,
}

/// Whether a store takes commits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Health {
    /// It does.
    Healthy,
    /// It stopped after a failure, or was closed: every commit is answered at once as not done.
    Stopped {
        /// Why.
        reason: Arc<str>,
    },
}

/// Opening and closing, and how it stands.
impl Store {
    /// A new store in memory: everything but durability. Nothing survives the process.
    ///
    /// # Panics
    /// If the system can't start two threads.
    #[must_use]
    pub fn in_memory() -> Store {
        Store::on_memory(&MemoryDisk::new(), StoreOptions::default()).expect("a new memory disk opens")
    }

    /// Opens the store on a memory disk; opening the same disk again is a restart.
    ///
    /// # Errors
    /// `Locked` if a store on this disk is still open; what [`StoreError`] says about a damaged log.
    pub fn on_memory(disk: &MemoryDisk, options: StoreOptions) -> Result<Store, StoreError> {
        Store::on_disk(Box::new(disk.clone()), options)
    }

    /// Opens the store in the directory `path`, or makes it there if there is nothing yet, with the default
    /// options. See [`Store::open_with`].
    #[cfg(feature = "rocksdb")]
    pub fn open(path: impl AsRef<std::path::Path>) -> Result<Store, StoreError> {
        Store::open_with(path, StoreOptions::default())
    }

    /// Opens the store in the directory `path`, or makes it there if there is nothing yet. Durable: a commit that
    /// was settled as durable survives the death of the process, and of the machine if its disk honours syncs.
    ///
    /// Reads the part of the log that is not in RocksDB's tables or not indexed yet, usually well under a second's
    /// worth; where what is derived was deleted or is damaged, all of the log, to build it again: see
    /// [`StoreOptions::progress`].
    ///
    /// # Errors
    /// `Locked` if it is open elsewhere; `NotAStore`, `NotWritable` or `NewerFormat`; `LogDamaged`, `LogGap`,
    /// `LogShorterThanWatermark`, `LogShorterThanIndex` or `Corrupt` if acknowledged commits are missing or
    /// damaged, and then nothing was taken from the log.
    #[cfg(feature = "rocksdb")]
    pub fn open_with(path: impl AsRef<std::path::Path>, options: StoreOptions) -> Result<Store, StoreError> {
        Store::on_disk(Box::new(crate::open::RocksDisk::new(path.as_ref())), options)
    }

    pub(crate) fn on_disk(disk: Box<dyn Disk>, options: StoreOptions) -> Result<Store, StoreError> {
        Store::run_by(RunBy::Threads, disk, options)
    }

    /// A store without threads: `steps` are its journal and its indexer, whenever it is asked to be.
    ///
    /// # Errors
    /// As [`Store::on_memory`].
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn in_steps(
        disk: &MemoryDisk,
        options: StoreOptions,
        steps: &crate::steps::Steps,
    ) -> Result<Store, StoreError> {
        Store::run_by(RunBy::Steps(steps.clone()), Box::new(disk.clone()), options)
    }

    fn run_by(run_by: RunBy, disk: Box<dyn Disk>, options: StoreOptions) -> Result<Store, StoreError> {
        metric_names::describe();
        let core = Arc::new(Core::new(options));
        let (session, workers) = lifecycle::open(&core, &*disk, 1, &run_by)?;
        let lifecycle = Mutex::new(Lifecycle {
            workers: Some(workers),
            closed: false,
        });
        Ok(Store {
            inner: Arc::new(Inner {
                core,
                disk,
                run_by,
                session: Arc::new(ArcSwap::new(session)),
                lifecycle,
                recorded: Mutex::default(),
            }),
        })
    }

    /// Closes the engine and opens it again with full verification: the way on after a failure, once its cause is
    /// gone. What is queued is settled as not done. Every writer opened before is stale from here on. Blocks on
    /// the disk, for as long as opening the store takes, and waits for readings under way.
    ///
    /// # Errors
    /// As opening; the store stays stopped, and `reopen` may be tried again. `Closed` after [`Store::close`].
    /// Refused from inside a settlement sink.
    pub fn reopen(&self) -> Result<(), StoreError> {
        self.refuse_own_threads()?;
        let mut lifecycle = self.inner.lifecycle.lock();
        if lifecycle.closed {
            return Err(StoreError::Closed);
        }
        let session = self.inner.session.load_full();
        self.end_session(
            &mut lifecycle,
            &session,
            End::Abandon("it is being reopened".into()),
        )?;
        // What the old engine says on closing no longer matters: the log is read anew.
        if let Err(error) = session.engine.close() {
            tracing::warn!(%error, "closing the store in order to reopen it");
        }
        let inner = &*self.inner;
        let reopened = lifecycle::open(&inner.core, &*inner.disk, session.generation + 1, &inner.run_by);
        let (session, workers) = reopened.inspect_err(|error| {
            session.retire(&format!("reopening failed: {error}"));
            metrics::gauge!(metric_names::STORE_STOPPED).set(1.0);
        })?;
        lifecycle.workers = Some(workers);
        tracing::info!(generation = session.generation, "the store was reopened");
        self.inner.session.store(session);
        self.inner.core.space.notify_waiters();
        Ok(())
    }

    /// Counts how often the store was reopened, from 1.
    #[must_use]
    pub fn generation(&self) -> u64 {
        self.inner.session.load().generation
    }

    /// Whether the store takes commits.
    #[must_use]
    pub fn health(&self) -> Health {
        let session = self.inner.session.load();
        session.notice_failure();
        match session.stopped() {
            None => Health::Healthy,
            Some(reason) => Health::Stopped { reason },
        }
    }

    /// What the store has done and how it stands. Cheap, but for the size on disk, which may do some I/O.
    #[must_use]
    pub fn statistics(&self) -> StoreStatistics {
        let session = self.inner.session.load();
        let counters = &self.inner.core.counters;
        let batch_commits = counters.batch_commits.get();
        let sync = counters.sync_nanos.get();
        StoreStatistics {
            commits: counters.commits.get(),
            events: counters.events.get(),
            batches: batch_commits.count(),
            batch_bytes: counters.batch_bytes.get(),
            batch_commits,
            syncs: sync.count(),
            sync_time: sync.sum_time(),
            sync,
            room_wait: counters.room_wait_nanos.time(),
            unknown_commits: counters.unknown_commits.get(),
            stale_commits: counters.stale_commits.get(),
            stopped_commits: counters.stopped_commits.get(),
            runs_indexed: counters.runs_indexed.get(),
            queue_commits: session.queue.commits() as u64,
            queue_bytes: session.queue.bytes() as u64,
            tail_bytes: session.tail.bytes() as u64,
            tail_bytes_max: session.tail.bound_bytes() as u64,
            durable: self.durable(),
            indexed: session.indexed(),
            open_streams: session.registry.len() as u64,
            disk_bytes: session.engine.disk_bytes(),
            generation: session.generation,
            engine: session.engine.statistics(),
        }
    }

    /// What the store runs with. Cheap.
    #[must_use]
    pub fn settings(&self) -> StoreSettings {
        let directory = self.inner.disk.directory();
        StoreSettings::of(&self.inner.core.options, directory.map(Path::to_owned))
    }

    /// Tells the metrics facade how the store stands: to be called before each scrape, since nothing else looks at
    /// RocksDB and the disk. Takes a millisecond or so, and may do some I/O.
    pub fn record_gauges(&self) {
        let mut recorded = self.inner.recorded.lock();
        let now = self.statistics();
        gauges::record(&now, &recorded);
        *recorded = now.engine;
    }

    /// Writes what is queued, ends the threads, leaves what is not indexed to the log, and releases the store.
    /// Afterwards every call answers `Closed` and every commit is not done. Blocks; idempotent.
    ///
    /// # Errors
    /// When the engine can't be closed in order: no more is lost than by a crash. Refused from inside a settlement
    /// sink.
    pub fn close(&self) -> Result<(), StoreError> {
        self.refuse_own_threads()?;
        let mut lifecycle = self.inner.lifecycle.lock();
        if lifecycle.closed {
            return Ok(());
        }
        let session = self.inner.session.load_full();
        self.end_session(&mut lifecycle, &session, End::Finish)?;
        lifecycle.closed = true;
        tracing::info!(durable = self.durable().get(), "the store is closed");
        Ok(session.engine.close()?)
    }

    /// Before any lock is taken: whoever holds it may wait for the thread this is called on.
    fn refuse_own_threads(&self) -> Result<(), StoreError> {
        if !self.inner.session.load().is_own_thread() {
            return Ok(());
        }
        Err(StoreError::Engine {
            context: "ending the store's threads".into(),
            reason: "a settlement sink can't wait for the thread it is called on".into(),
        })
    }

    fn end_session(&self, lifecycle: &mut Lifecycle, session: &Session, end: End) -> Result<(), StoreError> {
        if let Some(workers) = lifecycle.workers.take() {
            let reason = end.reason();
            workers.end(session, end);
            session.retire(&reason);
        }
        Ok(())
    }
}

/// What reading and writing share.
impl Store {
    fn reading(&self) -> Result<Guard<Arc<Session>>, StoreError> {
        let session = self.inner.session.load();
        if session.ended() {
            Err(StoreError::Closed)
        } else {
            Ok(session)
        }
    }

    /// The session, if it takes commits. No guard: what is done with it may take long.
    pub(crate) fn writable(&self) -> Result<Arc<Session>, StoreError> {
        let session = Arc::clone(&*self.reading()?);
        session.check_writing()?;
        Ok(session)
    }

    fn check_not_ahead(&self, stream: &StreamId, snapshot: &Snapshot) -> Result<(), StoreError> {
        let durable = self.durable();
        if snapshot.offset <= durable {
            return Ok(());
        }
        Err(StoreError::SnapshotAhead {
            stream: stream.clone(),
            offset: snapshot.offset,
            durable,
        })
    }
}

/// For runtimes: writing, and waiting for what was written. A service leaves this to its `Dormouse`.
impl Store {
    /// What a commit to a stream that was read in `generation` may expect: health, generation and space at once.
    #[must_use]
    pub fn admission(&self, generation: u64) -> Admission {
        self.inner.session.load().admission(generation)
    }

    /// A view of the store for one thread that writes much.
    #[must_use]
    pub fn writing(&self) -> Writing {
        Writing::new(&self.inner.session)
    }

    /// Registers who takes settlements. Sinks stay for the store's life; a sink that holds the store keeps it
    /// alive for ever.
    pub fn register_sink(&self, sink: Arc<dyn SettlementSink>) -> SinkId {
        self.inner.core.register_sink(sink)
    }

    /// Opens a stream for writing, given how far it was read. No I/O.
    ///
    /// # Errors
    /// `StreamHeld` if it has a writer; `StaleVersion` or `ReadOutdated` if it moved on, or may have, since it was
    /// read: read on from `reached.version().next()` and try again; `Stopped`.
    pub fn open_stream(&self, stream: &StreamId, reached: Reached) -> Result<StreamWriter, StoreError> {
        self.inner.session.load().open_stream(stream, reached)
    }

    /// Hands a commit to the journal. Never blocks. It is settled exactly once, through the ticket's sink, in the
    /// order in which the writer's commits were submitted; a commit that does not follow the writer's head is
    /// settled as stale.
    pub fn submit(&self, writer: &StreamWriter, commit: Commit, ticket: Ticket) {
        self.inner.session.load().submit(writer, commit, ticket);
    }

    /// Whether queue and tail are below their bounds. Callers pause before they decide when they aren't: `submit`
    /// itself never refuses for space.
    #[must_use]
    pub fn has_space(&self) -> bool {
        self.inner.session.load().has_space()
    }

    /// Waits until there is space, or the store has stopped.
    pub async fn space(&self) {
        loop {
            let mut notified = std::pin::pin!(self.inner.core.space.notified());
            notified.as_mut().enable();
            if self.has_space() {
                return;
            }
            notified.await;
        }
    }

    /// Stores a snapshot in place of the one before. Not synced: a crash may lose it, which costs time only.
    /// Blocks on the disk, and until the watermark speaks for its last event: some 50 ms on a sound disk, for all that are stored
    /// one after the other together.
    ///
    /// # Errors
    /// `SnapshotAhead` if its last event is not durable; `Stopped`.
    pub fn put_snapshot(&self, stream: &StreamId, snapshot: &Snapshot) -> Result<(), StoreError> {
        let session = self.reading()?;
        session.check_writing()?;
        self.check_not_ahead(stream, snapshot)?;
        // Were its events lost by a log whose loss goes unnoticed, it would be taken for a state of those that come in
        // their place.
        session.engine.wait_for_mark(snapshot.offset, SNAPSHOT_PATIENCE)?;
        let key = keys::snapshot(session.shard, stream);
        Ok(session
            .engine
            .put(Family::Snapshots, &key, &format::snapshot::encode(snapshot))?)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(workers) = self.lifecycle.get_mut().workers.take() {
            workers.end(&self.session.load(), End::Abandon("it was dropped".into()));
        }
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store")
            .field("health", &self.health())
            .field("durable", &self.durable())
            .finish()
    }
}

#[cfg(test)]
mod tests;
