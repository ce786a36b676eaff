//! Telling the metrics facade how a store stands, when somebody asks.

#![allow(clippy::cast_precision_loss, reason = "gauges")]

use metrics::{counter, gauge};

use crate::engine::{EngineStatistics, FamilyStatistics};
use crate::metric_names::*;
use crate::statistics::StoreStatistics;

/// Records how the store stands. `before`: the engine, when this was last done.
pub(crate) fn record(now: &StoreStatistics, before: &EngineStatistics) {
    let lag = now.durable.get().saturating_sub(now.indexed.get());
    for (name, value) in [
        (JOURNAL_QUEUE_COMMITS, now.queue_commits),
        (JOURNAL_QUEUE_BYTES, now.queue_bytes),
        (TAIL_BYTES, now.tail_bytes),
        (TAIL_LIMIT_BYTES, now.tail_bytes_max),
        (INDEX_LAG_EVENTS, lag),
        (OPEN_STREAMS, now.open_streams),
    ] {
        gauge!(name).set(value as f64);
    }
    // a store in memory has neither files nor RocksDB
    if !now.engine.families.is_empty() {
        gauge!(DISK_BYTES).set(now.disk_bytes as f64);
        record_engine(&now.engine, before);
    }
}

fn record_engine(now: &EngineStatistics, before: &EngineStatistics) {
    for (name, value) in [
        (DISK_FREE_BYTES, now.disk_free_bytes),
        (ROCKSDB_WAL_BYTES, now.log_wal_bytes),
        (ROCKSDB_STREAM_RUNS, now.stream_runs),
        (ROCKSDB_OBSOLETE_BYTES, now.obsolete_bytes),
        (ROCKSDB_COMPACTION_PENDING_BYTES, now.compaction_pending_bytes),
        (ROCKSDB_COMPACTIONS_RUNNING, now.compactions_running),
        (ROCKSDB_WRITES_STOPPED, u64::from(now.is_write_stopped)),
    ] {
        gauge!(name).set(value as f64);
    }
    for (part, bytes) in [
        ("memtables", now.memtable_bytes),
        ("cache", now.cache_bytes),
        ("pinned", now.cache_pinned_bytes),
        ("table_readers", now.table_reader_bytes),
    ] {
        gauge!(ROCKSDB_MEMORY_BYTES, "part" => part).set(bytes as f64);
    }
    now.families.iter().for_each(record_family);
    counter!(ROCKSDB_CACHE_HITS).increment(since(now.cache_hits, before.cache_hits));
    counter!(ROCKSDB_CACHE_MISSES).increment(since(now.cache_misses, before.cache_misses));
    gauge!(ROCKSDB_STALL_SECONDS).set(now.stall.as_secs_f64());
}

fn record_family(family: &FamilyStatistics) {
    gauge!(ROCKSDB_TABLE_BYTES, "family" => family.name).set(family.table_bytes as f64);
    for (number, level) in family.levels.iter().enumerate() {
        let labels = [("family", family.name.into()), ("level", number.to_string())];
        gauge!(ROCKSDB_LEVEL_BYTES, &labels).set(level.bytes as f64);
        gauge!(ROCKSDB_LEVEL_TABLES, &labels).set(level.tables as f64);
    }
}

/// What a count has grown by. A store that was reopened counts from 0 again.
fn since(now: u64, before: u64) -> u64 {
    now.checked_sub(before).unwrap_or(now)
}
