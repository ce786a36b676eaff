//! Every metric of this crate: name, unit, meaning. Recorded through the `metrics` facade once per batch or run,
//! never per commit; what RocksDB and the file system say only when asked for, by
//! [`Store::record_gauges`](crate::Store::record_gauges).

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Histogram, commits: how many commits one segment holds.
pub const JOURNAL_BATCH_COMMITS: &str = "dormouse_journal_batch_commits";
/// Histogram, bytes: how large one segment is.
pub const JOURNAL_BATCH_BYTES: &str = "dormouse_journal_batch_bytes";
/// Histogram, seconds: how long one synced append to the log takes.
pub const JOURNAL_SYNC_SECONDS: &str = "dormouse_journal_sync_seconds";
/// Histogram, seconds: how long the journal waited for room in the tail, each time that it had to. A histogram since
/// counters are whole numbers; its sum is the time in all.
pub const JOURNAL_ROOM_WAIT_SECONDS: &str = "dormouse_journal_room_wait_seconds";
/// Gauge, commits: submitted and not settled yet.
pub const JOURNAL_QUEUE_COMMITS: &str = "dormouse_journal_queue_commits";
/// Gauge, bytes: of the same.
pub const JOURNAL_QUEUE_BYTES: &str = "dormouse_journal_queue_bytes";
/// Counter, commits: settled as unknown because their write failed.
pub const JOURNAL_UNKNOWN_COMMITS: &str = "dormouse_journal_unknown_commits_total";
/// Counter, commits: settled as not done because their writer was stale.
pub const JOURNAL_STALE_COMMITS: &str = "dormouse_journal_stale_commits_total";
/// Counter, commits: settled as not done because the store had stopped.
pub const JOURNAL_STOPPED_COMMITS: &str = "dormouse_journal_stopped_commits_total";
/// Gauge, bytes: memory taken by what is durable and not indexed yet.
pub const TAIL_BYTES: &str = "dormouse_tail_bytes";
/// Gauge, bytes: at how much of it the journal waits for the indexer.
pub const TAIL_LIMIT_BYTES: &str = "dormouse_tail_limit_bytes";
/// Gauge, events: durable and not indexed yet.
pub const INDEX_LAG_EVENTS: &str = "dormouse_index_lag_events";
/// Histogram, seconds: how long one run takes to build and store.
pub const INDEX_RUN_SECONDS: &str = "dormouse_index_run_seconds";
/// Gauge, 1 or 0: whether the store has stopped writing.
pub const STORE_STOPPED: &str = "dormouse_store_stopped";
/// Gauge, streams: open for writing.
pub const OPEN_STREAMS: &str = "dormouse_open_streams";
/// Gauge, bytes: what the store takes on disk.
pub const DISK_BYTES: &str = "dormouse_disk_bytes";
/// Gauge, bytes: what its file system has left.
pub const DISK_FREE_BYTES: &str = "dormouse_disk_free_bytes";

/// Gauge, bytes: the log's write-ahead files.
pub const ROCKSDB_WAL_BYTES: &str = "dormouse_rocksdb_wal_bytes";
/// Gauge, bytes, by `family`: tables.
pub const ROCKSDB_TABLE_BYTES: &str = "dormouse_rocksdb_table_bytes";
/// Gauge, bytes, by `family` and `level`: tables, to the MiB.
pub const ROCKSDB_LEVEL_BYTES: &str = "dormouse_rocksdb_level_bytes";
/// Gauge, tables, by `family` and `level`.
pub const ROCKSDB_LEVEL_TABLES: &str = "dormouse_rocksdb_level_tables";
/// Gauge, runs: sorted runs of the streams.
pub const ROCKSDB_STREAM_RUNS: &str = "dormouse_rocksdb_stream_runs";
/// Gauge, bytes: files that nothing needs and that are freed slowly.
pub const ROCKSDB_OBSOLETE_BYTES: &str = "dormouse_rocksdb_obsolete_bytes";
/// Gauge, bytes, by `part`: memory.
pub const ROCKSDB_MEMORY_BYTES: &str = "dormouse_rocksdb_memory_bytes";
/// Counter, blocks: found in the cache.
pub const ROCKSDB_CACHE_HITS: &str = "dormouse_rocksdb_cache_hits_total";
/// Counter, blocks: not found in it.
pub const ROCKSDB_CACHE_MISSES: &str = "dormouse_rocksdb_cache_misses_total";
/// Gauge, bytes: to be rewritten by compactions.
pub const ROCKSDB_COMPACTION_PENDING_BYTES: &str = "dormouse_rocksdb_compaction_pending_bytes";
/// Gauge, compactions: running.
pub const ROCKSDB_COMPACTIONS_RUNNING: &str = "dormouse_rocksdb_compactions_running";
/// Gauge, 1 or 0: whether RocksDB holds up writes.
pub const ROCKSDB_WRITES_STOPPED: &str = "dormouse_rocksdb_writes_stopped";
/// Counter, seconds: how long it held them up since opening. To the facade a gauge, since its counters are whole numbers.
pub const ROCKSDB_STALL_SECONDS: &str = "dormouse_rocksdb_stall_seconds_total";

/// Tells the installed recorder units and meanings, and makes what counts rare events begin at 0, so that the first one
/// shows as a step. Called when a store opens.
pub(crate) fn describe() {
    describe_journal();
    describe_store();
    describe_engine();
    for rare in [
        JOURNAL_UNKNOWN_COMMITS,
        JOURNAL_STALE_COMMITS,
        JOURNAL_STOPPED_COMMITS,
    ] {
        metrics::counter!(rare).increment(0);
    }
}

fn describe_journal() {
    describe_histogram!(JOURNAL_BATCH_COMMITS, Unit::Count, "Commits in one segment");
    describe_histogram!(JOURNAL_BATCH_BYTES, Unit::Bytes, "Size of one segment");
    let meaning = "Time of one synced append to the log";
    describe_histogram!(JOURNAL_SYNC_SECONDS, Unit::Seconds, meaning);
    let meaning = "Time the journal waited for room in the tail";
    describe_histogram!(JOURNAL_ROOM_WAIT_SECONDS, Unit::Seconds, meaning);
    let meaning = "Commits submitted and not settled yet";
    describe_gauge!(JOURNAL_QUEUE_COMMITS, Unit::Count, meaning);
    let meaning = "Bytes of commits submitted and not settled yet";
    describe_gauge!(JOURNAL_QUEUE_BYTES, Unit::Bytes, meaning);
    describe_counter!(JOURNAL_UNKNOWN_COMMITS, Unit::Count, "Commits whose write failed");
    describe_counter!(JOURNAL_STALE_COMMITS, Unit::Count, "Commits of stale writers");
    let meaning = "Commits not done because the store had stopped";
    describe_counter!(JOURNAL_STOPPED_COMMITS, Unit::Count, meaning);
}

fn describe_store() {
    let meaning = "Memory taken by what is durable and not indexed yet";
    describe_gauge!(TAIL_BYTES, Unit::Bytes, meaning);
    let meaning = "Bound of the tail, where the journal waits for the indexer";
    describe_gauge!(TAIL_LIMIT_BYTES, Unit::Bytes, meaning);
    let meaning = "Events durable and not indexed yet";
    describe_gauge!(INDEX_LAG_EVENTS, Unit::Count, meaning);
    let meaning = "Time to build and store one run";
    describe_histogram!(INDEX_RUN_SECONDS, Unit::Seconds, meaning);
    describe_gauge!(STORE_STOPPED, Unit::Count, "1 when the store has stopped writing");
    describe_gauge!(OPEN_STREAMS, Unit::Count, "Streams open for writing");
    describe_gauge!(DISK_BYTES, Unit::Bytes, "What the store takes on disk");
    describe_gauge!(DISK_FREE_BYTES, Unit::Bytes, "What its file system has left");
}

fn describe_engine() {
    describe_gauge!(ROCKSDB_WAL_BYTES, Unit::Bytes, "The log's write-ahead files");
    describe_gauge!(ROCKSDB_TABLE_BYTES, Unit::Bytes, "Tables, by family");
    let meaning = "Tables, by family and level, to the MiB";
    describe_gauge!(ROCKSDB_LEVEL_BYTES, Unit::Bytes, meaning);
    describe_gauge!(ROCKSDB_LEVEL_TABLES, Unit::Count, "Tables, by family and level");
    describe_gauge!(ROCKSDB_STREAM_RUNS, Unit::Count, "Sorted runs of the streams");
    let meaning = "Files that nothing needs and that are freed slowly";
    describe_gauge!(ROCKSDB_OBSOLETE_BYTES, Unit::Bytes, meaning);
    describe_gauge!(ROCKSDB_MEMORY_BYTES, Unit::Bytes, "Memory of RocksDB, by part");
    let meaning = "Blocks that reading found in the cache";
    describe_counter!(ROCKSDB_CACHE_HITS, Unit::Count, meaning);
    let meaning = "Blocks that reading took from a file";
    describe_counter!(ROCKSDB_CACHE_MISSES, Unit::Count, meaning);
    let meaning = "What compactions have still to rewrite";
    describe_gauge!(ROCKSDB_COMPACTION_PENDING_BYTES, Unit::Bytes, meaning);
    describe_gauge!(ROCKSDB_COMPACTIONS_RUNNING, Unit::Count, "Compactions running");
    describe_gauge!(
        ROCKSDB_WRITES_STOPPED,
        Unit::Count,
        "1 while RocksDB holds up writes"
    );
    let meaning = "How long RocksDB has held up writes since opening";
    describe_gauge!(ROCKSDB_STALL_SECONDS, Unit::Seconds, meaning);
}
