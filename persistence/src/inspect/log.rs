//! Reads the log of a store that need not be sound: every whole segment, from wherever it is, and every damage.
//!
//! RocksDB reads the tables, opened for reading only; the write-ahead files are read by our own scanner, which finds
//! what lies behind damage. Where RocksDB refuses, because its manifest or a table is gone, the tables that are there
//! are given a new manifest in a scratch directory that links to them. Nothing is written into the store.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use dormouse_domain::{Offset, ShardId};
use rocksdb::{DB, DBRecoveryMode, Options};

use super::LogDamage;
use crate::engine::Watermark;
use crate::engine::rocks::tuning::Shared;
use crate::engine::rocks::{failed, sequential};
use crate::error::StoreError;
use crate::format::keys;
use crate::format::segment::{self, Header};
use crate::journal::LogEnd;
use crate::open::endless;
use crate::open::survey::{Issue, IssueKind, survey_with};
use crate::recovery::follows;

/// Of RocksDB's id of a database: a UUID as text.
const IDENTITY_BYTES: usize = 36;
/// A table's properties stand at its end, a few KiB before its footer.
const PROPERTIES_WITHIN_BYTES: u64 = 64 * 1024;

/// More offsets than a segment usually has.
const TRIED_ONE_BY_ONE_MAX: u64 = 10_000;

/// What a walk meets, in order of offsets.
pub(crate) enum Met<'a> {
    /// A whole segment that follows from the one before it; behind damage, the first need not.
    Segment {
        header: &'a Header,
        /// As it is stored.
        bytes: &'a [u8],
        /// Its commit records.
        records: &'a [u8],
    },
    /// Something is not as it should be between the segment before and the one after.
    Damage(LogDamage),
    /// Nothing is missing, but a file holds what does not belong there: opening refuses it.
    Flaw { file: &'a Path, at: u64, reason: String },
    /// The log ends in a write that was never promised: what a crash leaves, and opening cuts off.
    TornTail(LogDamage),
}

/// Ends of segments that are noted outside of the log: watermark and indexed position.
#[derive(Default)]
pub(crate) struct Marks(pub(crate) Vec<(&'static str, Watermark)>);

impl Marks {
    /// How far the log reached once.
    pub(crate) fn promised(&self) -> Offset {
        let offsets = self.0.iter().map(|(_, mark)| mark.offset);
        offsets.max().unwrap_or(Offset::NONE)
    }

    /// Which of them speaks of another segment in this one's place.
    fn contradict(&self, header: &Header, hash: u128) -> Option<&'static str> {
        let mut within = self
            .0
            .iter()
            .filter(|(_, mark)| (header.first..=header.last()).contains(&mark.offset));
        let wrong = within.find(|(_, mark)| mark.offset != header.last() || mark.hash != hash);
        wrong.map(|(name, _)| *name)
    }
}

/// The log of a store, as it is.
pub(crate) struct Log {
    tables: Option<Tables>,
    /// What the write-ahead files hold: as much as RocksDB keeps in memory when it opens.
    wals: BTreeMap<Offset, Vec<u8>>,
    issues: Vec<Issue>,
    has_wal: bool,
    /// Why RocksDB would not open the log, or parts of it.
    pub(crate) refused: Option<String>,
    shard: ShardId,
    directory: PathBuf,
}

struct Tables {
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
struct Row {
    first: Offset,
    bytes: Vec<u8>,
}

impl Log {
    /// Opens what can be opened. Reads the write-ahead files into memory, a few hundred MiB at most.
    ///
    /// # Errors
    /// `Engine` if a directory or a file can't be read at all, or no scratch directory can be made.
    pub(crate) fn open(directory: &Path, shard: ShardId, shared: &Shared) -> Result<Self, StoreError> {
        let mut wals = BTreeMap::new();
        let survey = survey_with(directory, shard, &mut |header, bytes| {
            wals.entry(header.first).or_insert_with(|| bytes.to_vec());
        });
        let survey = survey.map_err(|error| unreadable(directory, &error))?;
        let (tables, refused) = open_tables(directory, shared)?;
        Ok(Self {
            tables,
            wals,
            has_wal: !survey.files.is_empty(),
            issues: survey.issues,
            refused,
            shard,
            directory: directory.to_path_buf(),
        })
    }

    /// Visits everything from the first offset on, and holds it to what is noted outside of the log. Answers the end of
    /// the last whole segment.
    pub(crate) fn walk(
        &self,
        marks: &Marks,
        visit: &mut dyn FnMut(Met<'_>) -> Result<(), StoreError>,
    ) -> Result<LogEnd, StoreError> {
        let mut end = LogEnd::EMPTY;
        let mut from = Offset::new(1);
        // The reason of damage that no whole segment has followed yet.
        let mut damage: Option<String> = None;
        loop {
            let (row, unread) = self.at_or_after(from);
            if let Some(reason) = unread {
                damage.get_or_insert(reason);
            }
            let Some(row) = row else { break };
            from = row.first.next();
            let (header, records) = match self.judge(&row) {
                Ok(decoded) => decoded,
                Err(reason) => {
                    damage.get_or_insert(reason);
                    continue;
                }
            };
            let hash = segment::hash(&row.bytes);
            for met in self.before(&end, &header, hash, damage.take(), marks) {
                visit(met)?;
            }
            end = LogEnd::of(&header, hash);
            from = header.last().next();
            visit(Met::Segment {
                header: &header,
                bytes: &row.bytes,
                records: &records,
            })?;
        }
        self.walk_end(end.last, marks.promised(), damage, visit)?;
        Ok(end)
    }

    /// What is wrong between the last whole segment and this one: most often nothing.
    fn before(
        &self,
        end: &LogEnd,
        header: &Header,
        hash: u128,
        damage: Option<String>,
        marks: &Marks,
    ) -> Vec<Met<'_>> {
        let mut met = Vec::new();
        let between = |reason| Met::Damage(self.between(end.last, Some(header.first), reason));
        if damage.is_some() || header.first != end.last.next() {
            met.push(between(damage));
        } else if let Err(error) = follows(end, header) {
            // Whole, and of another history: behind it nothing can be told to be of this one.
            met.push(between(Some(error.to_string())));
        } else if let Some(issue) = self.flaw_before(header.first) {
            let (file, at, reason) = (issue.file.as_path(), issue.at, issue.kind.to_string());
            met.push(Met::Flaw { file, at, reason });
        }
        if let Some(name) = marks.contradict(header, hash) {
            let first = header.first;
            let reason = format!("the segment at offset {first} is not the one that the {name} speaks of");
            met.push(between(Some(reason)));
        }
        met
    }

    /// What is wrong behind the last whole segment, if anything is.
    fn walk_end(
        &self,
        end: Offset,
        promised: Offset,
        damage: Option<String>,
        visit: &mut dyn FnMut(Met<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let issue = self.issue(end, None);
        let is_torn = issue.is_some_and(|issue| {
            let is_last = self.issues.iter().all(|other| other.file == issue.file);
            is_last && matches!(issue.kind, IssueKind::Bytes(_))
        });
        // An open log always has such a file, even an empty one.
        let reason = if self.has_wal {
            damage
        } else {
            Some("the write-ahead log's file is missing".into())
        };
        if reason.is_none() && issue.is_none() && end >= promised {
            return Ok(());
        }
        let is_torn = is_torn && reason.is_none() && end >= promised;
        let mut damage = self.between(end, None, reason);
        damage.lost_to = Some(promised).filter(|promised| *promised > end);
        visit(if is_torn {
            Met::TornTail(damage)
        } else {
            Met::Damage(damage)
        })
    }

    /// The first row at or after `from`, from the tables or the write-ahead files, and why one before it can't be read.
    fn at_or_after(&self, from: Offset) -> (Option<Row>, Option<String>) {
        let wal = self.wals.range(from..).next();
        let wal = wal.map(|(first, bytes)| Row {
            first: *first,
            bytes: bytes.clone(),
        });
        if wal.as_ref().is_some_and(|row| row.first == from) {
            return (wal, None);
        }
        let (table, unread) = self
            .tables
            .as_ref()
            .map_or((None, None), |tables| tables.at_or_after(self.shard, from));
        let row = match (table, wal) {
            (Some(table), Some(wal)) if wal.first <= table.first => Some(wal),
            (Some(table), _) => Some(table),
            (None, wal) => wal,
        };
        (row, unread)
    }

    fn judge<'a>(&self, row: &'a Row) -> Result<(Header, std::borrow::Cow<'a, [u8]>), String> {
        let place = || format!("the segment at offset {}", row.first);
        let (header, records) =
            segment::decode(&row.bytes).map_err(|error| format!("{}: {error}", place()))?;
        if (header.shard, header.first) != (self.shard, row.first) {
            return Err(format!("{}: it belongs elsewhere", place()));
        }
        super::commits(&header, &records, &mut |_| {}).map_err(|error| format!("{}: {error}", place()))?;
        Ok((header, records))
    }

    /// The damage between two whole segments, or behind the last.
    fn between(&self, before: Offset, after: Option<Offset>, reason: Option<String>) -> LogDamage {
        let issue = self.issue(before, after);
        let (file, at) = issue.map_or((None, None), |issue| (Some(issue.file.clone()), Some(issue.at)));
        let reason = issue.map(|issue| issue.kind.to_string()).or(reason);
        LogDamage {
            file: file.unwrap_or_else(|| self.directory.clone()),
            at,
            reason: reason
                .or_else(|| self.refused.clone())
                .unwrap_or_else(|| "segments are missing".into()),
            lost_from: before.next(),
            lost_to: after.map(|after| Offset::new(after.get() - 1)),
        }
    }

    /// What the scanner saw between two segments that follow each other. Where it missed some that the tables hold, the
    /// file was flushed and only waits for its deletion.
    fn flaw_before(&self, after: Offset) -> Option<&Issue> {
        let mut before = self.issues.iter().filter(|issue| issue.after == Some(after));
        before.find(|issue| issue.before.is_none_or(|before| before.next() >= after))
    }

    /// What the scanner of write-ahead files saw there.
    fn issue(&self, before: Offset, after: Option<Offset>) -> Option<&Issue> {
        self.issues.iter().find(|issue| match after {
            Some(_) => issue.after == after,
            None => issue.after.is_none() && issue.before.is_none_or(|seen| seen >= before),
        })
    }
}

impl Tables {
    /// The first row at or after `from`, and why one before it can't be read.
    ///
    /// Each segment says where the next begins, so rows are asked for one by one: that touches no other table. A seek
    /// looks into all of them, and fails on a damaged block far behind.
    fn at_or_after(&self, shard: ShardId, from: Offset) -> (Option<Row>, Option<String>) {
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
fn open_tables(directory: &Path, shared: &Shared) -> Result<(Option<Tables>, Option<String>), StoreError> {
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

fn unreadable(directory: &Path, error: &io::Error) -> StoreError {
    StoreError::Engine {
        context: format!("read the log's files in {}", directory.display()),
        reason: error.to_string().into(),
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
        fs::create_dir(&path)?;
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
