//! The runtime's own counts, cheap enough to be always on, for a console to read.

use std::sync::atomic::{AtomicU64, Ordering};

use dormouse_persistence::{Distribution, DistributionRecorder, StoreStatistics};

/// A count that only grows.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What one arbiter counts. Only its own thread writes it, so no cache line is fought over.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct LaneCounters {
    pub(crate) committed: Counter,
    pub(crate) events: Counter,
    pub(crate) replied: Counter,
    pub(crate) replayed: Counter,
    pub(crate) refused: Counter,
    pub(crate) not_done: Counter,
    pub(crate) queries: Counter,
    pub(crate) panics: Counter,
    pub(crate) long_turns: Counter,
    pub(crate) id_look_ups: Counter,
    pub(crate) id_look_ups_found: Counter,
    pub(crate) handling_nanos: DistributionRecorder,
    pub(crate) commit_wait_nanos: DistributionRecorder,
}

/// What the rest of the runtime counts.
#[derive(Debug, Default)]
pub(crate) struct RuntimeCounters {
    pub(crate) overloaded: Counter,
    pub(crate) activations: Counter,
    pub(crate) activations_failed: Counter,
    pub(crate) activation_micros: Counter,
    pub(crate) activation_nanos: DistributionRecorder,
    pub(crate) events_replayed: Counter,
    pub(crate) passivated_idle: Counter,
    pub(crate) passivated_memory: Counter,
    pub(crate) passivated_operator: Counter,
    pub(crate) snapshots_written: Counter,
    pub(crate) snapshots_unreadable: Counter,
    pub(crate) snapshots_dropped: Counter,
    pub(crate) snapshots_failed: Counter,
}

/// Counts since the runtime started, and what is so now. Read at once but not atomically: sums may be off by what
/// happens meanwhile.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Statistics {
    /// Commands whose events were handed to the journal.
    pub committed: u64,
    /// Events of those commands.
    pub events: u64,
    /// Commands that were answered without any event.
    pub replied: u64,
    /// Commands that were answered with the first reply to their id.
    pub replayed: u64,
    /// Commands that the domain refused.
    pub refused: u64,
    /// Commands that an entity answered *not done*.
    pub not_done: u64,
    /// Commands and queries that found a mailbox or the runtime full.
    pub overloaded: u64,
    /// Queries answered.
    pub queries: u64,
    /// Panics of domain code.
    pub panics: u64,
    /// Turns that held an arbiter for more than 10 ms.
    pub long_turns: u64,
    /// Command ids for which the store had to be asked.
    pub id_look_ups: u64,
    /// Those of them that the store knew: retries from long ago, or ids used twice.
    pub id_look_ups_found: u64,
    /// Nanoseconds of an entity's turn: decide, encode, apply, hand over. At most one in 100 µs on each arbiter.
    pub handling: Distribution,
    /// Nanoseconds from when a command was taken in hand until its commit was durable. One of each batch that an arbiter
    /// is told of, its oldest.
    pub commit_wait: Distribution,
    /// Aggregates woken.
    pub activations: u64,
    /// Activations that failed.
    pub activations_failed: u64,
    /// Time spent reading and folding streams, in microseconds, over all activations.
    pub activation_micros: u64,
    /// Nanoseconds of reading and folding one aggregate that had events.
    pub activation: Distribution,
    /// Events folded by activations.
    pub events_replayed: u64,
    /// Aggregates evicted because they were idle.
    pub passivated_idle: u64,
    /// Aggregates evicted because memory was short.
    pub passivated_memory: u64,
    /// Aggregates evicted because an operator asked for it.
    pub passivated_operator: u64,
    /// Snapshots stored.
    pub snapshots_written: u64,
    /// Snapshots that could not be used at an activation.
    pub snapshots_unreadable: u64,
    /// Snapshots that were given up because too many waited to be written.
    pub snapshots_dropped: u64,
    /// Snapshots that could not be stored.
    pub snapshots_failed: u64,
    /// Aggregates in memory now.
    pub residents: usize,
    /// The most there were.
    pub residents_peak: usize,
    /// Bytes that they are reckoned to take.
    pub resident_bytes: usize,
    /// The most they took.
    pub resident_bytes_peak: usize,
    /// What they may take.
    pub memory_budget_bytes: usize,
    /// Commands and queries in flight now.
    pub in_flight: usize,
    /// The store's.
    pub store: StoreStatistics,
}
