//! The runtime as its users hold it.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use dormouse_domain::{Aggregate, AggregateId, InvalidId};
use dormouse_persistence::{Health, Store, StoreError};
use parking_lot::Mutex;

use crate::admin::Admin;
use crate::builder::Builder;
use crate::entity::Entity;
use crate::error::{EntityError, ShutdownError};
use crate::readiness::Readiness;
use crate::registered::Registered;
use crate::settings::RuntimeSettings;
use crate::shared::Shared;
use crate::statistics::Statistics;
use crate::sweeper::Sweeper;
use crate::system::OwnSystem;

/// How often a shutdown looks for aggregates that came after it began.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A running write model. Clones share it; the last one dropped stops it, which is no worse than a crash. To stop it
/// gently: [`shutdown`](Self::shutdown). An [`Admin`] and an ops server that shows it hold a clone, too.
#[derive(Clone)]
pub struct Dormouse {
    inner: Arc<Inner>,
}

pub(crate) struct Inner {
    shared: Arc<Shared>,
    registered: Registered,
    system: Mutex<Option<OwnSystem>>,
    sweeper: Mutex<Option<Sweeper>>,
}

impl Inner {
    pub(crate) fn new(
        shared: Arc<Shared>,
        registered: Registered,
        system: Option<OwnSystem>,
        sweeper: Option<Sweeper>,
    ) -> Self {
        Self {
            shared,
            registered,
            system: Mutex::new(system),
            sweeper: Mutex::new(sweeper),
        }
    }

    /// Ends all threads. Blocking.
    fn stop(&self) {
        self.shared.stopping.store(true, Ordering::Release);
        self.shared.shut_down.store(true, Ordering::Release);
        drop(self.sweeper.lock().take());
        if let Some(system) = self.system.lock().take() {
            system.join();
        }
        self.shared.readers.close();
        self.shared.history.close();
        self.shared.snapshots.close();
    }
}

impl Drop for Inner {
    /// Waits for the threads, so that the store can be opened again at once; but a thread can't wait for itself.
    fn drop(&mut self) {
        let own = self.system.lock().as_ref().is_some_and(OwnSystem::is_current);
        if own {
            self.shared.stopping.store(true, Ordering::Release);
            if let Some(system) = &*self.system.lock() {
                system.stop();
            }
        } else {
            self.stop();
        }
    }
}

impl fmt::Debug for Dormouse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dormouse")
            .field("health", &self.health())
            .finish_non_exhaustive()
    }
}

impl Dormouse {
    /// A runtime on `store`, to be told of its aggregates and started.
    pub fn builder(store: Store) -> Builder {
        Builder::new(store)
    }

    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
        }
    }

    pub(crate) fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    pub(crate) fn registered(&self) -> &Registered {
        &self.inner.registered
    }

    /// The aggregate with this id (a `&str`, a `String` or an [`AggregateId`]), whether it exists yet or not. Cheap:
    /// nothing is read or woken.
    ///
    /// # Errors
    /// [`EntityError`]: the id is not valid, or the type is not registered.
    pub fn entity<A: Aggregate>(
        &self,
        id: impl TryInto<AggregateId, Error: Into<InvalidId>>,
    ) -> Result<Entity<A>, EntityError> {
        let id = id.try_into().map_err(Into::into)?;
        let directory = self.inner.registered.directory();
        let not_registered = EntityError::NotRegistered {
            aggregate_type: A::TYPE,
        };
        Ok(Entity {
            id,
            directory: directory.ok_or(not_registered)?,
            runtime: self.clone(),
        })
    }

    /// What it does and holds: cheap, for a console or a log line.
    #[must_use]
    pub fn statistics(&self) -> Statistics {
        self.inner.shared.statistics()
    }

    /// What it runs with. Cheap; the store's are in [`Store::settings`].
    #[must_use]
    pub fn settings(&self) -> RuntimeSettings {
        RuntimeSettings::of(&self.inner.shared.options)
    }

    /// Tells the metrics facade how runtime and store stand: to be called before each scrape. The runtime's own gauges are
    /// recorded at every sweep, too; those of the disk and of RocksDB only here. Takes a millisecond or so, and may do some
    /// I/O: not for a thread that must not wait.
    pub fn record_gauges(&self) {
        self.inner.shared.record_gauges();
        self.inner.shared.store.record_gauges();
    }

    /// Whether the store takes writes, from the results of its own writes.
    #[must_use]
    pub fn health(&self) -> Health {
        self.inner.shared.store.health()
    }

    /// Whether it takes commands, and if not, why. Cheap.
    #[must_use]
    pub fn readiness(&self) -> Readiness {
        Readiness::of(&self.inner.shared)
    }

    /// What operators see and do: aggregates, streams and events by name, decoded to JSON. Cheap to make.
    #[must_use]
    pub fn admin(&self) -> Admin {
        Admin::new(self.clone())
    }

    /// Whether [`drain`](Self::drain) or [`shutdown`](Self::shutdown) was called: nothing new is taken.
    #[must_use]
    pub fn is_shutting_down(&self) -> bool {
        self.inner.shared.is_stopping()
    }

    /// The store underneath, for reading.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.inner.shared.store
    }

    /// Reads the store anew after it stopped over an error (guarantee P11). Entities reload with their next command, from
    /// what is really there.
    ///
    /// # Errors
    /// What opening a store may say; it stays stopped then.
    pub async fn reopen(&self) -> Result<(), StoreError> {
        let store = self.inner.shared.store.clone();
        let reopened = self.inner.shared.readers.run(move || store.reopen()).await;
        reopened.unwrap_or(Err(StoreError::Closed))
    }

    /// Passivates now what has been idle for long enough; the runtime does so by itself from time to time. Returns how
    /// many aggregates left.
    pub fn passivate_idle(&self) -> usize {
        self.inner.shared.sweep_idle()
    }

    /// Stops gently: takes no more commands, finishes what is in flight within the builder's limit, takes snapshots where
    /// they are worth it, closes the store. Every clone and entity answers *shutting down* from then on. An ops server is
    /// stopped after this: it tells of the shutdown meanwhile.
    ///
    /// # Errors
    /// [`ShutdownError`]: something was left, but nothing that was acknowledged is lost.
    pub async fn shutdown(&self) -> Result<(), ShutdownError> {
        let (shared, start) = (&self.inner.shared, Instant::now());
        let finishing = self.finish_in_time();
        shared.shut_down.store(true, Ordering::Release);
        let finished = finishing.await;
        let inner = Arc::clone(&self.inner);
        let (tell, told) = tokio::sync::oneshot::channel();
        let closing = std::thread::Builder::new()
            .name("dormouse-shutdown".into())
            .spawn(move || {
                inner.stop();
                let _ = tell.send(inner.shared.store.close());
            });
        match closing {
            Ok(_) => told.await.unwrap_or(Err(StoreError::Closed)),
            Err(_) => shared.store.close(),
        }
        .map_err(ShutdownError::Store)?;
        tracing::info!(took = ?start.elapsed(), "the runtime has shut down");
        finished
    }

    /// Takes no more commands (they are answered *not done: shutting down*), finishes what is in flight within the
    /// builder's shutdown limit, and passivates everything, with snapshots where they are worth it. The store stays open,
    /// and can be read; [`shutdown`](Self::shutdown) closes it. There is no way back but a new start.
    ///
    /// # Errors
    /// [`ShutdownError::Unfinished`]: something was left in flight, but nothing that was acknowledged is lost. It may be
    /// called again, to wait on.
    pub async fn drain(&self) -> Result<(), ShutdownError> {
        self.finish_in_time().await
    }

    /// From the moment it is called on, not from its first poll, nothing new is taken.
    fn finish_in_time(&self) -> impl Future<Output = Result<(), ShutdownError>> + '_ {
        let shared = &self.inner.shared;
        // made first: outside a tokio runtime it panics, and then nothing has happened
        let finished = tokio::time::timeout(shared.options.shutdown_limit, self.finish());
        let in_flight = shared.gauges.in_flight();
        tracing::info!(
            in_flight,
            "no more commands are taken; what is in flight is finished"
        );
        shared.stopping.store(true, Ordering::Release);
        async move {
            let finished = finished.await;
            let commands = shared.gauges.in_flight();
            if finished.is_err() {
                tracing::warn!(
                    commands,
                    "commands are still in flight, and are not waited for any longer"
                );
            }
            finished.map_err(|_| ShutdownError::Unfinished { commands })
        }
    }

    async fn finish(&self) {
        let shared = &self.inner.shared;
        loop {
            while shared.gauges.in_flight() > 0 {
                shared.gauges.ended().await;
            }
            for resident in shared.residents.drain() {
                if !resident.try_evict() {
                    shared.residents.add(resident);
                }
            }
            // a command that passed the door just before it was closed may wake an aggregate even now
            if tokio::time::timeout(LOOK_AGAIN, shared.gauges.all_gone())
                .await
                .is_ok()
            {
                return;
            }
        }
    }
}
