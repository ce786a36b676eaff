//! The tables of a log that need not be sound, read by RocksDB as far as it does.
//!
//! Where it refuses to open them, because its manifest or a table is gone, those that are there are given a new manifest
//! in a scratch directory that links to them; nothing is written into the store.

use std::cell::RefCell;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use dormouse_domain::{Offset, ShardId};
use rocksdb::{DB, DBRecoveryMode, Options};

use super::unreadable;
use crate::engine::rocks::tuning::Shared;
use crate::engine::rocks::{failed, sequential};
use crate::error::StoreError;
use crate::format::keys;
use crate::open::endless;

/// Of RocksDB's id of a database: a UUID as text.
const IDENTITY_BYTES: usize = 36;
/// A table's properties stand at its end, a few KiB before its footer.
const PROPERTIES_WITHIN_BYTES: u64 = 64 * 1024;

/// More offsets than a segment usually has.
const TRIED_ONE_BY_ONE_MAX: u64 = 10_000;

/// A log's tables.
pub(super) struct Tables {
    db: DB,
    options: Options,
    directory: PathBuf,
    /// The table that was last opened alone.
    alone: RefCell<Option<Alone>>,
    /// Removed after the database is closed.
    _scratch: Option<Scratch>,
}

/// One table, opened without the others.
struct Alone {
    first_key: Vec<u8>,
    last_key: Vec<u8>,
    /// None if it can't be read as a whole.
    table: Option<(DB, Scratch)>,
}

/// A row where a segment should be.
pub(super) struct Row {
    pub(super) first: Offset,
    pub(super) bytes: Vec<u8>,
}

impl Tables {
    /// The first row at or after `from`, and why one before it can't be read.
    ///
    /// Each segment says where the next begins, so rows are asked for one by one: that touches no other table. A seek
    /// looks into all of them, and fails on a damaged block far behind.
    pub(super) fn at_or_after(&self, shard: ShardId, from: Offset) -> (Option<Row>, Option<String>) {
        let reason = match self.get(shard, from) {
            Ok(Some(row)) => return (Some(row), None),
            Ok(None) => None,
            Err(reason) => Some(reason),
        };
        match self.seek(shard, from) {
            Ok(row) => (row, reason),
            Err(damaged) => (self.behind_damage(shard, from), reason.or(Some(damaged))),
        }
    }

    /// The next row that can be read, where nothing tells where it begins: tried one by one for a while, then in ever
    /// larger steps and back again.
    fn behind_damage(&self, shard: ShardId, from: Offset) -> Option<Row> {
        let one_by_one = (1..TRIED_ONE_BY_ONE_MAX).map_while(|step| from.get().checked_add(step));
        let found = one_by_one
            .filter_map(|at| self.get(shard, Offset::new(at)).ok()?)
            .next();
        if found.is_some() {
            return found;
        }
        let (mut bad, mut step) = (from.get(), 1_u64);
        let mut good = loop {
            let to = bad.checked_add(step)?;
            if self.seek(shard, Offset::new(to)).is_ok() {
                break to;
            }
            (bad, step) = (to, step.saturating_mul(2));
        };
        while bad + 1 < good {
            let middle = bad + (good - bad) / 2;
            match self.seek(shard, Offset::new(middle)) {
                Ok(_) => good = middle,
                Err(_) => bad = middle,
            }
        }
        self.seek(shard, Offset::new(good)).unwrap_or(None)
    }

    /// The row of a segment that begins there.
    fn get(&self, shard: ShardId, first: Offset) -> Result<Option<Row>, String> {
        let key = keys::log(shard, first);
        let value = match self.db.get(key) {
            Ok(value) => value,
            // RocksDB looks into tables that can't hold the key if they are few, and fails on damage there.
            Err(error) => Some(self.get_alone(&key).ok_or_else(|| error.to_string())?),
        };
        Ok(value.map(|bytes| Row { first, bytes }))
    }

    /// The same from the one table whose keys it lies among.
    fn get_alone(&self, key: &[u8]) -> Option<Vec<u8>> {
        let mut alone = self.alone.borrow_mut();
        let is_within = |first: &[u8], last: &[u8]| first <= key && key <= last;
        if !alone
            .as_ref()
            .is_some_and(|open| is_within(&open.first_key, &open.last_key))
        {
            let mut live = self.db.live_files().ok()?.into_iter();
            let (name, first_key, last_key) = live.find_map(|file| {
                let (first, last) = (file.start_key?, file.end_key?);
                is_within(&first, &last).then_some((file.name, first, last))
            })?;
            let path = self.directory.join(name.trim_start_matches('/'));
            let table = Scratch::of([path]).ok().and_then(|scratch| {
                let db = scratch.repair(&self.options).ok()?;
                Some((db, scratch))
            });
            *alone = Some(Alone {
                first_key,
                last_key,
                table,
            });
        }
        let (table, _) = alone.as_ref()?.table.as_ref()?;
        table.get(key).ok()?
    }

    fn seek(&self, shard: ShardId, from: Offset) -> Result<Option<Row>, String> {
        let mut options = sequential();
        options.set_iterate_lower_bound(shard.get().to_be_bytes());
        let mut rows = self.db.raw_iterator_opt(options);
        rows.seek(keys::log(shard, from));
        let Some((key, value)) = rows.item() else {
            return rows.status().map(|()| None).map_err(|error| error.to_string());
        };
        Ok(match keys::parse_log(key) {
            Some((found, first)) if found == shard => Some(Row {
                first,
                bytes: value.to_vec(),
            }),
            _ => None,
        })
    }
}

/// The log's tables, and what RocksDB said against opening them.
pub(super) fn open(
    directory: &Path,
    shared: &Shared,
) -> Result<(Option<Tables>, Option<String>), StoreError> {
    let mut options = shared
        .log()
        .map_err(|error| failed("set the log's options", &error))?;
    // What it skips, our own scanner finds or names. WALs stay tracked: a read-only opening of RocksDB 11.8 that finds
    // some tracked and was told not to track them ends the process.
    options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
    let opened = match endless::find(directory) {
        Some(reason) => Err(reason),
        None => DB::open_for_read_only(&options, directory, false).map_err(|error| error.to_string()),
    };
    let tables = |db: DB, directory: &Path, scratch: Option<Scratch>| Tables {
        db,
        options: options.clone(),
        directory: directory.to_path_buf(),
        alone: RefCell::new(None),
        _scratch: scratch,
    };
    let refused = match opened {
        Ok(db) => return Ok((Some(tables(db, directory, None)), None)),
        Err(reason) => reason,
    };
    let scratch = Scratch::of_tables(directory).map_err(|error| unreadable(directory, &error))?;
    if scratch.tables == 0 {
        return Ok((None, Some(refused)));
    }
    match scratch.repair(&options) {
        Ok(db) => Ok((Some(tables(db, directory, Some(scratch))), Some(refused))),
        Err(error) => Ok((None, Some(format!("{refused}; {error}")))),
    }
}

/// A directory of links to a log's tables, for which RocksDB makes a manifest of its own.
struct Scratch {
    path: PathBuf,
    tables: usize,
}

impl Scratch {
    /// Of all tables that were made for this log.
    fn of_tables(log: &Path) -> io::Result<Self> {
        let identity = identity(log);
        let mut tables = Vec::new();
        for entry in fs::read_dir(log)? {
            let path = entry?.path();
            let is_table = path.extension().is_some_and(|extension| extension == "sst");
            if is_table && is_of(&path, identity.as_deref()) {
                tables.push(path);
            }
        }
        Self::of(tables)
    }

    fn of(tables: impl IntoIterator<Item = PathBuf>) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("dormouse-{}-{number}", std::process::id()));
        fs::create_dir(&path)
            .map_err(|error| io::Error::new(error.kind(), format!("make {}: {error}", path.display())))?;
        let mut scratch = Self { path, tables: 0 };
        for table in tables {
            let name = table.file_name().unwrap_or_default();
            std::os::unix::fs::symlink(std::path::absolute(&table)?, scratch.path.join(name))?;
            scratch.tables += 1;
        }
        Ok(scratch)
    }

    /// Makes a manifest of the tables that are whole.
    fn repair(&self, options: &Options) -> Result<DB, rocksdb::Error> {
        DB::repair(options, &self.path)?;
        DB::open_for_read_only(options, &self.path, false)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Links only: what they point to stays.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// The id that RocksDB gave the log, and notes in each of its tables.
fn identity(log: &Path) -> Option<String> {
    let identity = fs::read_to_string(log.join("IDENTITY")).ok()?;
    let identity = identity.trim();
    (identity.len() == IDENTITY_BYTES).then(|| identity.to_owned())
}

/// Whether a table was made for the log with that id: without a manifest, nothing else tells another store's apart.
fn is_of(table: &Path, identity: Option<&str>) -> bool {
    let Some(identity) = identity else { return true };
    let tail = || -> io::Result<Vec<u8>> {
        let mut file = File::open(table)?;
        let len = file.metadata()?.len();
        file.seek(SeekFrom::Start(len.saturating_sub(PROPERTIES_WITHIN_BYTES)))?;
        let mut tail = Vec::new();
        file.read_to_end(&mut tail)?;
        Ok(tail)
    };
    tail().is_ok_and(|tail| {
        tail.windows(identity.len())
            .any(|window| window == identity.as_bytes())
    })
}
