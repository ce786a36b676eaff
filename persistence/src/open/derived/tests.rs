mod recut;

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::engine::rocks::tuning::without_wal_or_wait;
use crate::engine::rocks::{RunWriter, Step};
use crate::engine::{Rows, Run};
use crate::open::layout::Layout;

const STORE: Uuid = Uuid::from_u128(5);
const ROWS_A_RUN: u64 = 50;
/// In the order in which they are done.
const STEPS: [Step; 6] = [
    Step::Written(Family::Streams),
    Step::Written(Family::Commands),
    Step::Written(Family::Meta),
    Step::Ingested(Family::Streams),
    Step::Ingested(Family::Commands),
    Step::Ingested(Family::Meta),
];

/// A run whose rows are numbered, so that as many are there as the position says.
fn run(number: u64) -> Run {
    let (mut streams, mut commands) = (Rows::default(), Rows::default());
    for row in number * ROWS_A_RUN..(number + 1) * ROWS_A_RUN {
        let number = |bytes: &mut Vec<u8>| bytes.extend_from_slice(&row.to_be_bytes());
        // Runs overlap: every stream has a row in each.
        let key = |bytes: &mut Vec<u8>| {
            bytes.extend_from_slice(format!("\0\0type\0id-{}\0", row % ROWS_A_RUN).as_bytes());
            number(bytes);
        };
        streams.push(key, |value| value.extend_from_slice(&[7; 300]));
        commands.push(number, number);
    }
    streams = sorted(&streams);
    let indexed = Indexed {
        offset: Offset::new((number + 1) * ROWS_A_RUN),
        hash: 1,
    };
    Run {
        streams,
        commands,
        indexed: (keys::meta_indexed(ShardId::FIRST), indexed.encode()),
    }
}

fn sorted(rows: &Rows) -> Rows {
    let mut pairs: Vec<_> = rows.iter().collect();
    pairs.sort_unstable();
    let mut out = Rows::default();
    for (key, value) in pairs {
        out.push(
            |bytes| bytes.extend_from_slice(key),
            |bytes| bytes.extend_from_slice(value),
        );
    }
    out
}

fn shared() -> Shared {
    Shared::new(1024 * 1024).unwrap()
}

/// `derived/` in a directory of its own, with what writes runs into it.
struct Fixture {
    // Dropped first: RocksDB closes before its directory goes.
    db: DB,
    runs: RunWriter,
    layout: Layout,
    _directory: TempDir,
}

impl Fixture {
    fn new() -> Fixture {
        let directory = tempfile::tempdir().unwrap();
        let (layout, _lock, _) = Layout::claim(directory.path()).unwrap();
        let db = make(&layout, STORE, &shared()).unwrap();
        // What a copy of the directory finds must stand still.
        for family in Family::ALL {
            db.set_options_cf(handle(&db, family), &[("disable_auto_compactions", "true")])
                .unwrap();
        }
        Fixture::with(db, layout, directory)
    }

    fn with(db: DB, layout: Layout, directory: TempDir) -> Fixture {
        let runs = RunWriter::new(&layout.derived(), &shared()).unwrap();
        Fixture {
            db,
            runs,
            layout,
            _directory: directory,
        }
    }

    /// Stores run after run.
    fn store(&self, numbers: std::ops::Range<u64>) {
        for number in numbers {
            self.runs.store(&self.db, &run(number), |_| {}).unwrap();
        }
    }

    fn snapshot(&self, number: u64) {
        let key = number.to_be_bytes();
        self.db
            .put_cf_opt(
                handle(&self.db, Family::Snapshots),
                key,
                key,
                &without_wal_or_wait(),
            )
            .unwrap();
    }

    fn flush(&self) {
        let families = Family::ALL.map(|family| handle(&self.db, family));
        self.db
            .flush_cfs_opt(&families, &FlushOptions::default())
            .unwrap();
    }

    /// What the disk holds at this moment, without what is in memory, opened: a crash.
    fn crashed(&self) -> (Fixture, Offset) {
        let directory = tempfile::tempdir().unwrap();
        let (layout, _lock, _) = Layout::claim(directory.path()).unwrap();
        copy(&self.layout.derived(), &layout.derived());
        reopen(layout, directory)
    }

    fn reopened(self) -> (Fixture, Offset) {
        drop(self.db);
        reopen(self.layout, self._directory)
    }

    fn count(&self, family: Family) -> u64 {
        self.keys(family).len() as u64
    }

    fn keys(&self, family: Family) -> Vec<Box<[u8]>> {
        self.db
            .iterator_cf(handle(&self.db, family), IteratorMode::Start)
            .map(|row| row.unwrap().0)
            .collect()
    }

    fn position(&self) -> Offset {
        let value = self
            .db
            .get_cf(handle(&self.db, Family::Meta), keys::meta_indexed(ShardId::FIRST));
        value
            .unwrap()
            .map_or(Offset::NONE, |value| Indexed::decode(&value).unwrap().offset)
    }

    fn leftovers(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.layout.derived().join("runs")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    /// All rows are there that the position speaks for, and no others.
    fn check_at(&self, position: u64) {
        assert_eq!(self.position().get(), position);
        for family in [Family::Streams, Family::Commands] {
            assert_eq!(self.count(family), position, "{family:?}");
        }
    }
}

fn reopen(layout: Layout, directory: TempDir) -> (Fixture, Offset) {
    let (db, indexed) = try_open(&layout, STORE, ShardId::FIRST, &shared())
        .unwrap()
        .expect("it can be trusted");
    let fixture = Fixture::with(db, layout, directory);
    assert_eq!(fixture.position(), indexed);
    (fixture, indexed)
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = {
            let entry = entry.unwrap();
            (entry.path(), to.join(entry.file_name()))
        };
        if from.is_dir() {
            copy(&from, &to);
        } else {
            fs::copy(from, to).unwrap();
        }
    }
}

/// More than RocksDB's defaults would let pile up (36).
const RUNS_UNMERGED: u64 = 40;

#[test]
fn however_many_runs_wait_to_be_merged_no_write_is_held_up() {
    let fixture = Fixture::new();
    // As while one long merge keeps the others waiting.
    for family in Family::ALL {
        let waits = [
            ("disable_auto_compactions", "false"),
            ("level0_file_num_compaction_trigger", "1000"),
        ];
        fixture
            .db
            .set_options_cf(handle(&fixture.db, family), &waits)
            .unwrap();
    }
    for number in 0..RUNS_UNMERGED {
        fixture.store(number..number + 1);
        fixture.snapshot(number);
        fixture.flush();
    }
    for property in ["rocksdb.is-write-stopped", "rocksdb.actual-delayed-write-rate"] {
        let value = fixture.db.property_int_value(property).unwrap();
        assert_eq!(value, Some(0), "{property}");
    }
    for family in [Family::Snapshots, Family::Meta] {
        let files = fixture
            .db
            .property_value_cf(handle(&fixture.db, family), "rocksdb.num-files-at-level0")
            .unwrap();
        assert_eq!(files, Some(RUNS_UNMERGED.to_string()), "{}", family.name());
    }
}

#[test]
fn a_crash_after_any_step_leaves_a_run_whole_or_not_at_all() {
    let fixture = Fixture::new();
    for number in 0..4 {
        fixture.snapshot(number);
        let mut seen = Vec::new();
        let before = number * ROWS_A_RUN;
        let after = before + ROWS_A_RUN;
        fixture
            .runs
            .store(&fixture.db, &run(number), |step| {
                seen.push(step);
                if number % 2 == 1 {
                    // Snapshots come in between, and RocksDB flushes them when it likes to.
                    fixture.snapshot(number * 100 + seen.len() as u64);
                    fixture.flush();
                }
                let (survivor, indexed) = fixture.crashed();
                let is_written = seen.contains(&Step::Written(Family::Meta));
                assert_eq!(indexed.get(), if is_written { after } else { before }, "{step:?}");
                survivor.check_at(indexed.get());
                assert_eq!(survivor.leftovers(), Vec::<PathBuf>::new(), "{step:?}");
                survivor.store(number..number + 2);
                survivor.check_at(after + ROWS_A_RUN);
            })
            .unwrap();
        assert_eq!(seen, STEPS);
        assert_eq!(fixture.leftovers(), Vec::<PathBuf>::new());
    }
}

#[test]
fn a_run_that_fails_at_any_step_is_stored_by_the_next_attempt() {
    for fails_after in &STEPS[..5] {
        let fixture = Fixture::new();
        fixture.store(0..2);
        let result = fixture.runs.store(&fixture.db, &run(2), |step| {
            if step == *fails_after {
                // What comes next finds no file to hand over, or can't make one.
                for leftover in fixture.leftovers() {
                    fs::remove_file(leftover).unwrap();
                }
                fs::create_dir(fixture.layout.derived().join("runs/meta.sst")).unwrap();
            }
        });
        assert!(result.is_err(), "{fails_after:?}");
        assert_eq!(fixture.position().get(), 2 * ROWS_A_RUN);
        assert!(fixture.count(Family::Streams) >= 2 * ROWS_A_RUN);
        fs::remove_dir(fixture.layout.derived().join("runs/meta.sst")).unwrap();
        fixture.store(2..3);
        fixture.check_at(3 * ROWS_A_RUN);
    }
}

#[test]
fn a_run_stored_twice_is_there_once() {
    let fixture = Fixture::new();
    fixture.store(0..3);
    let keys = fixture.keys(Family::Streams);
    fixture.store(1..3);
    fixture.check_at(3 * ROWS_A_RUN);
    assert_eq!(fixture.keys(Family::Streams), keys);
    for family in Family::ALL {
        fixture
            .db
            .compact_range_cf(handle(&fixture.db, family), None::<&[u8]>, None::<&[u8]>);
    }
    let (fixture, _) = fixture.reopened();
    fixture.check_at(3 * ROWS_A_RUN);
    assert_eq!(fixture.keys(Family::Streams), keys);
}

#[test]
fn the_second_name_of_a_file_in_use_is_never_written_into() {
    let fixture = Fixture::new();
    fixture.store(0..1);
    // As if RocksDB had failed to remove the names under which it was handed the files.
    let tables = fs::read_dir(fixture.layout.derived()).unwrap();
    let tables: Vec<_> = tables
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "sst"))
        .collect();
    assert!(tables.len() >= 3, "{tables:?}");
    for table in tables {
        let (copy, _) = fixture.crashed();
        for family in [Family::Streams, Family::Commands, Family::Meta] {
            let second = copy.layout.derived().join("runs").join(family.name());
            let first = copy.layout.derived().join(table.file_name().unwrap());
            fs::hard_link(first, second.with_extension("sst")).unwrap();
        }
        copy.store(1..2);
        let (copy, _) = copy.reopened();
        copy.check_at(2 * ROWS_A_RUN);
    }
}

#[test]
fn snapshots_put_meanwhile_are_kept() {
    const SNAPSHOTS: u64 = 2_000;
    let fixture = Fixture::new();
    std::thread::scope(|scope| {
        scope.spawn(|| (0..SNAPSHOTS).for_each(|number| fixture.snapshot(number)));
        for number in 0..20 {
            fixture.store(number..number + 1);
            if number % 5 == 0 {
                fixture.flush();
            }
        }
    });
    let (fixture, _) = fixture.reopened();
    fixture.check_at(20 * ROWS_A_RUN);
    let expected: Vec<_> = (0..SNAPSHOTS)
        .map(|number| Box::from(number.to_be_bytes()))
        .collect();
    assert_eq!(fixture.keys(Family::Snapshots), expected);
}
