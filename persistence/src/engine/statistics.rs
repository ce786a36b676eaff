//! What an engine says of itself.

use std::time::Duration;

/// RocksDB's own numbers, read when asked for: cheap, but each takes its mutex for a moment, and some look at the
/// directory. All 0 for a store in memory and for a closed one.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct EngineStatistics {
    /// Bytes of the log's write-ahead files: what opening would replay.
    pub log_wal_bytes: u64,
    /// Bytes of the log's tables.
    pub log_table_bytes: u64,
    /// Tables of the log that were not moved to their final level yet. Grows only where moving fails.
    pub log_level0_tables: u64,
    /// Bytes of the derived families' tables.
    pub derived_table_bytes: u64,
    /// Each family's tables: `log` first, then the derived ones.
    pub families: Vec<FamilyStatistics>,
    /// Bytes of files that nothing needs any more and that are freed in a quiet time, at most about 1 GiB. Part of the
    /// store's size on disk.
    pub obsolete_bytes: u64,
    /// Bytes that the file system has left for this process's user; 0 if it does not say.
    pub disk_free_bytes: u64,
    /// Bytes of all memtables, log and derived.
    pub memtable_bytes: u64,
    /// Bytes in the cache that both share, with the memtables accounted to it.
    pub cache_bytes: u64,
    /// Bytes of it that can't be dropped now: in use, or memtables.
    pub cache_pinned_bytes: u64,
    /// Bytes that open tables take beside the cache.
    pub table_reader_bytes: u64,
    /// Blocks that reading found in the cache, since opening.
    pub cache_hits: u64,
    /// Blocks that it did not, and took from a file: from the disk, or from the kernel's page cache.
    pub cache_misses: u64,
    /// Bytes that compaction of the derived families has still to rewrite.
    pub compaction_pending_bytes: u64,
    /// Compactions running, log and derived.
    pub compactions_running: u64,
    /// Sorted runs of the streams: what an activation has to look into, where filters do not spare it.
    pub stream_runs: u64,
    /// Whether RocksDB holds up writes at this moment, of either instance.
    pub is_write_stopped: bool,
    /// How long it held them up since opening, in all.
    pub stall: Duration,
}

/// The tables of one of RocksDB's column families.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct FamilyStatistics {
    /// `log`, `streams`, `commands`, `snapshots` or `meta`.
    pub name: &'static str,
    /// Bytes of all its tables.
    pub table_bytes: u64,
    /// Tables and bytes of each level, from 0; bytes to the MiB.
    pub levels: Vec<LevelStatistics>,
}

/// One level of a family.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct LevelStatistics {
    /// Tables in it.
    pub tables: u64,
    /// Their size, to the MiB.
    pub bytes: u64,
}
