//! What can be chosen about a store, with its bounds.

use std::fmt;
use std::sync::Arc;

use dormouse_domain::limits::COMMIT_BYTES_MAX;
use dormouse_domain::{Clock, Offset, ShardId};

use crate::format::segment::RECORDS_BYTES_MAX;

/// A batch is closed once it holds this many bytes of commits.
const BATCH_BYTES_MAX: usize = 1024 * 1024;
/// No batch can be asked to hold more: what a segment on disk may unpack to is bounded by it.
const BATCH_BYTES_LIMIT: usize = 16 * 1024 * 1024;
/// A batch is closed once it holds this many commits.
const BATCH_COMMITS_MAX: usize = 4_096;
/// The part of the tail that is indexed as one run. Measured at 8, 32 and 64 MiB: `docs/decisions/0005`.
const GENERATION_BYTES: usize = 64 * 1024 * 1024;
/// What the tail may hold before the journal stops taking: one generation that fills while others wait.
const TAIL_BYTES_MAX: usize = 256 * 1024 * 1024;
/// What may wait in the journal's queue before [`Store::has_space`](crate::Store::has_space) says no.
const QUEUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The same, in commits.
const QUEUE_COMMITS_MAX: usize = 65_536;

const _: () = assert!(TAIL_BYTES_MAX >= 2 * (GENERATION_BYTES + BATCH_BYTES_MAX + COMMIT_BYTES_MAX));
const _: () = assert!(RECORDS_BYTES_MAX >= BATCH_BYTES_LIMIT + 2 * COMMIT_BYTES_MAX);
const _: () = assert!(QUEUE_BYTES_MAX >= 2 * COMMIT_BYTES_MAX);

/// How a store is opened. `StoreOptions::default()` suits a service with a few GiB of memory.
#[derive(Clone)]
pub struct StoreOptions {
    pub(crate) shard: ShardId,
    pub(crate) clock: Clock,
    pub(crate) batch_bytes_max: usize,
    pub(crate) batch_commits_max: usize,
    pub(crate) generation_bytes: usize,
    pub(crate) tail_bytes_max: usize,
    pub(crate) queue_bytes_max: usize,
    pub(crate) queue_commits_max: usize,
    pub(crate) cache_bytes: usize,
    pub(crate) watermark_every_ms: u64,
    pub(crate) create_if_missing: bool,
    pub(crate) progress: Option<Progress>,
}

/// Called while a store opens.
pub(crate) type Progress = Arc<dyn Fn(OpenProgress) + Send + Sync>;

/// How far opening a store has come; see [`StoreOptions::progress`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenProgress {
    /// The offset reading began at.
    pub from: Offset,
    /// The last offset read so far.
    pub at: Offset,
    /// The log's last offset.
    pub end: Offset,
}

impl Default for StoreOptions {
    fn default() -> StoreOptions {
        StoreOptions {
            shard: ShardId::new(0),
            clock: Clock::system(),
            batch_bytes_max: BATCH_BYTES_MAX,
            batch_commits_max: BATCH_COMMITS_MAX,
            generation_bytes: GENERATION_BYTES,
            tail_bytes_max: TAIL_BYTES_MAX,
            queue_bytes_max: QUEUE_BYTES_MAX,
            queue_commits_max: QUEUE_COMMITS_MAX,
            cache_bytes: 128 * 1024 * 1024,
            watermark_every_ms: 100,
            create_if_missing: true,
            progress: None,
        }
    }
}

impl StoreOptions {
    /// The shard whose log this store keeps. Default 0; one shard a store today.
    #[must_use]
    pub fn shard(mut self, shard: ShardId) -> StoreOptions {
        self.shard = shard;
        self
    }

    /// Where segment times come from. Default: the system's clock.
    #[must_use]
    pub fn clock(mut self, clock: Clock) -> StoreOptions {
        self.clock = clock;
        self
    }

    /// A batch is closed, and the next one begun, once it holds this many bytes (default 1 MiB, at most 16 MiB).
    #[must_use]
    pub fn batch_bytes_max(mut self, bytes: usize) -> StoreOptions {
        self.batch_bytes_max = bytes.clamp(1, BATCH_BYTES_LIMIT);
        self
    }

    /// A batch is closed once it holds this many commits (default 4,096).
    #[must_use]
    pub fn batch_commits_max(mut self, commits: usize) -> StoreOptions {
        self.batch_commits_max = commits.max(1);
        self
    }

    /// How many bytes of the tail are indexed as one run (default 64 MiB). Larger runs cost less compaction,
    /// smaller ones less memory.
    #[must_use]
    pub fn generation_bytes(mut self, bytes: usize) -> StoreOptions {
        self.generation_bytes = bytes.max(1);
        self
    }

    /// How many bytes the tail may hold before the journal waits for the indexer (default 256 MiB). It bounds
    /// memory and what is read on opening. Raised to two generations where it is less.
    #[must_use]
    pub fn tail_bytes_max(mut self, bytes: usize) -> StoreOptions {
        self.tail_bytes_max = bytes;
        self
    }

    /// How many bytes may wait for the journal before [`Store::has_space`](crate::Store::has_space) says no
    /// (default 16 MiB).
    #[must_use]
    pub fn queue_bytes_max(mut self, bytes: usize) -> StoreOptions {
        self.queue_bytes_max = bytes.max(1);
        self
    }

    /// The same, in commits (default 65,536).
    #[must_use]
    pub fn queue_commits_max(mut self, commits: usize) -> StoreOptions {
        self.queue_commits_max = commits.max(1);
        self
    }

    /// Memory for RocksDB's block cache, log and derived together (default 128 MiB). 256 MiB for memtables come on
    /// top; what these leave of them, blocks may use. The memory store has none.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: usize) -> StoreOptions {
        self.cache_bytes = bytes;
        self
    }

    /// How often the watermark is synced while events are written (default 100 ms): the window in which a log
    /// that lost its end would not be noticed. The memory store has none.
    #[must_use]
    pub fn watermark_every_ms(mut self, ms: u64) -> StoreOptions {
        self.watermark_every_ms = ms.max(1);
        self
    }

    /// Whether a directory that is empty, or not there, becomes a new store (default true). With `false` it is
    /// [`StoreError::NotAStore`](crate::StoreError::NotAStore): a service whose volume is not mounted, or whose path is
    /// mistyped, does not begin anew with nothing. The memory store makes no use of it.
    #[must_use]
    pub fn create_if_missing(mut self, create: bool) -> StoreOptions {
        self.create_if_missing = create;
        self
    }

    /// Called now and then while a store opens and reads its log: a rebuild of a large store takes minutes.
    #[must_use]
    pub fn progress(mut self, progress: impl Fn(OpenProgress) + Send + Sync + 'static) -> StoreOptions {
        self.progress = Some(Arc::new(progress));
        self
    }

    /// The tail's bound in force: two generations always fit, or the journal could wait for ever.
    pub(crate) fn tail_bound(&self) -> usize {
        self.tail_bytes_max.max(2 * self.generation_bytes)
    }
}

impl fmt::Debug for StoreOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreOptions")
            .field("shard", &self.shard)
            .field("batch_bytes_max", &self.batch_bytes_max)
            .field("batch_commits_max", &self.batch_commits_max)
            .field("generation_bytes", &self.generation_bytes)
            .field("tail_bytes_max", &self.tail_bytes_max)
            .field("queue_bytes_max", &self.queue_bytes_max)
            .field("queue_commits_max", &self.queue_commits_max)
            .field("cache_bytes", &self.cache_bytes)
            .field("watermark_every_ms", &self.watermark_every_ms)
            .finish_non_exhaustive()
    }
}
