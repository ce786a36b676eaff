//! Judges the log before RocksDB may touch it.
//!
//! RocksDB, once it has opened, deletes the WALs it has replayed: what it skipped is gone for good then. So
//! damage is judged before, on what a [`Survey`] of the WALs found, and a refusal leaves the directory as it was.
//! Where the WALs alone don't tell (their data may have reached tables already), RocksDB is asked, opened for
//! reading only, which changes nothing either.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use dormouse_domain::{Offset, ShardId};
use rocksdb::{DB, DBRecoveryMode};

use super::endless;
use super::layout::{Layout, sync_directory};
use super::survey::{Issue, IssueKind, Survey, survey};
use super::wal::DamageKind;
use crate::engine::EngineError;
use crate::engine::rocks::tuning::Shared;
use crate::engine::rocks::{failed, sequential};
use crate::error::{StoreError, THE_LOG};
use crate::format::{keys, segment};
use crate::planted::{Planted, planted};

/// What a disk writes whole, or not at all.
const SECTOR_BYTES: usize = 512;
/// So many zeroes at a sector's end are hardly data: the highest bytes of one number are fewer.
const UNWRITTEN_BYTES: usize = 8;

/// Up to where the log must reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Promised {
    /// The watermark's offset.
    pub(crate) watermark: Offset,
    /// The indexed offset; 0 if `derived/` says nothing.
    pub(crate) indexed: Offset,
}

impl Promised {
    fn offset(self) -> Offset {
        self.watermark.max(self.indexed)
    }
}

/// Looks at `log/`, cuts off a torn tail, and refuses any other damage and any log that ends too early.
///
/// Returns the first offset in the WALs; none if they hold no segment. Reads all WALs once, at most a few
/// hundred MiB.
///
/// # Errors
/// [`StoreError::LogDamaged`], [`StoreError::LogShorterThanWatermark`] or [`StoreError::LogShorterThanIndex`], and
/// nothing was changed; an engine error if files can't be read.
pub(crate) fn check_log(
    layout: &Layout,
    shard: ShardId,
    promised: Promised,
    shared: &Shared,
) -> Result<Option<Offset>, StoreError> {
    let log = layout.log();
    let reading = |error: io::Error| StoreError::Engine {
        context: format!("read the log's files in {}", log.display()),
        reason: error.to_string().into(),
    };
    if let Some(reason) = endless::manifest(&log).and_then(|manifest| endless::describe(&manifest)) {
        return Err(StoreError::corrupt(THE_LOG, "a file of RocksDB", reason));
    }
    let found = survey(&log, shard).map_err(reading)?;
    if found.files.is_empty() {
        return Err(no_wal(
            &log,
            promised,
            &tables(&log, shared).and_then(|tables| tables.end(shard)),
        ));
    }
    if planted(Planted::DefaultWalMode) {
        return Ok(found.first);
    }
    if found.issues.is_empty() {
        let end = found.tip.map(|tip| tip.offset);
        if end.is_none_or(|end| end < promised.offset()) {
            refuse_shorter(tables(&log, shared)?.end(shard)?, promised)?;
        }
    }
    for issue in &found.issues {
        match issue.after {
            Some(after) => refuse_unless_in_tables(&log, shard, issue, after, shared)?,
            // the end of the log: what is behind it in the file goes with it
            None => {
                settle_tail(layout, shard, issue, &found, promised, shared)?;
                break;
            }
        }
    }
    Ok(found.first)
}

/// Damage with no whole segment after it: a torn tail, or a loss, as the promise says.
fn settle_tail(
    layout: &Layout,
    shard: ShardId,
    issue: &Issue,
    found: &Survey,
    promised: Promised,
    shared: &Shared,
) -> Result<(), StoreError> {
    let before = match issue.before {
        Some(before) => before,
        None => tables(&layout.log(), shared)?.end(shard)?,
    };
    // A torn write is one that was going on when the process or the machine stopped: in the newest file that holds
    // anything. Behind it stands an empty one if RocksDB was stopped while it opened: it makes the next file, and
    // deletes the old ones last.
    let is_last = found.issues.iter().all(|other| other.file == issue.file);
    let is_torn = matches!(issue.kind, IssueKind::Bytes(_)) && is_last && before >= promised.offset();
    if !is_torn {
        let lost_to = Some(promised.offset()).filter(|promised| *promised > before);
        return Err(damaged(issue, before.next(), lost_to));
    }
    let is_cut = issue.kind == IssueKind::Bytes(DamageKind::Cut) && found.issues.len() == 1;
    if is_cut && endless::describe(&issue.file).is_none() {
        tracing::info!(
            file = %issue.file.display(), at = issue.at, log_end = before.get(),
            "the log ends inside a write that was never acknowledged; RocksDB drops it"
        );
        return Ok(());
    }
    cut_off(layout, issue, before).map_err(|error| StoreError::Engine {
        context: format!("cut the torn tail off {}", issue.file.display()),
        reason: error.to_string().into(),
    })
}

fn cut_off(layout: &Layout, issue: &Issue, before: Offset) -> io::Result<()> {
    let aside = layout.damaged();
    fs::create_dir_all(&aside)?;
    let seconds = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs());
    let name = issue.file.file_name().unwrap_or_default().to_string_lossy();
    let copy = aside.join(format!("{seconds}-{name}"));
    fs::copy(&issue.file, &copy)?;
    File::open(&copy)?.sync_all()?;
    sync_directory(&aside)?;
    let was_whole = was_whole(issue)?;
    let file = OpenOptions::new().write(true).open(&issue.file)?;
    file.set_len(issue.at)?;
    file.sync_all()?;
    if was_whole {
        tracing::error!(
            file = %issue.file.display(), at = issue.at, reason = %issue.kind, log_end = before.get(), copy = %copy.display(),
            "the log's last record is damaged, and not as a write is that was cut short: what it held may have been \
             acknowledged, after the last watermark, and is lost; it was cut off"
        );
    } else {
        tracing::warn!(
            file = %issue.file.display(), at = issue.at, reason = %issue.kind, log_end = before.get(), copy = %copy.display(),
            "the log's torn tail, which was never acknowledged or not before the last watermark, was cut off"
        );
    }
    Ok(())
}

/// Whether the damaged record ends with the file, and nothing of it looks unwritten. A file system may leave such a one
/// behind a write that was torn, too (old blocks of another file, say), so it is no reason to refuse.
fn was_whole(issue: &Issue) -> io::Result<bool> {
    let is_changed = issue.kind == IssueKind::Bytes(DamageKind::Checksum);
    let bytes = fs::read(&issue.file)?;
    let at = usize::try_from(issue.at).unwrap_or(usize::MAX);
    let ends_with_file = issue.record_end == Some(bytes.len() as u64);
    Ok(is_changed && ends_with_file && !looks_unwritten(&bytes, at))
}

/// Whether a sector of what is behind `at` ends in zeroes: it never reached the disk, or only its beginning did.
fn looks_unwritten(file: &[u8], at: usize) -> bool {
    let sector_ends = (at / SECTOR_BYTES + 1..).map(|sector| sector * SECTOR_BYTES);
    sector_ends
        .take_while(|end| *end <= file.len())
        .chain([file.len()])
        .any(|end| {
            file[end.saturating_sub(UNWRITTEN_BYTES).max(at)..end]
                .iter()
                .all(|byte| *byte == 0)
        })
}

/// Damage between whole segments. It costs nothing if the file was flushed already and only waits for its deletion.
fn refuse_unless_in_tables(
    log: &Path,
    shard: ShardId,
    issue: &Issue,
    after: Offset,
    shared: &Shared,
) -> Result<(), StoreError> {
    let tables = match tables(log, shared) {
        Ok(tables) => tables,
        // RocksDB's word for it adds nothing to ours, which knows the loss.
        Err(StoreError::Corrupt { .. }) if issue.before.is_some() => {
            let from = issue.before.map_or(Offset::NONE, Offset::next);
            return Err(damaged(issue, from, Some(Offset::new(after.get() - 1))));
        }
        Err(error) => return Err(error),
    };
    let from = match issue.before {
        Some(before) => before.next(),
        None => tables.end_before(shard, after)?.next(),
    };
    if from < after && tables.hold(shard, from, after)? {
        return Ok(());
    }
    Err(damaged(issue, from, Some(Offset::new(after.get() - 1))))
}

fn damaged(issue: &Issue, lost_from: Offset, lost_to: Option<Offset>) -> StoreError {
    let (file, at, reason) = (issue.file.clone(), issue.at, issue.kind.to_string().into());
    StoreError::LogDamaged {
        file,
        at,
        reason,
        lost_from,
        lost_to,
    }
}

/// The error of an instance that RocksDB would not open.
pub(crate) fn refused_by_rocksdb(directory: &Path, error: &rocksdb::Error) -> StoreError {
    match failed("open the log", error) {
        EngineError::Corrupt { reason, .. } => StoreError::corrupt(
            THE_LOG,
            format!("a file of RocksDB in {}", directory.display()),
            reason,
        ),
        other => other.into(),
    }
}

/// An open log always has a WAL file, even an empty one: none at all means that it was taken away.
fn no_wal(log: &Path, promised: Promised, end: &Result<Offset, StoreError>) -> StoreError {
    let lost_from = end.as_ref().map_or(Offset::new(1), |end| end.next());
    StoreError::LogDamaged {
        file: log.join("*.log"),
        at: 0,
        reason: "the write-ahead log's file is missing".into(),
        lost_from,
        lost_to: Some(promised.offset()).filter(|to| *to >= lost_from),
    }
}

fn refuse_shorter(log_end: Offset, promised: Promised) -> Result<(), StoreError> {
    let Promised { watermark, indexed } = promised;
    if log_end < watermark {
        return Err(StoreError::LogShorterThanWatermark { log_end, watermark });
    }
    if log_end < indexed {
        return Err(StoreError::LogShorterThanIndex { log_end, indexed });
    }
    Ok(())
}

/// The log as RocksDB sees it, opened for reading only, with every whole record it can find.
struct Tables {
    db: DB,
}

fn tables(log: &Path, shared: &Shared) -> Result<Tables, StoreError> {
    if let Some(reason) = endless::find(log) {
        return Err(StoreError::corrupt(THE_LOG, "a file of RocksDB", reason));
    }
    let mut options = shared
        .log()
        .map_err(|error| failed("set the log's options", &error))?;
    options.set_wal_recovery_mode(DBRecoveryMode::SkipAnyCorruptedRecord);
    let db = DB::open_for_read_only(&options, log, false).map_err(|error| refused_by_rocksdb(log, &error))?;
    Ok(Tables { db })
}

impl Tables {
    fn end(&self, shard: ShardId) -> Result<Offset, StoreError> {
        self.end_before(shard, Offset::new(u64::MAX))
    }

    /// The last offset of the last segment that begins before `before`.
    fn end_before(&self, shard: ShardId, before: Offset) -> Result<Offset, StoreError> {
        let mut rows = self.db.raw_iterator_opt(sequential());
        rows.seek_for_prev(keys::log(shard, Offset::new(before.get().saturating_sub(1))));
        match rows.item() {
            Some((key, value)) if keys::parse_log(key).is_some_and(|(of, _)| of == shard) => {
                let header = segment::decode_header(value).map_err(|reason| {
                    let first = keys::parse_log(key).map_or(Offset::NONE, |(_, first)| first);
                    StoreError::corrupt(THE_LOG, format!("the segment at offset {first}"), reason)
                })?;
                Ok(header.last())
            }
            _ => {
                rows.status()
                    .map_err(|error| StoreError::from(failed("read the log", &error)))?;
                Ok(Offset::NONE)
            }
        }
    }

    /// Whether every offset from `from` up to `to`, without it, is there.
    fn hold(&self, shard: ShardId, from: Offset, to: Offset) -> Result<bool, StoreError> {
        let mut rows = self.db.raw_iterator_opt(sequential());
        rows.seek_for_prev(keys::log(shard, from));
        let mut reached: Option<Offset> = None;
        while let Some((_, value)) = rows.item() {
            let Ok(header) = segment::decode_header(value) else {
                return Ok(false);
            };
            let is_next = reached.map_or(header.first <= from, |last| header.first == last.next());
            if header.shard != shard || !is_next {
                return Ok(false);
            }
            if header.last().next() >= to {
                return Ok(true);
            }
            reached = Some(header.last());
            rows.next();
        }
        rows.status()
            .map_err(|error| StoreError::from(failed("read the log", &error)))?;
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_not_written_ends_in_zeroes_somewhere() {
        let written = vec![7; 3_000];
        assert!(!looks_unwritten(&written, 700));
        for (from, to) in [
            (512, 1_024),
            (700, 1_024),
            (1_100, 1_536),
            (2_048, 2_560),
            (2_600, 3_000),
        ] {
            let mut torn = written.clone();
            torn[from..to].fill(0);
            assert!(looks_unwritten(&torn, 700), "{from}..{to}");
        }
        let mut before = written.clone();
        before[..700].fill(0);
        before[800..900].fill(0);
        assert!(!looks_unwritten(&before, 700), "before the record, or data");
    }

    #[test]
    fn a_record_that_was_whole_ends_with_the_file_and_was_changed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), [7; 2_000]).unwrap();
        let judged = |kind, record_end| {
            let issue = Issue {
                file: file.path().to_path_buf(),
                at: 700,
                kind: IssueKind::Bytes(kind),
                before: None,
                after: None,
                record_end,
            };
            was_whole(&issue).unwrap()
        };
        assert!(judged(DamageKind::Checksum, Some(2_000)));
        assert!(!judged(DamageKind::Checksum, Some(2_001)), "cut");
        assert!(!judged(DamageKind::Checksum, None), "it does not say so any more");
        assert!(!judged(DamageKind::Zeroes, Some(2_000)));
        fs::write(file.path(), [[7; 1_000], [0; 1_000]].concat()).unwrap();
        assert!(
            !judged(DamageKind::Checksum, Some(2_000)),
            "half of it is missing"
        );
    }
}
