//! The actix actor around an [`EntityCore`]: it wakes and reloads the aggregate, takes commands one at a time, performs
//! what the core decides, and never touches a disk itself.

mod answers;
mod waking;

pub(crate) use self::waking::{Attempt, read};

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use actix::prelude::{Actor, ActorFutureExt, AsyncContext, Context, Handler, WrapFuture};
use dormouse_domain::{Aggregate, Command, CommandError, Handle, Metadata, Moment, NotDone, StreamId};
use dormouse_persistence::{Admission, Health, Planted, Snapshot, Ticket, planted};
use tracing::Span;

use crate::call::{Answer, Call};
use crate::command_metrics::{CommandMetrics, Counted};
use crate::directory::Directory;
use crate::entity_core::{Commanded, EntityCore, Identified, SnapshotDue, Turn, panic_message};
use crate::entries::Charged;
use crate::lane::{Lane, ParkingPlace, with_writing};
use crate::messages::{Ask, Run, Seen};
use crate::metric_names;
use crate::options::{LONG_TURN, TURNS_BEFORE_YIELD};
use crate::parking::Held;
use crate::receipt::Receipt;
use crate::residency::{Charge, Residency};
use crate::spans::{Part, reason_name};

/// Bytes an idle entity takes beside its state: actor, actix's context and mailbox, directory entry, residency, the
/// id. Measured with 100,000 of them (docs/decisions/0004).
const ENTITY_BYTES: usize = 1_220;

enum Phase<A: Aggregate> {
    /// Not read yet, or no longer to be trusted.
    Asleep,
    Awake(EntityCore<A>),
    /// It could not be woken; not tried again before `until`.
    Failed {
        reason: Arc<str>,
        until: Moment,
    },
}

/// What an entity could do with a command.
enum Readiness {
    Ready,
    /// The store's queue is full: wait before deciding.
    NoSpace,
    /// To be woken first.
    Asleep,
    /// Neither, and why.
    Unable(NotDone),
}

pub(crate) struct EntityActor<A: Aggregate> {
    directory: Arc<Directory<A>>,
    residency: Arc<Residency>,
    place: ParkingPlace,
    phase: Phase<A>,
    /// The store's generation that the state was read from.
    generation: u64,
    lane: u32,
    turns: u16,
    resident: bool,
}

/// Nothing in it is pinned: actix asks for this, and an aggregate need not be `Unpin` itself.
impl<A: Aggregate> Unpin for EntityActor<A> {}

impl<A: Aggregate> Actor for EntityActor<A> {
    type Context = Context<Self>;

    fn started(&mut self, context: &mut Context<Self>) {
        if matches!(self.phase, Phase::Asleep) {
            context.wait(self.wake(Span::none()));
        }
    }

    /// Passivated: nothing is in flight, and nobody can send any more.
    fn stopped(&mut self, _: &mut Context<Self>) {
        let half_way = self.directory.shared.options.snapshot_every_events.div_ceil(2);
        self.snapshot(half_way);
    }
}

impl<A: Aggregate> Drop for EntityActor<A> {
    fn drop(&mut self) {
        self.directory.shared.gauges.actor_gone();
    }
}

impl<A: Aggregate> EntityActor<A> {
    /// Asleep.
    pub(crate) fn new(directory: Arc<Directory<A>>, residency: Arc<Residency>, lane: usize) -> Self {
        directory.shared.gauges.actor_started();
        let (place, phase) = (ParkingPlace::take(), Phase::Asleep);
        Self {
            directory,
            residency,
            place,
            phase,
            generation: 0,
            lane: u32::try_from(lane).expect("arbiters are few"),
            turns: 0,
            resident: false,
        }
    }

    fn lane(&self) -> &Lane {
        &self.directory.shared.lanes[self.lane as usize]
    }

    /// Put together where it is asked for: every idle aggregate would pay for it.
    fn stream(&self) -> StreamId {
        self.directory.stream(&self.residency.id)
    }

    fn now(&self) -> Moment {
        self.directory.shared.options.clock.monotonic()
    }

    /// actix drains a mailbox without yielding: a hot entity must let the others of its arbiter run.
    fn count_turn(&mut self, context: &mut Context<Self>) {
        self.turns += 1;
        if self.turns >= TURNS_BEFORE_YIELD {
            self.turns = 0;
            metrics::histogram!(metric_names::MAILBOX_DEPTH).record(f64::from(self.residency.in_flight()));
            context.wait(tokio::task::yield_now().into_actor(self));
        }
    }

    /// Runs a turn. User code that is reached outside the core's own boundary (dropping a command, a state, a captured
    /// value) may panic, too: the entity then reloads, and stays the one that its commits in flight settle with.
    fn guarded(&mut self, turn: impl FnOnce(&mut Self)) {
        if planted(Planted::PanicBoundaryRemoved) {
            return turn(self);
        }
        if catch_unwind(AssertUnwindSafe(|| turn(self))).is_err() {
            tracing::error!(stream = %self.stream(), "a turn panicked, the aggregate is reloaded");
            self.lane().counters.panics.add(1);
            metrics::counter!(metric_names::PANICS).increment(1);
            let old = std::mem::replace(&mut self.phase, Phase::Asleep);
            let _ = catch_unwind(AssertUnwindSafe(|| drop(old)));
        }
    }

    /// What this entity could do with a command now. The state in memory counts if it is what the disk holds, plus what is
    /// on its way there.
    fn readiness(&self) -> Readiness {
        let store = &self.directory.shared.store;
        match &self.phase {
            Phase::Awake(_) if !self.place.has_failed() => {
                match with_writing(|store| store.admission(self.generation)) {
                    Admission::Open => Readiness::Ready,
                    Admission::Full => Readiness::NoSpace,
                    Admission::Outdated => Readiness::Asleep,
                    Admission::Stopped { reason } => Readiness::Unable(NotDone::Stopped { reason }),
                }
            }
            // a failure is remembered for a while
            Phase::Failed { reason, until } if self.now() < *until => {
                let reason = Arc::clone(reason);
                Readiness::Unable(NotDone::ActivationFailed { reason })
            }
            _ => match store.health() {
                Health::Stopped { reason } => Readiness::Unable(NotDone::Stopped { reason }),
                Health::Healthy => Readiness::Asleep,
            },
        }
    }

    /// Why a command can't be decided, after waking was tried.
    fn unable_because(&self) -> Option<NotDone> {
        match self.readiness() {
            Readiness::Ready | Readiness::NoSpace => None,
            Readiness::Unable(reason) => Some(reason),
            Readiness::Asleep => Some(NotDone::Stale {
                head: self.place.durable(),
            }),
        }
    }

    /// Stores a snapshot once its version is durable, if `every_events` have passed since the last.
    fn snapshot(&mut self, every_events: u32) {
        let outdated = self.place.has_failed();
        let Phase::Awake(core) = &mut self.phase else {
            return;
        };
        if outdated
            || !core.is_snapshot_due(every_events)
            || self.generation != self.directory.shared.store.generation()
        {
            return;
        }
        let Some(SnapshotDue {
            version,
            newest_command,
            payload,
        }) = core.snapshot()
        else {
            return;
        };
        let (directory, stream) = (Arc::clone(&self.directory), self.stream());
        self.place.then(Box::new(move |newest| {
            let Some(newest) = newest else { return };
            let snapshot = Snapshot {
                version,
                offset: newest,
                fingerprint: directory.state_fingerprint,
                codec: A::CODEC,
                newest_command,
                time: directory.shared.options.clock.now(),
                payload,
            };
            directory.shared.snapshots.write(stream, snapshot);
        }));
    }

    /// What a resident weighs whose core takes `heap` bytes beyond its actor.
    fn weight(heap: usize) -> usize {
        ENTITY_BYTES + size_of::<Self>() + heap
    }

    fn weigh(&mut self) {
        let heap = if let Phase::Awake(core) = &self.phase {
            core.heap_bytes()
        } else {
            0
        };
        let weight = Self::weight(heap);
        if weight != self.residency.weight() {
            self.residency.weigh(weight);
            if self.directory.shared.residents.over_budget() {
                self.directory.shared.nudge.make_room();
            }
        }
    }
}

impl<A: Handle<C>, C: Command> Handler<Run<A, C>> for EntityActor<A> {
    type Result = ();

    fn handle(&mut self, run: Run<A, C>, context: &mut Context<Self>) {
        self.count_turn(context);
        self.guarded(|actor| actor.take(run, context));
    }
}

impl<A: Aggregate> EntityActor<A> {
    /// The rules in their order: poison, awake, space, deadline, command id, and then the handler.
    fn take<C: Command>(&mut self, run: Run<A, C>, context: &mut Context<Self>)
    where
        A: Handle<C>,
    {
        match self.readiness() {
            Readiness::Ready => self.take_ready(run, context),
            Readiness::Unable(reason) => self.not_done(run, reason),
            Readiness::Asleep => {
                let wake = self.wake(run.activation()).map(|(), actor: &mut Self, context| {
                    actor.guarded(|actor| actor.take_woken(run, context));
                });
                context.wait(wake);
            }
            Readiness::NoSpace => {
                let store = self.directory.shared.store.clone();
                let space = async move { store.space().await }.into_actor(self);
                context.wait(space.map(|(), actor: &mut Self, context| {
                    actor.guarded(|actor| actor.take(run, context));
                }));
            }
        }
    }

    fn take_woken<C: Command>(&mut self, run: Run<A, C>, context: &mut Context<Self>)
    where
        A: Handle<C>,
    {
        match self.unable_because() {
            None => self.take(run, context),
            Some(reason) => self.not_done(run, reason),
        }
    }

    fn take_ready<C: Command>(&mut self, run: Run<A, C>, context: &mut Context<Self>)
    where
        A: Handle<C>,
    {
        if self.now() > run.deadline {
            return self.not_done(run, NotDone::DeadlinePassed);
        }
        let Some(identity) = run.request.identity else {
            return self.decide(run);
        };
        let Phase::Awake(core) = &self.phase else { return };
        match core.identify(identity, self.directory.shared.options.clock.now()) {
            Identified::New => self.decide(run),
            Identified::Done { first_version } => self.replay(run, first_version),
            Identified::NotDone(reason) => self.answer_behind(run, Err(CommandError::NotDone(reason))),
            Identified::LookUp => self.look_up(run, identity, context),
        }
    }

    /// A command whose id is new, or that has none.
    fn decide<C: Command>(&mut self, run: Run<A, C>)
    where
        A: Handle<C>,
    {
        let Run {
            charge,
            responder,
            command,
            request,
            ..
        } = run;
        let Some(charge) = charge else { return };
        if !responder.call().begin() {
            return; // its caller withdrew in time: it is never handled
        }
        let Phase::Awake(core) = &mut self.phase else {
            return;
        };
        self.residency.count_command();
        let started = Instant::now();
        let none = Metadata::default();
        let commanded = Commanded {
            aggregate_type: &self.directory.aggregate_type,
            id: &self.residency.id,
            identity: request.identity,
            expected: request.expected,
            metadata: request.metadata.as_deref().unwrap_or(&none),
            now: self.directory.shared.options.clock.now(),
            durable: self.place.durable(),
            recent_ids: self.directory.shared.options.recent_ids,
        };
        let handle = || core.handle(command, &commanded);
        let turn = match responder.call().spans() {
            None => handle(),
            Some(spans) => spans.decide(handle),
        };
        let version = core.version();
        let call = responder.into_call();
        let receipt = |reply| {
            Ok(Receipt {
                reply,
                version,
                position: None,
                replayed: false,
            })
        };
        let counted = self.count(&turn);
        match turn {
            Turn::Commit {
                commit,
                first,
                last,
                reply,
            } => {
                call.park(receipt(reply));
                wait_for_disk(&call);
                let ticket = Ticket {
                    sink: self.lane().sink,
                    key: self.place.key(),
                };
                self.place.commit(first, last, started, Held::new(call, charge));
                let submitted = self
                    .residency
                    .with_writer(|writer| with_writing(|store| store.submit(writer, commit, ticket)));
                debug_assert!(
                    submitted.is_some(),
                    "an entity that is awake holds the right to write its stream"
                );
                self.snapshot(self.directory.shared.options.snapshot_every_events);
                self.weigh();
            }
            Turn::Reply(reply) => self.park(call, receipt(reply), charge),
            Turn::Refused(refusal) => self.park(call, Err(CommandError::Refused(refusal)), charge),
            Turn::NotDone(reason) => self.park(call, Err(CommandError::NotDone(reason)), charge),
            Turn::Broken(reason) => {
                let why = reason_name(&reason);
                tracing::error!(stream = %self.stream(), command = C::NAME, why, "an aggregate is reloaded");
                self.park(call, Err(CommandError::NotDone(reason)), charge);
                self.phase = Phase::Asleep;
            }
        }
        self.turn_took::<C>(counted, started);
    }

    /// Measures a turn that began at `started`.
    fn turn_took<C: Command>(&self, counted: Counted, started: Instant) {
        let took = started.elapsed();
        let (all, names) = (
            &self.lane().counters.handling_nanos,
            &self.directory.shared.command_names,
        );
        CommandMetrics::of::<A, C>(names, |metrics| metrics.handled(counted, started, took, all));
        if took > LONG_TURN {
            self.lane().counters.long_turns.add(1);
            metrics::counter!(metric_names::LONG_TURNS).increment(1);
            if let Some(turns) = self.directory.shared.long_turns_told.tell(1) {
                tracing::warn!(
                    stream = %self.stream(), command = C::NAME, ?took, turns,
                    "a handler held its arbiter, and all aggregates there"
                );
            }
        }
    }

    /// Keeps an answer that rests on the state until what it rests on is durable.
    fn park<T: Answer>(&self, call: Arc<Call<T>>, answer: T, charge: Charge) {
        call.park(answer);
        if !self.place.is_empty() {
            wait_for_disk(&call);
        }
        self.place.answer(Held::new(call, charge));
    }
}

/// For the command's spans: its answer is known, and what it rests on is not durable yet.
fn wait_for_disk<T: Answer>(call: &Call<T>) {
    if let Some(spans) = call.spans() {
        spans.enter(Part::Commit);
    }
}

impl<A, T, F> Handler<Ask<T, F>> for EntityActor<A>
where
    A: Aggregate,
    T: Send + 'static,
    F: FnOnce(&A) -> T + Send + 'static,
{
    type Result = ();

    fn handle(&mut self, ask: Ask<T, F>, context: &mut Context<Self>) {
        self.count_turn(context);
        self.guarded(|actor| match actor.readiness() {
            Readiness::Asleep => {
                let wake = actor.wake(Span::none());
                context.wait(wake.map(|(), actor: &mut Self, _| actor.guarded(|actor| actor.look(ask))));
            }
            _ => actor.look(ask),
        });
    }
}

impl<A: Aggregate> EntityActor<A> {
    fn look<T: Send + 'static, F: FnOnce(&A) -> T>(&mut self, ask: Ask<T, F>) {
        let Ask {
            charge,
            responder,
            look,
            deadline,
        } = ask;
        let (Some(charge), true) = (charge, responder.call().begin()) else {
            return;
        };
        let call = responder.into_call();
        let late = (self.now() > deadline).then_some(NotDone::DeadlinePassed);
        let seen = match (self.unable_because().or(late), &self.phase) {
            (None, Phase::Awake(core)) => {
                catch_unwind(AssertUnwindSafe(|| look(core.state()))).map_err(|panic| {
                    let message = panic_message(panic.as_ref());
                    NotDone::Panicked {
                        place: "query",
                        message,
                    }
                })
            }
            (reason, _) => Err(reason.unwrap_or(NotDone::ShuttingDown)),
        };
        self.lane().counters.queries.add(1);
        self.park(call, Seen(seen.map_err(CommandError::NotDone)), charge);
    }
}
