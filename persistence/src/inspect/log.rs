//! Reads the log of a store that need not be sound: every whole segment, from wherever it is, and every damage.
//!
//! RocksDB reads the tables, opened for reading only ([`tables`]); the write-ahead files are read by our own scanner,
//! which finds what lies behind damage. Nothing is written into the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dormouse_domain::{Offset, ShardId};

use super::tables::{self, Row, Tables};
use super::{LogDamage, unreadable};
use crate::engine::Watermark;
use crate::engine::rocks::tuning::Shared;
use crate::error::StoreError;
use crate::format::segment::{self, Header};
use crate::log_end::LogEnd;
use crate::open::survey::{Issue, IssueKind, survey_with};
use crate::recovery::follows;

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
        let (tables, refused) = tables::open(directory, shared)?;
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
