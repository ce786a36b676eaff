//! Starting a runtime.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use dormouse_domain::{Aggregate, AggregateType, Clock, state_fingerprint};
use dormouse_persistence::{Health, Store};

use crate::command_names::CommandNames;
use crate::directory::Directory;
use crate::dormouse::{Dormouse, Inner};
use crate::error::StartError;
use crate::lane::Lane;
use crate::metric_names;
use crate::nudge::Nudge;
use crate::options::Options;
use crate::propagation::{Propagation, TracePropagation};
use crate::readers::Readers;
use crate::registered::Registered;
use crate::residency::Gauges;
use crate::residents::Residents;
use crate::seldom::Seldom;
use crate::shared::Shared;
use crate::snapshots::SnapshotWriter;
use crate::statistics::RuntimeCounters;
use crate::sweeper::Sweeper;
use crate::system::OwnSystem;

type Register = Box<dyn FnOnce(&Arc<Shared>, &mut Registered) + Send>;

/// A runtime about to be started: made by [`Dormouse::builder`].
#[must_use = "a runtime starts with `start()`"]
pub struct Builder {
    store: Store,
    options: Options,
    aggregates: Vec<(&'static str, Register)>,
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Builder")
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}

impl Builder {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            options: Options::default(),
            aggregates: Vec::new(),
        }
    }

    /// Registers an aggregate. Every one that is used must be.
    pub fn aggregate<A: Aggregate>(mut self) -> Self {
        let register: Register = Box::new(|shared, registered| {
            let aggregate_type = AggregateType::from_static(A::TYPE);
            let directory = Directory::<A>::new(Arc::clone(shared), aggregate_type, state_fingerprint::<A>());
            registered.add(directory);
        });
        self.aggregates.push((A::TYPE, register));
        self
    }

    /// Threads that entities run on. Default: one a core.
    pub fn arbiters(mut self, threads: usize) -> Self {
        self.options.arbiters = threads.max(1);
        self
    }

    /// Threads that read the store, and so the activations at once. Default: four a core, at most 64.
    pub fn readers(mut self, threads: usize) -> Self {
        self.options.readers = threads.max(1);
        self
    }

    /// Commands in flight to one aggregate before it answers *overloaded*. Default: 4,096.
    pub fn mailbox(mut self, commands: usize) -> Self {
        self.options.mailbox_commands = commands.max(1);
        self
    }

    /// Commands and queries in flight in the runtime before it answers *overloaded*. Default: 65,536.
    pub fn in_flight_max(mut self, commands: usize) -> Self {
        self.options.in_flight_max = commands.max(1);
        self
    }

    /// Memory for resident aggregates. Default: 512 MiB. Past it the least valuable are passivated; the store's memory
    /// comes on top.
    pub fn memory_budget_bytes(mut self, bytes: usize) -> Self {
        self.options.memory_budget_bytes = bytes;
        self
    }

    /// How long an aggregate may be idle before it is passivated. Default: 2 minutes.
    pub fn passivate_after(mut self, idle: Duration) -> Self {
        self.options.passivate_after = idle;
        self
    }

    /// Events between two snapshots of one aggregate; 0 for none. Default: 100.
    pub fn snapshot_every(mut self, events: u32) -> Self {
        self.options.snapshot_every_events = events;
        self
    }

    /// Command ids that an aggregate keeps in memory. Default: 256. More of them cost memory, fewer cost look-ups when
    /// ids arrive out of order.
    pub fn recent_ids(mut self, ids: usize) -> Self {
        self.options.recent_ids = ids.max(1);
        self
    }

    /// How long a command may wait to be handled when it says nothing itself. Default: 30 seconds.
    pub fn default_deadline(mut self, limit: Duration) -> Self {
        self.options.default_deadline = limit;
        self
    }

    /// How long a shutdown waits for queued commands. Default: 30 seconds.
    pub fn shutdown_limit(mut self, limit: Duration) -> Self {
        self.options.shutdown_limit = limit;
        self
    }

    /// Where time comes from: a held clock in tests.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.options.clock = clock;
        self
    }

    /// How the trace that a command is sent in gets into its events, and its spans into the trace. Default: not at all, but
    /// for what [`Execute::trace`](crate::Execute::trace) is given.
    ///
    /// With it, commands whose trace is not sampled have one span at most, so that they cost little more than without any.
    pub fn traces(mut self, propagation: impl TracePropagation + 'static) -> Self {
        self.options.propagation = Some(Propagation(Arc::new(propagation)));
        self
    }

    /// Starts the runtime on threads of its own. Works inside a plain tokio program as well as inside actix-web; no
    /// actix System need be there. A metrics recorder must be installed before.
    ///
    /// # Errors
    /// [`StartError`]: a type is registered twice or has an invalid name, or a thread could not be started.
    #[expect(
        clippy::unused_async,
        reason = "a cluster's start will wait, and its callers should not change"
    )]
    pub async fn start(self) -> Result<Dormouse, StartError> {
        self.check()?;
        let counters = Arc::<RuntimeCounters>::default();
        let (system, lanes) = OwnSystem::start(self.options.arbiters, &self.store)?;
        let crew = Crew {
            lanes,
            readers: Readers::start("reader", self.options.readers)?,
            history: Readers::start("history", 1)?,
            snapshots: SnapshotWriter::start(self.store.clone(), Arc::clone(&counters))?,
            counters,
        };
        let (shared, registered) = self.assemble(crew);
        let sweeper = Sweeper::start(&shared)?;
        Ok(Dormouse::new(Inner::new(
            shared,
            registered,
            Some(system),
            Some(sweeper),
        )))
    }

    /// Starts the runtime without any thread: its [`Simulation`](crate::simulation::Simulation) is run a step at a time.
    ///
    /// # Errors
    /// As [`start`](Self::start).
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn simulate(
        mut self,
        steps: dormouse_persistence::Steps,
    ) -> Result<crate::simulation::Simulation, StartError> {
        self.check()?;
        // nobody else runs while one waits
        (self.options.room_patience, self.options.held_retry) = (Duration::ZERO, Duration::ZERO);
        let counters = Arc::<RuntimeCounters>::default();
        let (lane, deliver, let_in) = Lane::new(&self.store);
        let arbiter = crate::simulation::Arbiter::new([Box::pin(deliver), Box::pin(let_in)]);
        let readers = self.options.readers;
        let crew = Crew {
            lanes: vec![lane],
            readers: Readers::by_hand(),
            history: Readers::by_hand(),
            snapshots: SnapshotWriter::by_hand(self.store.clone(), Arc::clone(&counters)),
            counters,
        };
        let (shared, registered) = self.assemble(crew);
        let runtime = Dormouse::new(Inner::new(shared, registered, None, None));
        Ok(crate::simulation::Simulation::new(
            runtime, arbiter, steps, readers,
        ))
    }

    fn check(&self) -> Result<(), StartError> {
        check_types(&self.aggregates)?;
        if let Health::Stopped { reason } = self.store.health() {
            return Err(StartError::Stopped { reason });
        }
        metric_names::describe();
        Ok(())
    }

    fn assemble(self, crew: Crew) -> (Arc<Shared>, Registered) {
        let Self {
            store,
            options,
            aggregates,
        } = self;
        let gauges = Arc::<Gauges>::default();
        let shared = Arc::new(Shared {
            readers: crew.readers,
            history: crew.history,
            snapshots: crew.snapshots,
            residents: Residents::new(Arc::clone(&gauges), options.memory_budget_bytes),
            nudge: Arc::<Nudge>::default(),
            stopping: AtomicBool::new(false),
            recorded: Default::default(),
            shut_down: AtomicBool::new(false),
            started: options.clock.monotonic(),
            store,
            options,
            lanes: crew.lanes,
            gauges,
            counters: crew.counters,
            command_names: CommandNames::default(),
            evictions_told: Seldom::default(),
            long_turns_told: Seldom::default(),
        });
        let mut registered = Registered::default();
        for (_, register) in aggregates {
            register(&shared, &mut registered);
        }
        (shared, registered)
    }
}

/// Those who work for a runtime.
struct Crew {
    lanes: Vec<Lane>,
    readers: Readers,
    history: Readers,
    snapshots: SnapshotWriter,
    counters: Arc<RuntimeCounters>,
}

fn check_types(aggregates: &[(&'static str, Register)]) -> Result<(), StartError> {
    for (n, (aggregate_type, _)) in aggregates.iter().enumerate() {
        AggregateType::new(*aggregate_type).map_err(StartError::InvalidType)?;
        if aggregates[..n]
            .iter()
            .any(|(earlier, _)| earlier == aggregate_type)
        {
            return Err(StartError::DuplicateType { aggregate_type });
        }
    }
    Ok(())
}
