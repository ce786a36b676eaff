//! Waking an entity, and reloading it in place after a failure.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::{ActorFuture, ActorFutureExt, WrapFuture};
use dormouse_domain::{Aggregate, StreamId, Version};
use dormouse_persistence::{StoreError, StreamWriter};

use super::{EntityActor, Phase};
use crate::activation::{Folded, LoadFailed, Loaded, load};
use crate::directory::Directory;
use crate::entity_core::{CommandIds, EntityCore};
use crate::metric_names;
use crate::options::FAILED_ACTIVATION_REMEMBERED;

/// Times to read on if the stream was found to be further than what was read: each reads only what came since.
const ATTEMPTS_MAX: usize = 100;
/// Pause before a stream whose last writer died is tried again.
const HELD_RETRY: Duration = Duration::from_millis(10);

pub(super) struct Woken<A> {
    loaded: Loaded<A>,
    writer: StreamWriter,
    generation: u64,
}

impl<A: Aggregate> EntityActor<A> {
    /// Reads the aggregate anew once nothing of it is in flight. The mailbox waits meanwhile.
    pub(super) fn wake(&mut self) -> impl ActorFuture<Self, Output = ()> + 'static {
        self.phase = Phase::Asleep;
        let parking = self.place.shared();
        let residency = Arc::clone(&self.residency);
        let directory = Arc::clone(&self.directory);
        let stream = self.stream.clone();
        async move {
            poll_fn(|context| parking.poll_settled(context.waker())).await;
            residency.close_writer();
            activate(&directory, &stream).await
        }
        .into_actor(self)
        .map(|woken, actor: &mut Self, _| actor.guarded(|actor| actor.woken(woken)))
    }

    fn woken(&mut self, woken: Result<Woken<A>, LoadFailed>) {
        let shared = Arc::clone(&self.directory.shared);
        match woken {
            Ok(Woken {
                loaded,
                writer,
                generation,
            }) => {
                count(&shared.counters, &loaded);
                self.generation = generation;
                let Folded {
                    state,
                    version,
                    snapshot_version,
                    newest_command,
                    newest,
                    ..
                } = loaded.folded;
                self.place.activated(version, newest);
                self.residency.set_writer(writer);
                let ids = CommandIds::new(newest_command, shared.options.recent_ids);
                self.phase = Phase::Awake(EntityCore::new(state, version, snapshot_version, ids));
            }
            // nothing is wrong with this aggregate: it is tried again once the store is back
            Err(LoadFailed::Store(StoreError::Stopped { .. } | StoreError::Closed)) => {
                self.phase = Phase::Asleep;
            }
            Err(failed) => {
                tracing::error!(stream = %self.stream, %failed, "an aggregate can't be woken");
                shared.counters.activations_failed.add(1);
                metrics::counter!(metric_names::ACTIVATIONS, "outcome" => "failed").increment(1);
                let until = self.now() + FAILED_ACTIVATION_REMEMBERED;
                self.phase = Phase::Failed {
                    reason: failed.to_string().into(),
                    until,
                };
            }
        }
        self.weigh();
        if !self.resident {
            self.resident = true;
            shared.residents.add(Arc::clone(&self.residency));
        }
    }
}

async fn activate<A: Aggregate>(
    directory: &Arc<Directory<A>>,
    stream: &StreamId,
) -> Result<Woken<A>, LoadFailed> {
    let shared = &directory.shared;
    let (mut attempt, mut so_far) = (1, None);
    loop {
        let generation = shared.store.generation();
        let (reading, id, known) = (Arc::clone(directory), stream.clone(), so_far.take());
        let read = shared.readers.run(move || {
            reading.shared.make_room();
            load::<A>(&reading.shared.store, &id, reading.state_fingerprint, None, known)
        });
        let loaded = read
            .await
            .map_err(|_| LoadFailed::Domain("the runtime is shutting down".into()))??;
        match shared.store.open_stream(stream, loaded.reached) {
            Ok(writer) => {
                return Ok(Woken {
                    loaded,
                    writer,
                    generation,
                });
            }
            // it moved on since it was read, or may have: only what is new is read again
            Err(StoreError::StaleVersion { .. } | StoreError::ReadOutdated { .. })
                if attempt < ATTEMPTS_MAX =>
            {
                so_far = Some(loaded.folded);
            }
            // an actor of this id died, and its commits are still on their way
            Err(StoreError::StreamHeld { .. }) if attempt < ATTEMPTS_MAX => {
                so_far = Some(loaded.folded);
                tokio::time::sleep(HELD_RETRY).await;
            }
            Err(error) => return Err(LoadFailed::Store(error)),
        }
        attempt += 1;
    }
}

fn count<A>(counters: &crate::statistics::RuntimeCounters, loaded: &Loaded<A>) {
    counters.activations.add(1);
    counters.events_replayed.add(loaded.folded.events_replayed);
    counters
        .activation_micros
        .add(u64::try_from(loaded.took.as_micros()).unwrap_or(u64::MAX));
    if loaded.snapshot_unreadable {
        counters.snapshots_unreadable.add(1);
        metrics::counter!(metric_names::SNAPSHOTS_UNREADABLE).increment(1);
    }
    // an aggregate that is new costs no reading, and would drown the others
    if loaded.folded.version > Version::NONE {
        metrics::histogram!(metric_names::ACTIVATION_SECONDS).record(loaded.took.as_secs_f64());
        metrics::histogram!(metric_names::ACTIVATION_EVENTS).record(loaded.folded.events_replayed as f64);
    }
    metrics::counter!(metric_names::ACTIVATIONS, "outcome" => "done").increment(1);
}
