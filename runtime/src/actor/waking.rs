//! Waking an entity, and reloading it in place after a failure.

use std::future::poll_fn;
use std::sync::Arc;
use std::time::Duration;

use actix::prelude::{ActorFuture, ActorFutureExt, WrapFuture};
use dormouse_domain::{Aggregate, Offset, StreamId, Version};
use dormouse_persistence::{StoreError, StreamWriter};
use tracing::Span;

use super::{EntityActor, Phase};
use crate::activation::{Folded, LoadFailed, Loaded, Until, load};
use crate::directory::Directory;
use crate::entity_core::{CommandIds, EntityCore};
use crate::metric_names;
use crate::options::FAILED_ACTIVATION_REMEMBERED;
use crate::spans::{record_activation, within};

/// Times to read on if the stream was found to be further than what was read: each reads only what came since.
const ATTEMPTS_MAX: usize = 100;

/// An aggregate as the store has it, and the right to write to it.
pub(crate) struct Woken<A: Aggregate> {
    core: EntityCore<A>,
    /// Offset of its newest event.
    newest: Option<Offset>,
    writer: StreamWriter,
    generation: u64,
}

impl<A: Aggregate> Woken<A> {
    /// Bytes that it takes as a resident.
    pub(crate) fn weight(&self) -> usize {
        EntityActor::<A>::weight(self.core.heap_bytes())
    }
}

/// What came of reading an aggregate.
pub(crate) enum Attempt<A: Aggregate> {
    Woken(Woken<A>),
    /// Not all of it was read, or it has a writer still: to be read on, from what was read so far.
    Again {
        so_far: Folded<A>,
        because: StoreError,
    },
}

/// Reads an aggregate for which there is no actor yet, and reads on where its stream moved on meanwhile. Blocks on the disk:
/// for reader threads, so waiting for a writer that is on its way out is left to the actor.
pub(crate) fn read<A: Aggregate>(
    directory: &Directory<A>,
    stream: &StreamId,
) -> Result<Attempt<A>, LoadFailed> {
    let mut known = None;
    for _ in 1..ATTEMPTS_MAX {
        match attempt(directory, stream, known)? {
            Attempt::Again { so_far, because } if !is_held(&because) => known = Some(so_far),
            attempted => return Ok(attempted),
        }
    }
    attempt(directory, stream, known)
}

/// An actor of this id died, and its commits are still on their way.
fn is_held(because: &StoreError) -> bool {
    matches!(because, StoreError::StreamHeld { .. })
}

/// Reads and folds an aggregate, and takes the right to write to its stream. Blocks on the disk, too.
fn attempt<A: Aggregate>(
    directory: &Directory<A>,
    stream: &StreamId,
    so_far: Option<Folded<A>>,
) -> Result<Attempt<A>, LoadFailed> {
    let shared = &directory.shared;
    shared.wait_for_room();
    let generation = shared.store.generation();
    let loaded = load::<A>(
        &shared.store,
        stream,
        directory.state_fingerprint,
        Until::End,
        so_far,
        &|| true,
    )?;
    match shared.store.open_stream(stream, loaded.reached) {
        Ok(writer) => {
            count(&shared.counters, &loaded);
            let folded = loaded.folded;
            let ids = CommandIds::new(folded.newest_command);
            Ok(Attempt::Woken(Woken {
                core: EntityCore::new(folded.state, folded.version, folded.snapshot_version, ids),
                newest: folded.newest,
                writer,
                generation,
            }))
        }
        Err(
            because @ (StoreError::StaleVersion { .. }
            | StoreError::ReadOutdated { .. }
            | StoreError::StreamHeld { .. }),
        ) => Ok(Attempt::Again {
            so_far: loaded.folded,
            because,
        }),
        Err(error) => Err(error.into()),
    }
}

impl<A: Aggregate> EntityActor<A> {
    /// Reads the aggregate anew once nothing of it is in flight. The mailbox waits meanwhile.
    pub(super) fn wake(&mut self, activation: Span) -> impl ActorFuture<Self, Output = ()> + 'static {
        self.phase = Phase::Asleep;
        let parking = self.place.shared();
        let residency = Arc::clone(&self.residency);
        let directory = Arc::clone(&self.directory);
        let stream = self.stream();
        async move {
            poll_fn(|context| parking.poll_settled(context.waker())).await;
            residency.close_writer();
            activate(&directory, &stream, activation).await
        }
        .into_actor(self)
        .map(|woken, actor: &mut Self, _| actor.guarded(|actor| actor.woken(woken)))
    }

    /// Takes what was read before there was an actor. Stays asleep, and so wakes as it starts, if that was not all.
    pub(crate) fn arrive(&mut self, attempted: Result<Attempt<A>, LoadFailed>) {
        match attempted {
            Ok(Attempt::Woken(woken)) => self.guarded(|actor| actor.woken(Ok(woken))),
            Ok(Attempt::Again { .. }) => {}
            Err(failed) => self.guarded(|actor| actor.woken(Err(failed))),
        }
    }

    fn woken(&mut self, woken: Result<Woken<A>, LoadFailed>) {
        let shared = Arc::clone(&self.directory.shared);
        match woken {
            Ok(woken) => {
                self.generation = woken.generation;
                self.place.activated(woken.core.version(), woken.newest);
                self.residency.set_writer(woken.writer);
                self.phase = Phase::Awake(woken.core);
            }
            // nothing is wrong with this aggregate: it is tried again once the store is back
            Err(LoadFailed::Store(StoreError::Stopped { .. } | StoreError::Closed)) => {
                self.phase = Phase::Asleep;
            }
            Err(failed) => {
                tracing::error!(stream = %self.stream(), place = %failed.place(), "an aggregate can't be woken; its caller is told why");
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
    activation: Span,
) -> Result<Woken<A>, LoadFailed> {
    let (mut attempts, mut known) = (1, None);
    loop {
        let (reading, id, span) = (Arc::clone(directory), stream.clone(), activation.clone());
        let read = directory
            .shared
            .readers
            .run(move || within(span, || attempt(&reading, &id, known)));
        match read.await.map_err(|_| LoadFailed::ShuttingDown)?? {
            Attempt::Woken(woken) => return Ok(woken),
            Attempt::Again { because, .. } if attempts == ATTEMPTS_MAX => {
                return Err(because.into());
            }
            // it moved on since it was read, or may have: only what is new is read again
            Attempt::Again { so_far, because } => {
                known = Some(so_far);
                if is_held(&because) {
                    pause(directory.shared.options.held_retry).await;
                }
            }
        }
        attempts += 1;
    }
}

/// Others of the arbiter get their turn in any case.
async fn pause(time: Duration) {
    if time.is_zero() {
        tokio::task::yield_now().await;
    } else {
        tokio::time::sleep(time).await;
    }
}

fn count<A>(counters: &crate::statistics::RuntimeCounters, loaded: &Loaded<A>) {
    counters.activations.add(1);
    counters.events_replayed.add(loaded.folded.events_replayed);
    record_activation(loaded.folded.events_replayed);
    counters
        .activation_micros
        .add(u64::try_from(loaded.took.as_micros()).unwrap_or(u64::MAX));
    if loaded.snapshot_unreadable {
        counters.snapshots_unreadable.add(1);
        metrics::counter!(metric_names::SNAPSHOTS_UNREADABLE).increment(1);
    }
    // an aggregate that is new costs no reading, and would drown the others
    if loaded.folded.version > Version::NONE {
        counters.activation_nanos.record_time(loaded.took);
        metrics::histogram!(metric_names::ACTIVATION_SECONDS).record(loaded.took.as_secs_f64());
        metrics::histogram!(metric_names::ACTIVATION_EVENTS).record(loaded.folded.events_replayed as f64);
    }
    metrics::counter!(metric_names::ACTIVATIONS, "outcome" => "done").increment(1);
}
