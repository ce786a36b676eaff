//! What all entities of a runtime share.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dormouse_domain::Moment;
use dormouse_persistence::{Distribution, DistributionRecorder, Store};
use parking_lot::Mutex;

use crate::command_names::CommandNames;
use crate::lane::Lane;
use crate::nudge::Nudge;
use crate::options::Options;
use crate::readers::Readers;
use crate::readiness::Readiness;
use crate::residency::Gauges;
use crate::residents::Residents;
use crate::seldom::Seldom;
use crate::snapshots::SnapshotWriter;
use crate::statistics::{Counter, LaneCounters, RuntimeCounters, Statistics};
use crate::waiting::wait;

pub(crate) struct Shared {
    pub(crate) store: Store,
    pub(crate) options: Options,
    pub(crate) lanes: Vec<Lane>,
    /// For activations and look-ups.
    pub(crate) readers: Readers,
    /// For past states: whoever reads histories must not hold up who wants to write.
    pub(crate) history: Readers,
    pub(crate) snapshots: SnapshotWriter,
    pub(crate) residents: Residents,
    pub(crate) gauges: Arc<Gauges>,
    pub(crate) counters: Arc<RuntimeCounters>,
    pub(crate) command_names: CommandNames,
    pub(crate) nudge: Arc<Nudge>,
    pub(crate) evictions_told: Seldom,
    pub(crate) long_turns_told: Seldom,
    /// Takes no more commands: it drains, or shuts down.
    pub(crate) stopping: AtomicBool,
    pub(crate) shut_down: AtomicBool,
    pub(crate) started: Moment,
    /// Queries and events when they were last told to the metrics facade.
    pub(crate) recorded: Mutex<(u64, u64)>,
}

impl Shared {
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }

    /// Milliseconds of the monotonic clock, for coarse use times.
    pub(crate) fn now_ms(&self) -> u64 {
        self.ms(self.options.clock.monotonic())
    }

    /// A moment in milliseconds since the start.
    pub(crate) fn ms(&self, at: Moment) -> u64 {
        at.since(self.started).as_millis() as u64
    }

    /// Evicts until memory is within its budget.
    pub(crate) fn make_room(&self) {
        if self.residents.over_budget() {
            let evicted = self.residents.make_room() as u64;
            self.counters.passivated_memory.add(evicted);
            if let Some(evicted) = self.evictions_told.tell(evicted) {
                let bytes = self.residents.budget_bytes();
                tracing::info!(
                    evicted,
                    budget_bytes = bytes,
                    "aggregates were passivated for want of memory"
                );
            }
            metrics::counter!(crate::metric_names::PASSIVATIONS, "cause" => "memory").increment(evicted);
        }
    }

    /// Makes room for who is about to be read, and waits a moment for it where all residents are busy: readers must not get
    /// ahead of the arbiters, which let the aggregates in and answer. Then it is read in any case: what keeps the others
    /// busy may wait for a reader itself. Under a clock that stands still, the moment lasts. Blocking.
    pub(crate) fn wait_for_room(&self) {
        self.make_room();
        if !self.residents.over_budget() {
            return;
        }
        let clock = &self.options.clock;
        let until = clock.monotonic() + self.options.room_patience;
        while self.residents.over_budget() && !self.is_stopping() {
            let left = until.since(clock.monotonic());
            if left.is_zero() {
                return;
            }
            let _ = wait(self.gauges.ended(), left);
            self.make_room();
        }
    }

    /// Evicts what has been idle for long enough. Returns how many went.
    pub(crate) fn sweep_idle(&self) -> usize {
        let idle_ms = u64::try_from(self.options.passivate_after.as_millis()).unwrap_or(u64::MAX);
        let Some(before_ms) = self.now_ms().checked_sub(idle_ms) else {
            return 0;
        };
        let evicted = self.residents.sweep_idle(before_ms);
        self.counters.passivated_idle.add(evicted as u64);
        metrics::counter!(crate::metric_names::PASSIVATIONS, "cause" => "idle").increment(evicted as u64);
        evicted
    }

    pub(crate) fn count_passivated_by_operator(&self) {
        self.counters.passivated_operator.add(1);
        metrics::counter!(crate::metric_names::PASSIVATIONS, "cause" => "operator").increment(1);
    }

    /// Tells the metrics facade how the runtime stands.
    pub(crate) fn record_gauges(&self) {
        use crate::metric_names as names;
        let gauges = &self.gauges;
        for (name, value) in [
            (names::RESIDENTS, gauges.residents.load(Ordering::Relaxed)),
            (
                names::RESIDENT_BYTES,
                gauges.resident_bytes.load(Ordering::Relaxed),
            ),
            (names::MEMORY_BUDGET_BYTES, self.residents.budget_bytes()),
            (names::IN_FLIGHT, gauges.in_flight()),
            (names::IN_FLIGHT_LIMIT, self.options.in_flight_max),
            (names::ACTIVATIONS_WAITING, self.readers.waiting()),
            (names::READERS_BUSY, self.readers.busy()),
            (names::SNAPSHOTS_WAITING, self.snapshots.waiting()),
            (names::READY, usize::from(Readiness::of(self) == Readiness::Ready)),
        ] {
            metrics::gauge!(name).set(value as f64);
        }
        // counted for each command by the arbiters alone: the facade's counters cost more
        let mut recorded = self.recorded.lock();
        let now = (
            self.over_lanes(|lane| &lane.queries),
            self.over_lanes(|lane| &lane.events),
        );
        metrics::counter!(names::QUERIES).increment(now.0.saturating_sub(recorded.0));
        metrics::counter!(names::EVENTS).increment(now.1.saturating_sub(recorded.1));
        *recorded = now;
    }

    fn over_lanes(&self, pick: fn(&LaneCounters) -> &Counter) -> u64 {
        self.lanes.iter().map(|lane| pick(&lane.counters).get()).sum()
    }

    pub(crate) fn statistics(&self) -> Statistics {
        let over_lanes = |pick| self.over_lanes(pick);
        let together = |pick: fn(&LaneCounters) -> &DistributionRecorder| {
            let mut all = Distribution::default();
            self.lanes
                .iter()
                .for_each(|lane| all.merge(&pick(&lane.counters).get()));
            all
        };
        let (counters, gauges) = (&self.counters, &self.gauges);
        Statistics {
            committed: over_lanes(|lane| &lane.committed),
            events: over_lanes(|lane| &lane.events),
            replied: over_lanes(|lane| &lane.replied),
            replayed: over_lanes(|lane| &lane.replayed),
            refused: over_lanes(|lane| &lane.refused),
            not_done: over_lanes(|lane| &lane.not_done),
            queries: over_lanes(|lane| &lane.queries),
            panics: over_lanes(|lane| &lane.panics),
            long_turns: over_lanes(|lane| &lane.long_turns),
            id_look_ups: over_lanes(|lane| &lane.id_look_ups),
            id_look_ups_found: over_lanes(|lane| &lane.id_look_ups_found),
            handling: together(|lane| &lane.handling_nanos),
            commit_wait: together(|lane| &lane.commit_wait_nanos),
            overloaded: counters.overloaded.get(),
            activations: counters.activations.get(),
            activations_failed: counters.activations_failed.get(),
            activation_micros: counters.activation_micros.get(),
            activation: counters.activation_nanos.get(),
            events_replayed: counters.events_replayed.get(),
            passivated_idle: counters.passivated_idle.get(),
            passivated_memory: counters.passivated_memory.get(),
            passivated_operator: counters.passivated_operator.get(),
            snapshots_written: counters.snapshots_written.get(),
            snapshots_unreadable: counters.snapshots_unreadable.get(),
            snapshots_dropped: counters.snapshots_dropped.get(),
            snapshots_failed: counters.snapshots_failed.get(),
            residents: gauges.residents.load(Ordering::Relaxed),
            residents_peak: gauges.residents_peak.load(Ordering::Relaxed),
            resident_bytes: gauges.resident_bytes.load(Ordering::Relaxed),
            resident_bytes_peak: gauges.resident_bytes_peak.load(Ordering::Relaxed),
            memory_budget_bytes: self.residents.budget_bytes(),
            in_flight: gauges.in_flight(),
            store: self.store.statistics(),
        }
    }
}
