//! One opening of a store: from `open` or `reopen` until the next one, or the end.

use std::ops::ControlFlow;
use std::sync::{Arc, OnceLock};

use dormouse_domain::{Offset, ShardId, StreamId};

use crate::admission::Admission;
use crate::commit::Commit;
use crate::core::Core;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::hash;
use crate::metric_names;
use crate::queue::Queue;
use crate::registry::Registry;
use crate::settlement::{NotCommitted, Settled, Settlement, Ticket};
use crate::sync::Mutex;
use crate::sync::atomic::{AtomicBool, Ordering};
use crate::sync::thread::{self, ThreadId};
use crate::tail::Tail;
use crate::writer::{Reached, StreamWriter};

/// What the threads of one opening share with the store's callers.
pub(crate) struct Session {
    pub(crate) core: Arc<Core>,
    pub(crate) generation: u64,
    pub(crate) shard: ShardId,
    pub(crate) engine: Arc<dyn Engine>,
    pub(crate) tail: Tail,
    pub(crate) queue: Queue,
    pub(crate) registry: Arc<Registry>,
    /// Why nothing may be written any more.
    stopped: Mutex<Option<Arc<str>>>,
    /// Whether there is such a reason, for those that must not wait for a lock.
    is_stopped: AtomicBool,
    indexer_ends: AtomicBool,
    /// The threads have ended: this session is over.
    ended: AtomicBool,
    /// Its threads, which must never wait for themselves.
    own_threads: OnceLock<[ThreadId; 2]>,
}

impl Session {
    /// Nothing runs it yet.
    pub(crate) fn new(core: &Arc<Core>, engine: Arc<dyn Engine>, tail: Tail, generation: u64) -> Session {
        Session {
            core: Arc::clone(core),
            generation,
            shard: core.options.shard,
            engine,
            tail,
            queue: Queue::new(&core.options),
            registry: Arc::new(Registry::new()),
            stopped: Mutex::new(None),
            is_stopped: AtomicBool::new(false),
            indexer_ends: AtomicBool::new(false),
            ended: AtomicBool::new(false),
            own_threads: OnceLock::new(),
        }
    }

    pub(crate) fn submit(&self, writer: &StreamWriter, commit: Commit, ticket: Ticket) {
        let last_version = commit.last_version();
        // a writer of an earlier session is stale for ever
        let ours = writer.is_of(&self.registry);
        if let Err(reason) = self.queue.submit(writer.state(), ours, commit, ticket) {
            let settlement = Settlement::NotDone(NotCommitted::Stopped { reason });
            let settled = Settled {
                key: ticket.key,
                last_version,
                settlement,
            };
            self.core.deliver(std::iter::once((ticket.sink, settled)));
        }
    }

    pub(crate) fn open_stream(
        &self,
        stream: &StreamId,
        reached: Reached,
    ) -> Result<StreamWriter, StoreError> {
        self.check_writing()?;
        if reached.stream != hash::stream(stream.aggregate_type.as_str(), stream.id.as_str()) {
            return Err(StoreError::ReadOutdated {
                stream: stream.clone(),
                as_of: Offset::NONE,
            });
        }
        if reached.generation != self.generation {
            return Err(StoreError::ReadOutdated {
                stream: stream.clone(),
                as_of: reached.as_of,
            });
        }
        let writer = StreamWriter::open(&self.registry, stream, reached.version)?;
        // The stream is held from here on: what was written to it before is in the tail or was indexed.
        let list = self.tail.list();
        if let Some(head) = list.head(writer.state().hash, stream)
            && head != reached.version
        {
            let (stream, reached) = (stream.clone(), reached.version);
            return Err(StoreError::StaleVersion {
                stream,
                reached,
                head,
            });
        }
        if list.after() > reached.as_of {
            return Err(StoreError::ReadOutdated {
                stream: stream.clone(),
                as_of: reached.as_of,
            });
        }
        Ok(writer)
    }

    /// Something failed: nothing is written from here on. The first failure stays the reason.
    pub(crate) fn stop(&self, reason: &str) {
        let mut stopped = self.stopped.lock();
        let is_news = stopped.is_none();
        stopped.get_or_insert_with(|| reason.into());
        self.is_stopped.store(true, Ordering::Release);
        drop(stopped);
        self.engine.stop();
        self.tail.wake();
        self.core.space.notify_waiters();
        // Last: what the application has these told to may panic.
        if is_news {
            tracing::error!(reason, "the store has stopped writing");
            metrics::gauge!(metric_names::STORE_STOPPED).set(1.0);
        }
    }

    /// Stops if the engine has failed behind the journal's back: what was not handed to a write then is surely not done,
    /// and health says so without waiting for one.
    pub(crate) fn notice_failure(&self) {
        if let Some(reason) = self.engine.failure() {
            self.stop(&reason);
        }
    }

    /// The session is over, for this reason.
    pub(crate) fn retire(&self, reason: &str) {
        *self.stopped.lock() = Some(reason.into());
        self.is_stopped.store(true, Ordering::Release);
        self.ended.store(true, Ordering::Release);
        self.tail.wake();
        self.core.space.notify_waiters();
        self.core.announcer.announce();
    }

    /// Has long work give up when the session is over.
    pub(crate) fn until_ended<'s, P>(
        &'s self,
        progress: &'s mut dyn FnMut(P) -> ControlFlow<()>,
    ) -> impl FnMut(P) -> ControlFlow<()> + 's {
        move |told| match self.ended() {
            true => ControlFlow::Break(()),
            false => progress(told),
        }
    }

    pub(crate) fn ended(&self) -> bool {
        self.ended.load(Ordering::Acquire)
    }

    fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Acquire)
    }

    pub(crate) fn stopped(&self) -> Option<Arc<str>> {
        if self.is_stopped() {
            self.stopped.lock().clone()
        } else {
            None
        }
    }

    pub(crate) fn check_writing(&self) -> Result<(), StoreError> {
        self.stopped()
            .map_or(Ok(()), |reason| Err(StoreError::Stopped { reason }))
    }

    /// Why a batch must not be written any more.
    pub(crate) fn refusal(&self) -> Option<Arc<str>> {
        self.stopped().or_else(|| self.queue.abandoned())
    }

    /// Whether callers may go on; a stopped store answers at once, so they may.
    pub(crate) fn has_space(&self) -> bool {
        let options = &self.core.options;
        let roomy = self.queue.commits() < options.queue_commits_max
            && self.queue.bytes() < options.queue_bytes_max
            && self.tail.has_room();
        roomy || self.is_stopped()
    }

    /// What a commit to a stream that was read in `generation` may expect.
    pub(crate) fn admission(&self, generation: u64) -> Admission {
        match self.stopped() {
            Some(reason) => Admission::Stopped { reason },
            None if self.generation != generation => Admission::Outdated,
            None if self.has_space() => Admission::Open,
            None => Admission::Full,
        }
    }

    /// Whether this is one of the session's own threads.
    pub(crate) fn is_own_thread(&self) -> bool {
        let here = thread::current().id();
        self.own_threads.get().is_some_and(|own| own.contains(&here))
    }

    pub(crate) fn index_lag(&self) -> u64 {
        self.core.durable().get().saturating_sub(self.indexed().get())
    }

    pub(crate) fn indexed(&self) -> Offset {
        self.tail.indexed()
    }

    pub(crate) fn indexer_ends(&self) -> bool {
        self.indexer_ends.load(Ordering::Acquire) || self.is_stopped()
    }

    /// The indexer has nothing more to wait for.
    pub(crate) fn end_indexer(&self) {
        self.indexer_ends.store(true, Ordering::Release);
        self.tail.wake();
    }

    /// Names its threads, once.
    pub(crate) fn run_by(&self, threads: [ThreadId; 2]) {
        let _ = self.own_threads.set(threads);
    }
}
