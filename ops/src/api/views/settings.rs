//! What runtime and store run with.

use dormouse_persistence::StoreSettings;
use dormouse_runtime::RuntimeSettings;
use serde::Serialize;
use utoipa::ToSchema;

/// What the runtime runs with: what its builder was told, or the defaults.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RuntimeSettingsView {
    /// Threads that aggregates run on. Default: one a core.
    pub(crate) arbiters: usize,
    /// Threads that read the store. Default: four a core, at most 64.
    pub(crate) readers: usize,
    /// Commands and queries in flight to one aggregate. Default: 4096.
    pub(crate) mailbox: usize,
    /// Commands and queries in flight in all. Default: 65536.
    pub(crate) in_flight_max: usize,
    /// What resident aggregates may take. Default: 512 MiB.
    pub(crate) memory_budget_bytes: usize,
    /// An aggregate that was idle for so long is passivated. Default: 120.
    pub(crate) passivate_after_seconds: f64,
    /// Events between two snapshots; 0 for none. Default: 100.
    pub(crate) snapshot_every_events: u32,
    /// Command ids that an aggregate keeps in memory. Default: 256.
    pub(crate) recent_ids: usize,
    /// How long a command may wait to be handled. Default: 30.
    pub(crate) default_deadline_seconds: f64,
    /// How long a shutdown waits for what is in flight. Default: 30.
    pub(crate) shutdown_limit_seconds: f64,
}

/// What the store runs with: its options as they are in force.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StoreSettingsView {
    /// Where it is. Absent: it is in memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) directory: Option<String>,
    /// The shard whose log it keeps.
    pub(crate) shard: u16,
    /// A batch is closed once it holds so many bytes. Default: 1 MiB.
    pub(crate) batch_bytes_max: usize,
    /// A batch is closed once it holds so many commits. Default: 4096.
    pub(crate) batch_commits_max: usize,
    /// How much of the tail is indexed as one run. Default: 64 MiB.
    pub(crate) generation_bytes: usize,
    /// What the tail may hold before writers wait for the indexer. Default: 256 MiB.
    pub(crate) tail_bytes_max: usize,
    /// What may wait for the journal before aggregates wait. Default: 16 MiB.
    pub(crate) queue_bytes_max: usize,
    /// The same in commits. Default: 65536.
    pub(crate) queue_commits_max: usize,
    /// RocksDB's block cache. Default: 128 MiB.
    pub(crate) cache_bytes: usize,
    /// How often the watermark is synced. Default: 0.1.
    pub(crate) watermark_every_seconds: f64,
}

impl RuntimeSettingsView {
    pub(crate) fn of(settings: &RuntimeSettings) -> Self {
        Self {
            arbiters: settings.arbiters,
            readers: settings.readers,
            mailbox: settings.mailbox,
            in_flight_max: settings.in_flight_max,
            memory_budget_bytes: settings.memory_budget_bytes,
            passivate_after_seconds: settings.passivate_after.as_secs_f64(),
            snapshot_every_events: settings.snapshot_every,
            recent_ids: settings.recent_ids,
            default_deadline_seconds: settings.default_deadline.as_secs_f64(),
            shutdown_limit_seconds: settings.shutdown_limit.as_secs_f64(),
        }
    }
}

impl StoreSettingsView {
    pub(crate) fn of(settings: &StoreSettings) -> Self {
        let directory = settings.directory.as_deref();
        Self {
            directory: directory.map(|path| path.display().to_string()),
            shard: settings.shard.get(),
            batch_bytes_max: settings.batch_bytes_max,
            batch_commits_max: settings.batch_commits_max,
            generation_bytes: settings.generation_bytes,
            tail_bytes_max: settings.tail_bytes_max,
            queue_bytes_max: settings.queue_bytes_max,
            queue_commits_max: settings.queue_commits_max,
            cache_bytes: settings.cache_bytes,
            watermark_every_seconds: settings.watermark_every_ms as f64 / 1_000.0,
        }
    }
}
