//! What the log's write-ahead log files hold: the segments, in order, and everything that is not as it should be.

use std::path::{Path, PathBuf};
use std::{fs, io};

use dormouse_domain::{Offset, ShardId};

use super::wal::{self, DamageKind, Found};
use super::wal_batch;
use crate::format::{keys, segment};

/// All WALs of a log, read.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// The files, in the order they were written.
    pub(crate) files: Vec<PathBuf>,
    /// The first offset in them.
    pub(crate) first: Option<Offset>,
    /// The last whole segment in them.
    pub(crate) tip: Option<Tip>,
    /// What is wrong, in order.
    pub(crate) issues: Vec<Issue>,
    /// Which of the files is read.
    reading: usize,
}

/// The end of a chain of segments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tip {
    /// Its last offset.
    pub(crate) offset: Offset,
    /// Its hash.
    pub(crate) hash: u128,
    /// Its number.
    batch: u64,
    /// Which of the files it is in.
    file: usize,
}

/// Something wrong in a WAL.
#[derive(Clone, Debug)]
pub(crate) struct Issue {
    /// The file.
    pub(crate) file: PathBuf,
    /// Where in it; everything before is whole.
    pub(crate) at: u64,
    /// What is wrong.
    pub(crate) kind: IssueKind,
    /// The last offset of the whole segment before it, if one is in the WALs.
    pub(crate) before: Option<Offset>,
    /// The first offset of the first whole segment after it.
    pub(crate) after: Option<Offset>,
    /// Where in the file the record ends that is hit, if it is left to say so.
    pub(crate) record_end: Option<u64>,
}

/// What is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum IssueKind {
    /// Bytes that are no record.
    Bytes(DamageKind),
    /// A whole record that is no segment.
    Record(String),
    /// Segments are missing between two whole ones, or come twice.
    Offsets,
    /// A segment does not follow from the one before it.
    Chain,
}

impl std::fmt::Display for IssueKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bytes(kind) => kind.fmt(f),
            Self::Record(reason) => f.write_str(reason),
            Self::Offsets => f.write_str("the segment here does not begin where the one before ended"),
            Self::Chain => {
                f.write_str("the segment here does not follow from the one before it: their hashes differ")
            }
        }
    }
}

/// Called with each segment's header and bytes.
pub(crate) type VisitSegment<'v> = &'v mut dyn FnMut(&segment::Header, &[u8]);

/// Reads all WALs in `log`. Changes nothing.
///
/// # Errors
/// If a file can't be read.
pub(crate) fn survey(log: &Path, shard: ShardId) -> io::Result<Survey> {
    survey_with(log, shard, &mut |_, _| {})
}

/// The same; `visit` is shown each whole segment.
///
/// # Errors
/// If a file can't be read.
pub(crate) fn survey_with(log: &Path, shard: ShardId, visit: VisitSegment<'_>) -> io::Result<Survey> {
    let mut survey = Survey {
        files: wal_files(log)?,
        ..Survey::default()
    };
    for (reading, file) in survey.files.clone().into_iter().enumerate() {
        survey.reading = reading;
        wal::scan(&file, &mut |found| match found {
            Found::Record {
                is_guess: true,
                at,
                bytes,
            } if !survey.may_follow(at, bytes) => {}
            Found::Record { at, bytes, .. } => survey.record(&file, at, bytes, shard, visit),
            Found::Damage(damage) => {
                survey.issue(&file, damage.at, IssueKind::Bytes(damage.kind));
                survey.issues.last_mut().expect("just put there").record_end = damage.record_end;
            }
        })?;
    }
    Ok(survey)
}

/// The WALs by number: `000012.log`.
pub(crate) fn wal_files(log: &Path) -> io::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(log)? {
        let path = entry?.path();
        let is_wal = path.extension().is_some_and(|extension| extension == "log");
        let number = path
            .file_stem()
            .and_then(|stem| stem.to_str()?.parse::<u64>().ok());
        if let (true, Some(number)) = (is_wal, number) {
            files.push((number, path));
        }
    }
    files.sort();
    Ok(files.into_iter().map(|(_, path)| path).collect())
}

impl Survey {
    fn record(&mut self, file: &Path, at: u64, batch: &[u8], shard: ShardId, visit: VisitSegment<'_>) {
        let mut problem = None;
        let is_puts =
            wal_batch::visit_puts(
                batch,
                &mut |put| match self.segment(file, at, (put.key, put.value), shard) {
                    Ok(header) => visit(&header, put.value),
                    Err(reason) => {
                        problem.get_or_insert(reason);
                    }
                },
            );
        if !is_puts {
            problem.get_or_insert_with(|| "a whole record that the store does not write".to_string());
        }
        if let Some(reason) = problem {
            self.issue(file, at, IssueKind::Record(reason));
        }
    }

    fn segment(
        &mut self,
        file: &Path,
        at: u64,
        (key, value): (&[u8], &[u8]),
        shard: ShardId,
    ) -> Result<segment::Header, String> {
        let (key_shard, key_first) = keys::parse_log(key).ok_or("a key that is no log key")?;
        let header = segment::decode_header(value)
            .map_err(|reason| format!("a segment that can't be read: {reason}"))?;
        if (header.shard, header.first) != (key_shard, key_first) || header.shard != shard {
            return Err("a segment that does not belong under its key".into());
        }
        if let Some(tip) = self.tip {
            // Behind damage a gap is no news; the damage's loss says how far it reaches.
            let follows_damage = self.issues.last().is_some_and(|issue| issue.after.is_none());
            if header.first != tip.offset.next() {
                if !follows_damage || header.first <= tip.offset {
                    self.issue(file, at, IssueKind::Offsets);
                }
            } else if header.previous != tip.hash {
                self.issue(file, at, IssueKind::Chain);
            }
        }
        for issue in self
            .issues
            .iter_mut()
            .rev()
            .take_while(|issue| issue.after.is_none())
        {
            issue.after = Some(header.first);
        }
        self.first.get_or_insert(header.first);
        self.tip = Some(Tip {
            offset: header.last(),
            hash: segment::hash(value),
            batch: header.batch,
            file: self.reading,
        });
        Ok(header)
    }

    fn issue(&mut self, file: &Path, at: u64, kind: IssueKind) {
        let before = self.tip.map(|tip| tip.offset);
        self.issues.push(Issue {
            file: file.to_path_buf(),
            at,
            kind,
            before,
            after: None,
            record_end: None,
        });
    }

    /// Whether a record that was found by trying every byte behind damage can be one that was written behind the last
    /// whole segment. A payload can hold what looks like a record; to look like one that belongs there it must guess
    /// the number of a batch within what the damaged bytes have room for, besides the offset.
    fn may_follow(&self, at: u64, batch: &[u8]) -> bool {
        let Some(tip) = self.tip else { return true };
        let mut may = true;
        wal_batch::visit_puts(batch, &mut |put| {
            may &= segment::decode_header(put.value)
                .is_ok_and(|header| follows(&tip, &header, self.batches_lost_max(&tip, at)));
        });
        may
    }

    /// How many batches may be in what is damaged before `at`.
    fn batches_lost_max(&self, tip: &Tip, at: u64) -> u64 {
        let Some(damage) = self.issues.iter().find(|issue| issue.after.is_none()) else {
            return 0;
        };
        if tip.file == self.reading && damage.file == self.files[self.reading] {
            (at - damage.at) / segment::HEADER_BYTES as u64
        } else {
            u64::MAX
        }
    }
}

/// Whether a segment can stand behind `tip` with no more than so many batches lost between them.
fn follows(tip: &Tip, header: &segment::Header, lost_max: u64) -> bool {
    let next = tip.offset.next();
    match header.batch.checked_sub(tip.batch) {
        None | Some(0) => false,
        Some(1) => header.first == next && header.previous == tip.hash,
        Some(steps) => {
            // each batch has an event at least
            let lost = steps - 1;
            lost <= lost_max && header.first.get() >= next.get().saturating_add(lost)
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
