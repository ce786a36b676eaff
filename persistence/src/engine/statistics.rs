//! What an engine says of itself.

/// RocksDB's own numbers, read from its properties when asked for: cheap, but each takes its mutex for a moment.
/// All 0 for a store in memory and for a closed one.
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
    /// Bytes of files that nothing needs any more and that are freed in a quiet time, at most about 1 GiB. Part of the
    /// store's size on disk.
    pub obsolete_bytes: u64,
    /// Bytes of all memtables, log and derived.
    pub memtable_bytes: u64,
    /// Bytes in the cache that both share, with the memtables accounted to it.
    pub cache_bytes: u64,
    /// Bytes that compaction of the derived families has still to rewrite.
    pub compaction_pending_bytes: u64,
    /// Compactions running, log and derived.
    pub compactions_running: u64,
    /// Sorted runs of the streams: what an activation has to look into, where filters do not spare it.
    pub stream_runs: u64,
    /// Whether RocksDB holds up writes at this moment, of either instance.
    pub is_write_stopped: bool,
}
