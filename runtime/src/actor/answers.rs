//! Answers that need no decision: refusals of the runtime, and the first reply to a command that was done before (P6).

use std::panic::catch_unwind;
use std::sync::Arc;

use actix::prelude::{ActorFutureExt, AsyncContext, Context, WrapFuture};
use dormouse_domain::{
    Aggregate, Codec, Command, CommandError, CommandFingerprint, CommandId, Handle, NotDone, Position,
    StreamId, Unknown, Version,
};
use dormouse_persistence::{Store, StoreError};

use super::EntityActor;
use crate::call::{Failure, Parked, Responder};
use crate::command_metrics::{CommandMetrics, Counted};
use crate::entity_core::{Identified, Identity, Turn, panic_message, same_or_reused};
use crate::messages::Run;
use crate::metric_names;
use crate::readers::ReadersClosed;
use crate::receipt::{Outcome, Receipt};
use crate::spans::Part;

/// A commit that is already stored, as far as a retry of its command needs it.
struct Stored {
    fingerprint: CommandFingerprint,
    first_version: Version,
    last_version: Version,
    position: Position,
    codec: Codec,
    reply: Vec<u8>,
}

impl<A: Aggregate> EntityActor<A> {
    pub(super) fn count<R, E>(&self, turn: &Turn<R, E>) -> Counted {
        let counters = &self.lane().counters;
        match turn {
            Turn::Commit { first, last, .. } => {
                counters.committed.add(1);
                counters.events.add(last.get() - first.get() + 1);
                Counted::Committed
            }
            Turn::Reply(_) => {
                counters.replied.add(1);
                Counted::Replied
            }
            Turn::Refused(_) => {
                counters.refused.add(1);
                Counted::Refused
            }
            Turn::NotDone(_) | Turn::Broken(_) => {
                counters.not_done.add(1);
                if let Turn::NotDone(NotDone::Panicked { .. }) | Turn::Broken(NotDone::Panicked { .. }) = turn
                {
                    counters.panics.add(1);
                    metrics::counter!(metric_names::PANICS).increment(1);
                }
                Counted::NotDone
            }
        }
    }

    fn count_replay<C: Command>(&self) {
        self.lane().counters.replayed.add(1);
        let names = &self.directory.shared.command_names;
        CommandMetrics::of::<A, C>(names, |metrics| metrics.count(Counted::Replayed));
    }

    fn count_not_done<C: Command>(&self) {
        self.lane().counters.not_done.add(1);
        let names = &self.directory.shared.command_names;
        CommandMetrics::of::<A, C>(names, |metrics| metrics.count(Counted::NotDone));
    }

    /// An answer that rests on nothing in memory: it goes at once.
    pub(super) fn not_done<C: Command>(&self, run: Run<A, C>, reason: NotDone)
    where
        A: Handle<C>,
    {
        self.count_not_done::<C>();
        drop(run.charge);
        run.responder.into_call().fail(Failure::NotDone(reason));
    }

    /// An answer that rests on what is in memory.
    pub(super) fn answer_behind<C: Command>(&self, run: Run<A, C>, outcome: Outcome<A, C>)
    where
        A: Handle<C>,
    {
        self.count_not_done::<C>();
        let (Some(charge), true) = (run.charge, run.responder.call().begin()) else {
            return;
        };
        self.park(run.responder.into_call(), outcome, charge);
    }

    /// A retry of a command that this entity knows: its first reply, read once it is durable.
    pub(super) fn replay<C: Command>(&self, run: Run<A, C>, first_version: Version)
    where
        A: Handle<C>,
    {
        let (directory, stream) = (Arc::clone(&self.directory), self.stream());
        self.count_replay::<C>();
        // begun: if the first one's commit fails, this one's fate is as unknown as that one's
        if !run.responder.call().begin() {
            return;
        }
        let Some(Identity { id, .. }) = run.request.identity else {
            return;
        };
        if let Some(spans) = run.responder.call().spans() {
            spans.enter(Part::Replay);
        }
        self.place.then(Box::new(move |_| {
            let (readers, store) = (&directory.shared.readers, directory.shared.store.clone());
            readers.submit(move || {
                let stored = read_commit(&store, &stream, first_version, id);
                drop(run.charge);
                first_reply::<A, C>(run.responder, stored);
            });
        }));
    }

    /// An id that only the store knows of. The mailbox waits: whether the command is new decides what comes next.
    pub(super) fn look_up<C: Command>(
        &mut self,
        run: Run<A, C>,
        identity: Identity,
        context: &mut Context<Self>,
    ) where
        A: Handle<C>,
    {
        self.lane().counters.id_look_ups.add(1);
        let (directory, stream) = (Arc::clone(&self.directory), self.stream());
        let look = async move {
            let store = directory.shared.store.clone();
            directory
                .shared
                .readers
                .run(move || find_command(&store, &stream, identity.id))
                .await
        };
        let looked_up = look.into_actor(self).map(move |found, actor: &mut Self, _| {
            actor.count_look_up(&found);
            actor.guarded(|actor| match found {
                Err(_) => actor.not_done(run, NotDone::ShuttingDown),
                Ok(Err(error)) => actor.not_done(
                    run,
                    NotDone::ActivationFailed {
                        reason: error.to_string().into(),
                    },
                ),
                Ok(Ok(None)) => actor.new_after_all(run),
                Ok(Ok(Some(stored))) => actor.found(run, identity, stored),
            });
        });
        context.wait(looked_up);
    }

    fn count_look_up(&self, found: &Result<Result<Option<Stored>, StoreError>, ReadersClosed>) {
        let outcome = match found {
            Ok(Ok(Some(_))) => {
                self.lane().counters.id_look_ups_found.add(1);
                "found"
            }
            Ok(Ok(None)) => "new",
            _ => "failed",
        };
        metrics::counter!(metric_names::ID_LOOK_UPS, "outcome" => outcome).increment(1);
    }

    /// The store does not know the id. Much may have happened while it was asked.
    fn new_after_all<C: Command>(&mut self, run: Run<A, C>)
    where
        A: Handle<C>,
    {
        let late = (self.now() > run.deadline).then_some(NotDone::DeadlinePassed);
        match self.unable_because().or(late) {
            Some(reason) => self.not_done(run, reason),
            None => self.decide(run),
        }
    }

    fn found<C: Command>(&self, run: Run<A, C>, identity: Identity, stored: Stored)
    where
        A: Handle<C>,
    {
        match same_or_reused(identity, stored.fingerprint, stored.first_version) {
            Identified::NotDone(reason) => self.answer_behind(run, Err(CommandError::NotDone(reason))),
            _ => {
                self.count_replay::<C>();
                drop(run.charge);
                first_reply::<A, C>(run.responder, Ok(stored));
            }
        }
    }
}

fn find_command(store: &Store, stream: &StreamId, id: CommandId) -> Result<Option<Stored>, StoreError> {
    let Some(first_version) = store.find_command(stream, id)? else {
        return Ok(None);
    };
    // an index that points at nothing must not make a command look new
    read_commit(store, stream, first_version, id).map(Some)
}

/// The commit at `first_version`, which must be that of command `id`.
fn read_commit(
    store: &Store,
    stream: &StreamId,
    first_version: Version,
    id: CommandId,
) -> Result<Stored, StoreError> {
    let mut stored = None;
    store.read_commit(stream, first_version, &mut |commit| {
        let command = commit.command().filter(|command| command.id == id);
        stored = command.map(|command| Stored {
            fingerprint: command.fingerprint,
            first_version: commit.first_version(),
            last_version: commit.last_version(),
            position: Position::new(commit.position().shard, commit.last_offset()),
            codec: command.codec,
            reply: command.reply.to_vec(),
        });
    })?;
    stored.ok_or_else(|| StoreError::Corrupt {
        what: "command index".into(),
        place: format!("{stream}, command {id}"),
        reason: format!("no commit of it at version {first_version}").into(),
    })
}

/// Answers a retry. Whatever can't be read of it: it was done before, so it is not *not done*.
fn first_reply<A: Handle<C>, C: Command>(
    responder: Responder<Outcome<A, C>>,
    stored: Result<Stored, StoreError>,
) {
    let outcome = match stored {
        Ok(stored) => decode_reply::<A, C>(&stored),
        Err(error) => Err(CommandError::Unknown(Unknown::WriteFailed {
            reason: error.to_string().into(),
        })),
    };
    responder.into_call().answer(outcome);
}

fn decode_reply<A: Handle<C>, C: Command>(stored: &Stored) -> Outcome<A, C> {
    let (version, position) = (stored.last_version, Some(stored.position));
    let reason = match catch_unwind(|| stored.codec.decode::<C::Reply>(&stored.reply)) {
        Ok(Ok(reply)) => {
            return Ok(Receipt {
                reply,
                version,
                position,
                replayed: true,
            });
        }
        Ok(Err(error)) => error.to_string().into(),
        Err(panic) => panic_message(panic.as_ref()),
    };
    Err(CommandError::ReplyUnreadable { version, reason })
}
