//! RocksDB's properties.

use std::path::Path;
use std::time::Duration;

use rocksdb::{ColumnFamily, DB};

use super::{Databases, handle, room};
use crate::engine::{EngineStatistics, Family, FamilyStatistics, LevelStatistics};

/// What RocksDB answers.
type Property = Result<Option<String>, rocksdb::Error>;

/// What it calls a megabyte.
const MIB: u64 = 1024 * 1024;

/// Reads them all. What else is known of the engine is its owner's to add.
pub(crate) fn read(databases: &Databases) -> EngineStatistics {
    let Databases { log, derived } = databases;
    let of_log = |name: &str| number(log.property_value(name));
    let of_derived = |name: &str| -> u64 {
        Family::ALL
            .iter()
            .map(|family| number(derived.property_value_cf(handle(derived, *family), name)))
            .sum()
    };
    let of_both = |name: &str| of_log(name) + of_derived(name);
    EngineStatistics {
        log_wal_bytes: wal_bytes(log.path()),
        log_table_bytes: of_log("rocksdb.total-sst-files-size"),
        log_level0_tables: of_log("rocksdb.num-files-at-level0"),
        derived_table_bytes: of_derived("rocksdb.total-sst-files-size"),
        families: families(databases),
        disk_free_bytes: room::free_bytes(log.path()).unwrap_or_default(),
        memtable_bytes: of_both("rocksdb.size-all-mem-tables"),
        cache_bytes: of_log("rocksdb.block-cache-usage"),
        cache_pinned_bytes: of_log("rocksdb.block-cache-pinned-usage"),
        table_reader_bytes: of_both("rocksdb.estimate-table-readers-mem"),
        compaction_pending_bytes: of_derived("rocksdb.estimate-pending-compaction-bytes"),
        compactions_running: of_log("rocksdb.num-running-compactions")
            + number(derived.property_value("rocksdb.num-running-compactions")),
        stream_runs: runs(derived, handle(derived, Family::Streams)),
        is_write_stopped: of_both("rocksdb.is-write-stopped") > 0,
        stall: stall(log) + stall(derived),
        ..EngineStatistics::default()
    }
}

/// Bytes of a family's tables.
pub(super) fn table_bytes(derived: &DB, family: &ColumnFamily) -> u64 {
    number(derived.property_value_cf(family, "rocksdb.total-sst-files-size"))
}

/// What the memtables of all families take.
pub(super) fn memtable_bytes(derived: &DB) -> u64 {
    let of =
        |family: &Family| derived.property_value_cf(handle(derived, *family), "rocksdb.size-all-mem-tables");
    Family::ALL.iter().map(|family| number(of(family))).sum()
}

fn families(databases: &Databases) -> Vec<FamilyStatistics> {
    let Databases { log, derived } = databases;
    let of = |name, property: &dyn Fn(&str) -> Property| FamilyStatistics {
        name,
        table_bytes: number(property("rocksdb.total-sst-files-size")),
        levels: levels(property("rocksdb.levelstats")),
    };
    let mut families = vec![of("log", &|name| log.property_value(name))];
    families.extend(Family::ALL.map(|family| {
        let handle = handle(derived, family);
        of(family.name(), &|name| derived.property_value_cf(handle, name))
    }));
    families
}

/// A family's levels. RocksDB gives their sizes in a table for people only.
fn levels(table: Property) -> Vec<LevelStatistics> {
    parse_levels(&table.ok().flatten().unwrap_or_default())
}

/// Lines of level, tables, size in MiB, below a head of two lines.
fn parse_levels(table: &str) -> Vec<LevelStatistics> {
    let level = |line: &str| {
        let mut columns = line.split_whitespace().map(str::parse::<u64>);
        match (columns.next(), columns.next(), columns.next()) {
            (Some(Ok(_)), Some(Ok(tables)), Some(Ok(mib))) => Some(LevelStatistics {
                tables,
                bytes: mib * MIB,
            }),
            _ => None,
        }
    };
    table.lines().filter_map(level).collect()
}

/// Sorted runs: each file of level 0, and each level below that holds any. RocksDB puts a file that it ingests as
/// deep as nothing that it overlaps lies above.
pub(super) fn runs(derived: &DB, family: &ColumnFamily) -> u64 {
    runs_of(&levels(derived.property_value_cf(family, "rocksdb.levelstats")))
}

fn runs_of(levels: &[LevelStatistics]) -> u64 {
    let Some((newest, below)) = levels.split_first() else {
        return 0;
    };
    newest.tables + below.iter().filter(|level| level.tables > 0).count() as u64
}

/// A property that RocksDB does not have counts as 0: numbers are for looking at, no decision hangs on them.
fn number(value: Property) -> u64 {
    value
        .ok()
        .flatten()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// How long an instance has held up writes, which it tells in a text for people only.
fn stall(db: &DB) -> Duration {
    let text = db.property_value("rocksdb.dbstats");
    parse_stall(&text.ok().flatten().unwrap_or_default()).unwrap_or_default()
}

/// Of a line such as `Cumulative stall: 00:00:1.250 H:M:S, 0.2 percent`.
fn parse_stall(text: &str) -> Option<Duration> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Cumulative stall: "))?;
    let mut parts = line.split(' ').next()?.split(':');
    let (hours, minutes): (f64, f64) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let seconds: f64 = parts.next()?.parse().ok()?;
    Duration::try_from_secs_f64(hours * 3_600.0 + minutes * 60.0 + seconds).ok()
}

/// No property tells: the files' sizes, of which there are one to four.
pub(super) fn wal_bytes(log: &Path) -> u64 {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_read_from_rocksdbs_table() {
        let table = "Level Files Size(MB)\n--------------------\n  0        3        7\n  1        0        0\n  2        1      250\n";
        let levels = parse_levels(table);
        let expected = [(3, 7 * MIB), (0, 0), (1, 250 * MIB)];
        assert_eq!(
            levels,
            expected.map(|(tables, bytes)| LevelStatistics { tables, bytes })
        );
        assert_eq!((runs_of(&levels), runs_of(&[])), (4, 0));
        assert_eq!(parse_levels(""), []);
    }

    #[test]
    fn a_stall_is_read_from_rocksdbs_text() {
        let text = "** DB Stats **\nCumulative stall: 01:02:3.250 H:M:S, 0.2 percent\nInterval stall: 09:00:00.000 H:M:S, 0.0 percent\n";
        assert_eq!(parse_stall(text), Some(Duration::from_millis(3_723_250)));
        assert_eq!(parse_stall("Uptime(secs): 1.0 total"), None);
    }
}
