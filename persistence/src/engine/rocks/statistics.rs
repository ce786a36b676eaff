//! RocksDB's properties.

use std::path::Path;

use rocksdb::{ColumnFamily, DB};

use super::{Databases, handle};
use crate::engine::{EngineStatistics, Family};

/// RocksDB's default, which is how many `derived/` has.
const LEVELS: u32 = 7;

/// Reads them all.
pub(crate) fn read(databases: &Databases, obsolete_bytes: u64) -> EngineStatistics {
    let Databases { log, derived } = databases;
    let of_log = |name: &str| number(log.property_value(name));
    let of_derived = |name: &str| -> u64 {
        Family::ALL
            .iter()
            .map(|family| of_family(derived, handle(derived, *family), name))
            .sum()
    };
    let of_both = |name: &str| of_log(name) + of_derived(name);
    EngineStatistics {
        log_wal_bytes: wal_bytes(log.path()),
        log_table_bytes: of_log("rocksdb.total-sst-files-size"),
        log_level0_tables: of_log("rocksdb.num-files-at-level0"),
        obsolete_bytes,
        derived_table_bytes: of_derived("rocksdb.total-sst-files-size"),
        memtable_bytes: of_both("rocksdb.size-all-mem-tables"),
        cache_bytes: of_log("rocksdb.block-cache-usage"),
        compaction_pending_bytes: of_derived("rocksdb.estimate-pending-compaction-bytes"),
        compactions_running: of_log("rocksdb.num-running-compactions")
            + number(derived.property_value("rocksdb.num-running-compactions")),
        stream_runs: runs(derived, handle(derived, Family::Streams)),
        is_write_stopped: of_both("rocksdb.is-write-stopped") > 0,
    }
}

/// Bytes of a family's tables.
pub(super) fn table_bytes(derived: &DB, family: &ColumnFamily) -> u64 {
    of_family(derived, family, "rocksdb.total-sst-files-size")
}

fn of_family(derived: &DB, family: &ColumnFamily, name: &str) -> u64 {
    number(derived.property_value_cf(family, name))
}

/// Sorted runs: each file of level 0, and each level below that holds any. RocksDB puts a file that it ingests as
/// deep as nothing that it overlaps lies above.
pub(super) fn runs(derived: &DB, family: &ColumnFamily) -> u64 {
    let files = |level: u32| of_family(derived, family, &format!("rocksdb.num-files-at-level{level}"));
    files(0) + (1..LEVELS).filter(|level| files(*level) > 0).count() as u64
}

/// A property that RocksDB does not have counts as 0: numbers are for looking at, no decision hangs on them.
fn number(value: Result<Option<String>, rocksdb::Error>) -> u64 {
    value
        .ok()
        .flatten()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// No property tells: the files' sizes, of which there are one to four.
fn wal_bytes(log: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(log) else {
        return 0;
    };
    entries
        .flatten()
        .filter(|entry| {
            entry
                .path()
                .extension()
                .is_some_and(|extension| extension == "log")
        })
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}
