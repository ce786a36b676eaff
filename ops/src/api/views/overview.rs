//! The runtime and its store, at a glance.

use dormouse_persistence::{StoreSettings, StoreStatistics};
use dormouse_runtime::{RuntimeSettings, Statistics};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::views::{RuntimeSettingsView, StoreSettingsView, Times};
use crate::attached::Attached;
use crate::readiness::Readiness;

/// The runtime and its store, at a glance. Counts begin with the runtime.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Overview {
    pub(crate) readiness: Readiness,
    /// None while the store is being opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) runtime: Option<RuntimeView>,
    /// None while the store is being opened.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) store: Option<StoreView>,
}

/// What the runtime does and holds.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuntimeView {
    /// Commands whose events were handed to the journal.
    pub(crate) committed: u64,
    /// Events of those commands.
    pub(crate) events: u64,
    /// Commands that the domain refused.
    pub(crate) refused: u64,
    /// Commands answered *not done*.
    pub(crate) not_done: u64,
    /// Commands and queries that found a mailbox or the runtime full.
    pub(crate) overloaded: u64,
    /// Queries answered.
    pub(crate) queries: u64,
    /// Panics of domain code.
    pub(crate) panics: u64,
    /// Aggregates woken.
    pub(crate) activations: u64,
    /// Activations that failed.
    pub(crate) activations_failed: u64,
    /// Aggregates evicted because they were idle.
    pub(crate) passivated_idle: u64,
    /// Aggregates evicted because memory was short.
    pub(crate) passivated_memory: u64,
    /// Snapshots stored.
    pub(crate) snapshots_written: u64,
    /// Aggregates in memory now.
    pub(crate) residents: usize,
    /// Bytes that they are reckoned to take.
    pub(crate) resident_bytes: usize,
    /// What they may take.
    pub(crate) memory_budget_bytes: usize,
    /// Commands and queries in flight now.
    pub(crate) in_flight: usize,
    /// Turns of entities: decide, encode, apply, hand over. Sampled.
    pub(crate) handling: Times,
    /// From when a command was taken in hand until its commit was durable. The oldest of each batch.
    pub(crate) commit_wait: Times,
    /// Reading and folding an aggregate that had events.
    pub(crate) activation: Times,
    pub(crate) settings: RuntimeSettingsView,
}

/// What the store has done and how it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreView {
    /// Commits stored.
    pub(crate) commits: u64,
    /// Events stored.
    pub(crate) events: u64,
    /// Segments written, each with one sync.
    pub(crate) batches: u64,
    /// Bytes of all segments written.
    pub(crate) batch_bytes: u64,
    /// Commits in the largest batch.
    pub(crate) batch_commits_max: u64,
    /// Synced appends tried.
    pub(crate) syncs: u64,
    /// Time spent in them.
    pub(crate) sync_seconds: f64,
    /// Of each sync.
    pub(crate) sync: Times,
    /// Time the journal waited for the indexer; writers were held meanwhile.
    pub(crate) room_wait_seconds: f64,
    /// Commits settled as unknown.
    pub(crate) unknown_commits: u64,
    /// Commits submitted and not settled yet.
    pub(crate) queue_commits: u64,
    /// Bytes of the same.
    pub(crate) queue_bytes: u64,
    /// Memory taken by what is durable and not indexed yet.
    pub(crate) tail_bytes: u64,
    /// The last durable offset.
    pub(crate) durable: u64,
    /// The last indexed offset.
    pub(crate) indexed: u64,
    /// Streams open for writing.
    pub(crate) open_streams: u64,
    /// Bytes on disk, log and derived together.
    pub(crate) disk_bytes: u64,
    /// How often the store was reopened, and one.
    pub(crate) generation: u64,
    pub(crate) settings: StoreSettingsView,
}

impl Overview {
    /// Some I/O for the size on disk: not for every request of many.
    pub(crate) fn of(attached: &Attached) -> Self {
        let runtime = attached.runtime();
        let looked = runtime.map(|runtime| {
            let all = runtime.statistics();
            let store = StoreView::of(&all.store, &runtime.store().settings());
            (RuntimeView::of(&all, &runtime.settings()), store)
        });
        let (runtime, store) = looked.unzip();
        Self {
            readiness: Readiness::of(attached),
            runtime,
            store,
        }
    }
}

impl RuntimeView {
    fn of(all: &Statistics, settings: &RuntimeSettings) -> Self {
        Self {
            committed: all.committed,
            events: all.events,
            refused: all.refused,
            not_done: all.not_done,
            overloaded: all.overloaded,
            queries: all.queries,
            panics: all.panics,
            activations: all.activations,
            activations_failed: all.activations_failed,
            passivated_idle: all.passivated_idle,
            passivated_memory: all.passivated_memory,
            snapshots_written: all.snapshots_written,
            residents: all.residents,
            resident_bytes: all.resident_bytes,
            memory_budget_bytes: all.memory_budget_bytes,
            in_flight: all.in_flight,
            handling: Times::of(&all.handling),
            commit_wait: Times::of(&all.commit_wait),
            activation: Times::of(&all.activation),
            settings: RuntimeSettingsView::of(settings),
        }
    }
}

impl StoreView {
    fn of(all: &StoreStatistics, settings: &StoreSettings) -> Self {
        Self {
            commits: all.commits,
            events: all.events,
            batches: all.batches,
            batch_bytes: all.batch_bytes.sum(),
            batch_commits_max: all.batch_commits.max(),
            syncs: all.syncs,
            sync_seconds: all.sync_time.as_secs_f64(),
            sync: Times::of(&all.sync),
            room_wait_seconds: all.room_wait.as_secs_f64(),
            unknown_commits: all.unknown_commits,
            queue_commits: all.queue_commits,
            queue_bytes: all.queue_bytes,
            tail_bytes: all.tail_bytes,
            durable: all.durable.get(),
            indexed: all.indexed.get(),
            open_streams: all.open_streams,
            disk_bytes: all.disk_bytes,
            generation: all.generation,
            settings: StoreSettingsView::of(settings),
        }
    }
}
