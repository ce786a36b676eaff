//! Looking into a closed store that may be damaged, and saving what is whole: what the `dormouse` command does.
//!
//! [`verify`] reads everything and says what it found. [`salvage`] copies the log, up to the first damage, into a new
//! store, and lists exactly what is lost. Neither writes into the store they look at, nor needs it to be one that opens.

mod derived;
mod log;
mod salvage;
mod tables;
mod verify;

use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use dormouse_domain::{Offset, ShardId};
use uuid::Uuid;

use self::derived::Derived;
use self::log::Marks;

pub use self::salvage::{LostStream, Salvaged, salvage};
pub use self::verify::{Finding, Verified, verify};
use crate::engine::Watermark;
use crate::error::StoreError;
use crate::format::record::{self, Known, Record};
use crate::format::segment::Header;
use crate::format::{Malformed, Reader};
use crate::open::layout;
use crate::stored::StoredCommit;
use crate::watermark::{self, WATERMARK_FILE};

/// A place where the log is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogDamage {
    /// The damaged file; the log's directory where no single one can be told, then the reason may name it.
    pub file: PathBuf,
    /// Where in the file, if it is known.
    pub at: Option<u64>,
    /// What was seen.
    pub reason: String,
    /// The first offset that can't be read.
    pub lost_from: Offset,
    /// The last one, if anything tells. One below `lost_from`: all offsets are there, but do not belong together.
    pub lost_to: Option<Offset>,
}

impl LogDamage {
    /// How many offsets are lost here; `None` if nothing tells.
    #[must_use]
    pub fn lost_events(&self) -> Option<u64> {
        Some((self.lost_to?.get() + 1).saturating_sub(self.lost_from.get()))
    }
}

impl fmt::Display for LogDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(at) = self.at {
            write!(f, " at byte {at}")?;
        }
        write!(f, ": {}; ", self.reason)?;
        match (self.lost_events(), self.lost_to) {
            (Some(0), _) => write!(
                f,
                "what follows offset {} is of another history",
                self.lost_from.get() - 1
            ),
            (Some(1), Some(to)) => write!(f, "offset {to} is lost"),
            (_, Some(to)) => write!(f, "offsets {} to {to} are lost", self.lost_from),
            (_, None) => write!(
                f,
                "nothing is known of what followed offset {}",
                self.lost_from.get() - 1
            ),
        }
    }
}

/// How much of a log is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extent {
    /// The last offset.
    pub end: Offset,
    /// Segments: batches that one sync made durable.
    pub segments: u64,
    /// Commits.
    pub commits: u64,
    /// Events.
    pub events: u64,
}

impl Extent {
    fn add(&mut self, header: &Header) {
        self.end = header.last();
        self.segments += 1;
        self.commits += u64::from(header.commits);
        self.events += u64::from(header.events);
    }
}

/// What the small files beside the log say.
struct Files {
    store: Option<Uuid>,
    watermark: Option<Watermark>,
    /// Whether the watermark can't be read, so that nothing tells how far the log reached.
    is_end_unknown: bool,
    /// What can't be read: file and reason.
    damaged: Vec<(PathBuf, String)>,
}

impl Files {
    fn read(root: &Path) -> Result<Self, StoreError> {
        let mut damaged = Vec::new();
        let store = match layout::read_format(root) {
            Ok(store) => Some(store),
            Err(StoreError::Corrupt { reason, .. }) => {
                damaged.push((root.join("FORMAT"), reason.to_string()));
                None
            }
            Err(error) => return Err(error),
        };
        let path = root.join(WATERMARK_FILE);
        let damaged_before = damaged.len();
        let watermark = match watermark::peek(root) {
            Ok(Some((of, _))) if store.is_some_and(|store| store != of) => {
                damaged.push((path, "it is another store's".into()));
                None
            }
            Ok(mark) => mark.map(|(_, mark)| mark),
            Err(reason) => {
                damaged.push((path, reason));
                None
            }
        };
        Ok(Self {
            store,
            watermark,
            is_end_unknown: damaged.len() > damaged_before,
            damaged,
        })
    }

    /// What is noted outside of the log.
    fn marks(&self, shard: ShardId, derived: Option<&Derived>) -> Marks {
        let watermark = self.watermark.filter(|mark| mark.shard == shard.get());
        let indexed = derived.map(|derived| Watermark {
            shard: shard.get(),
            offset: derived.indexed.offset,
            hash: derived.indexed.hash,
        });
        let watermark = watermark.map(|mark| ("watermark", mark));
        Marks(
            watermark
                .into_iter()
                .chain(indexed.map(|mark| ("indexed position", mark)))
                .collect(),
        )
    }
}

/// The directory of the log of what may be a store.
fn log_directory(root: &Path) -> Result<PathBuf, StoreError> {
    let refused = |error: io::Error| StoreError::Engine {
        context: format!("look for a store in {}", root.display()),
        reason: error.to_string().into(),
    };
    let log = root.join("log");
    // Also tells a directory that is not there, or must not be read, from one that holds none.
    fs::read_dir(root).map_err(refused)?;
    match fs::metadata(&log) {
        Ok(found) if found.is_dir() => Ok(log),
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(refused(error)),
        _ => Err(StoreError::NotAStore {
            path: root.to_path_buf(),
            missing: "log/",
        }),
    }
}

/// Checks a segment's records, each with its own checksum, and that they are as many as it says.
fn commits(
    header: &Header,
    records: &[u8],
    visit: &mut dyn FnMut(&StoredCommit<'_>),
) -> Result<(), Malformed> {
    let mut reader = Reader::new(records);
    let (mut offset, mut seen) = (header.first, 0);
    while !reader.is_empty() {
        let bytes = record::take(&mut reader)?;
        let record = Record::decode(bytes, &Known::default())?;
        let commit = StoredCommit::new(record, header.shard, offset, header.time);
        visit(&commit);
        offset = commit.last_offset().next();
        seen += 1;
    }
    if offset != header.last().next() || seen != header.commits {
        return Err(Malformed::Value("a segment's number of commits or events"));
    }
    Ok(())
}

fn unreadable(directory: &Path, error: &io::Error) -> StoreError {
    StoreError::Engine {
        context: format!("read the log's files in {}", directory.display()),
        reason: error.to_string().into(),
    }
}
