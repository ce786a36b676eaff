//! What a store counts of itself, to be read back cheaply: the metrics facade can't be.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dormouse_domain::Offset;

use crate::distribution::{Distribution, DistributionRecorder};
use crate::engine::EngineStatistics;

/// What a store has done since it was opened, and how it stands. Not one instant: each number is read by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreStatistics {
    /// Commits stored.
    pub commits: u64,
    /// Events stored.
    pub events: u64,
    /// Segments written, each with one sync.
    pub batches: u64,
    /// Bytes of a segment, over all that were written.
    pub batch_bytes: Distribution,
    /// Commits of a segment.
    pub batch_commits: Distribution,
    /// Synced appends tried, failed ones included.
    pub syncs: u64,
    /// Time spent in them.
    pub sync_time: Duration,
    /// Nanoseconds of one of them.
    pub sync: Distribution,
    /// Time the journal waited, its tail at the bound, for the indexer. Writers were held meanwhile.
    pub room_wait: Duration,
    /// Commits that were settled as unknown.
    pub unknown_commits: u64,
    /// Commits of stale writers.
    pub stale_commits: u64,
    /// Commits settled as not done because the store had stopped.
    pub stopped_commits: u64,
    /// Runs indexed.
    pub runs_indexed: u64,
    /// Commits submitted and not settled yet.
    pub queue_commits: u64,
    /// Bytes of the same.
    pub queue_bytes: u64,
    /// Memory taken by what is durable and not indexed yet.
    pub tail_bytes: u64,
    /// At how much of it the journal waits for the indexer.
    pub tail_bytes_max: u64,
    /// The last durable offset.
    pub durable: Offset,
    /// The last indexed offset.
    pub indexed: Offset,
    /// Streams open for writing.
    pub open_streams: u64,
    /// Bytes on disk, log and derived together.
    pub disk_bytes: u64,
    /// How often the store was reopened, and one.
    pub generation: u64,
    /// What the engine underneath says of itself.
    pub engine: EngineStatistics,
}

/// A number that only grows.
#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// For a count of nanoseconds.
    pub(crate) fn add_time(&self, time: Duration) {
        self.add(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Of a count of nanoseconds.
    pub(crate) fn time(&self) -> Duration {
        Duration::from_nanos(self.get())
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the threads of a store count, over all its sessions.
#[derive(Default)]
pub(crate) struct Counters {
    pub(crate) commits: Count,
    pub(crate) events: Count,
    pub(crate) batch_bytes: DistributionRecorder,
    pub(crate) batch_commits: DistributionRecorder,
    pub(crate) sync_nanos: DistributionRecorder,
    pub(crate) room_wait_nanos: Count,
    pub(crate) unknown_commits: Count,
    pub(crate) stale_commits: Count,
    pub(crate) stopped_commits: Count,
    pub(crate) runs_indexed: Count,
}
