//! Saving what is whole of a damaged store.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::{fmt, io};

use dormouse_domain::{AggregateId, AggregateType, Offset, ShardId, StreamId, Version};

use super::derived::Derived;
use super::log::{Log, Met};
use super::{Extent, Files, LogDamage, commits, log_directory};
use crate::engine::Watermark;
use crate::engine::rocks::tuning::Shared;
use crate::error::StoreError;
use crate::format::keys;
use crate::format::segment;
use crate::lock::keep_closed;
use crate::log_end::LogEnd;
use crate::open::NewStore;
use crate::options::{OpenProgress, StoreOptions};
use crate::store::Store;
use crate::stored::StoredCommit;

/// So many places of damage are listed; the rest is counted with what is lost.
const DAMAGE_LISTED_MAX: usize = 1_000;

/// What became of a damaged store.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvaged {
    /// What the new store holds: all before the first damage.
    pub kept: Extent,
    /// How far the log reached once, as far as anything tells: watermark, index, whole segments behind the damage.
    pub reached: Offset,
    /// Where the log is damaged, in order, at most 1,000 places.
    pub damage: Vec<LogDamage>,
    /// The streams that lost versions, as far as the rest of the log or the index knows of them.
    pub lost: Vec<LostStream>,
    /// Lost offsets of which nobody knows the stream.
    pub unknown_events: u64,
    /// Whether the watermark can't be read: then a log that was cut between two records looks whole.
    pub is_end_unknown: bool,
    /// What else could not be read: a file and the reason. Nothing is lost by it, but something may go unnoticed.
    pub notes: Vec<String>,
}

impl Salvaged {
    /// How many events are known to be lost.
    #[must_use]
    pub fn lost_events(&self) -> u64 {
        self.reached.get().saturating_sub(self.kept.end.get())
    }
}

impl Salvaged {
    /// Of streams that are known to have lost something, all versions behind what the new store holds are lost.
    fn complete(&mut self, new: &Store) -> Result<(), StoreError> {
        let mut known = 0;
        for lost in &mut self.lost {
            lost.first = new.head(&lost.stream)?.next();
            known += (lost.last.get() + 1).saturating_sub(lost.first.get());
        }
        self.unknown_events = self.lost_events().saturating_sub(known);
        Ok(())
    }
}

/// A stream that lost versions: all from `first` on, up to `last` at least.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LostStream {
    /// The stream.
    pub stream: StreamId,
    /// Its first lost version; the new store holds none from it on.
    pub first: Version,
    /// The highest one that is known.
    pub last: Version,
}

impl fmt::Display for LostStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => write!(f, "{}: version {}", self.stream, self.first),
            false => write!(f, "{}: versions {} to {}", self.stream, self.first, self.last),
        }
    }
}

/// Copies the log of the store at `from`, up to the first damage, into a new store at `to`, and says what is lost.
/// Of `options` it takes shard, cache and progress.
///
/// If it ends early, because it failed or was killed, what is at `to` is no store and does not open: remove it.
///
/// The store at `from` is not changed. It must be closed, and may be damaged in any way. The new one has its own id and
/// opens as any other: offsets, versions, times and replies are those of the old one.
///
/// Nothing behind the damage is kept, though it may be whole: an event there may rest on a lost one, and its offset,
/// which checkpoints and event ids speak of, can't be kept without a gap. So each stream ends where the log did then.
/// Command ids of what is lost are free again. Keep the damaged store.
///
/// Costs reading the old store and writing the log twice; as much memory as opening.
///
/// # Errors
/// `NotAStore` if there is no `log/` in `from`; `Locked` if it is open; `NewerFormat`; `NotWritable` if `to` can't be
/// written or holds something, which is not touched; `Engine` for what the system refuses, or if `from` is not there.
pub fn salvage(
    from: impl AsRef<Path>,
    to: impl AsRef<Path>,
    options: &StoreOptions,
) -> Result<Salvaged, StoreError> {
    let (from, to) = (from.as_ref(), to.as_ref());
    let log = log_directory(from)?;
    refuse_inside(from, to)?;
    let _closed = keep_closed(from)?;
    let shard = options.shard;
    let shared = Shared::new(options.cache_bytes)?;
    let files = Files::read(from)?;
    let mut notes: Vec<String> = files
        .damaged
        .iter()
        .map(|(file, reason)| format!("{}: {reason}", file.display()))
        .collect();
    let derived = Derived::open(from, files.store, shard, &shared)
        .map_err(|reason| notes.push(format!("{}: {reason}", from.join("derived").display())))
        .ok();
    let marks = files.marks(shard, derived.as_ref());
    let promised = marks.promised();
    let directory = log;
    let log = Log::open(&directory, shard, &shared)?;
    notes.extend(
        log.refused
            .iter()
            .map(|reason| format!("{}: {reason}", directory.display())),
    );
    let mut copy = Copy {
        new: NewStore::begin(to, options.cache_bytes)?,
        options,
        end: LogEnd::EMPTY,
        salvaged: Salvaged {
            reached: promised,
            is_end_unknown: files.is_end_unknown,
            notes,
            ..Salvaged::default()
        },
        lost: Lost::default(),
    };
    log.walk(&marks, &mut |met| copy.meet(met))?;
    if let Some(derived) = &derived {
        copy.ask(derived);
    }
    copy.finish(shard)?;
    // As any opening: verifies every checksum and the chain, and builds the index.
    let Copy {
        new, mut salvaged, ..
    } = copy;
    drop(new);
    let store = Store::open_with(to, options.clone())?;
    salvaged.complete(&store)?;
    store.close()?;
    Ok(salvaged)
}

fn refuse_inside(from: &Path, to: &Path) -> Result<(), StoreError> {
    let real = |path: &Path| path.canonicalize().or_else(|_| std::path::absolute(path));
    let is_inside = matches!((real(from), real(to)), (Ok(from), Ok(to)) if to.starts_with(&from));
    if is_inside {
        return Err(StoreError::NotWritable {
            path: to.to_path_buf(),
            reason: Arc::new(io::Error::other("it is inside the damaged store")),
        });
    }
    Ok(())
}

/// The copy, as it is made.
struct Copy<'a> {
    new: NewStore,
    options: &'a StoreOptions,
    /// Of what was copied.
    end: LogEnd,
    salvaged: Salvaged,
    lost: Lost,
}

impl Copy<'_> {
    fn meet(&mut self, met: Met<'_>) -> Result<(), StoreError> {
        match met {
            Met::Flaw { file, at, reason } => {
                let note = format!(
                    "{} at byte {at}: {reason}; no event is lost by it",
                    file.display()
                );
                self.salvaged.notes.push(note);
            }
            Met::TornTail(damage) => self
                .salvaged
                .notes
                .push(format!("a write that was never acknowledged: {damage}")),
            Met::Damage(damage) => {
                self.lost.gap(&damage);
                if self.salvaged.damage.len() < DAMAGE_LISTED_MAX {
                    self.salvaged.damage.push(damage);
                }
            }
            Met::Segment { header, bytes, .. } if self.salvaged.damage.is_empty() => {
                self.new.append(&keys::log(header.shard, header.first), bytes)?;
                self.end = LogEnd::of(header, segment::hash(bytes));
                self.salvaged.kept.add(header);
                self.tell(header.last());
            }
            // Nothing tells whether it is this store's.
            Met::Segment { header, .. } if self.lost.foreign_from.is_some() => self.tell(header.last()),
            Met::Segment { header, records, .. } => {
                self.salvaged.reached = self.salvaged.reached.max(header.last());
                // Checked by the walk already.
                let _ = commits(header, records, &mut |commit| self.lost.commit(commit, true));
                self.tell(header.last());
            }
        }
        Ok(())
    }

    /// What the index knows of commits that are in no whole segment.
    fn ask(&mut self, derived: &Derived) {
        let (lost, reached) = (&mut self.lost, &mut self.salvaged.reached);
        let asked = derived.commits(&mut |commit| {
            if lost.is_in_gap(commit.first_offset()) {
                *reached = commit.last_offset().max(*reached);
                lost.commit(commit, false);
            }
        });
        if let Err(reason) = asked {
            self.salvaged.notes.push(format!("the index: {reason}"));
        }
    }

    fn finish(&mut self, shard: ShardId) -> Result<(), StoreError> {
        self.salvaged.reached = self.salvaged.reached.max(self.end.last);
        let mut lost = std::mem::take(&mut self.lost);
        lost.end_stretch();
        self.salvaged.lost = lost.streams();
        self.new.finish(Watermark {
            shard: shard.get(),
            offset: self.end.last,
            hash: self.end.hash,
        })
    }

    fn tell(&self, at: Offset) {
        if let Some(progress) = &self.options.progress {
            let end = self.salvaged.reached.max(at);
            progress(OpenProgress {
                from: Offset::new(1),
                at,
                end,
            });
        }
    }
}

/// By type and id: the first and the last version.
type Versions = BTreeMap<(String, String), (Version, Version)>;

fn add(streams: &mut Versions, names: (String, String), first: Version, last: Version) {
    let versions = streams.entry(names).or_insert((first, last));
    *versions = (versions.0.min(first), versions.1.max(last));
}

/// What was in the store once, as far as the rest of it tells.
#[derive(Default)]
struct Lost {
    streams: Versions,
    /// Of whole segments since the last gap. They chain to each other, but nothing chains them to what is before, until a
    /// mark says that they are this store's, or are not.
    stretch: Versions,
    stretch_from: Offset,
    /// Lost offsets, in order; the last range may have no known end.
    gaps: Vec<(Offset, Option<Offset>)>,
    /// From here on the log is of another history; what was here once, the index may know.
    foreign_from: Option<Offset>,
}

impl Lost {
    fn gap(&mut self, damage: &LogDamage) {
        self.gaps.push((damage.lost_from, damage.lost_to));
        if damage.lost_events() == Some(0) {
            self.stretch.clear();
            let is_of_stretch = self.stretch_from > Offset::NONE;
            let from = if is_of_stretch {
                self.stretch_from
            } else {
                damage.lost_from
            };
            self.foreign_from.get_or_insert(from);
        } else {
            self.end_stretch();
            self.stretch_from = damage.lost_to.map_or(damage.lost_from, Offset::next);
        }
    }

    fn is_in_gap(&self, offset: Offset) -> bool {
        if self.foreign_from.is_some_and(|from| offset >= from) {
            return true;
        }
        let behind = self.gaps.partition_point(|(from, _)| *from <= offset);
        let Some(gap) = behind.checked_sub(1) else {
            return false;
        };
        let is_last = behind == self.gaps.len();
        let is_behind_all = is_last && self.gaps[gap].1.is_none();
        is_behind_all || self.gaps[gap].1.is_some_and(|to| offset <= to)
    }

    fn end_stretch(&mut self) {
        for (names, (first, last)) in std::mem::take(&mut self.stretch) {
            add(&mut self.streams, names, first, last);
        }
    }

    fn commit(&mut self, commit: &StoredCommit<'_>, is_from_log: bool) {
        let names = (commit.aggregate_type().to_owned(), commit.id().to_owned());
        let to = if is_from_log {
            &mut self.stretch
        } else {
            &mut self.streams
        };
        add(to, names, commit.first_version(), commit.last_version());
    }

    fn streams(self) -> Vec<LostStream> {
        let stream = |((aggregate_type, id), (first, last)): ((String, String), _)| {
            let stream = StreamId::new(
                AggregateType::new(aggregate_type).ok()?,
                AggregateId::try_from(id.as_str()).ok()?,
            );
            Some(LostStream { stream, first, last })
        };
        self.streams.into_iter().filter_map(stream).collect()
    }
}
