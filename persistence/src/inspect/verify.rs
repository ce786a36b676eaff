//! Reading a whole store and comparing its parts.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};

use dormouse_domain::{Offset, Version};
use xxhash_rust::xxh3::xxh3_64;

use super::derived::Derived;
use super::log::{Log, Marks, Met};
use super::{Extent, Files, LogDamage, commits, log_directory};
use crate::engine::Family;
use crate::engine::rocks::tuning::Shared;
use crate::error::StoreError;
use crate::format::{keys, snapshot};
use crate::hash;
use crate::lock::keep_closed;
use crate::options::{OpenProgress, StoreOptions};
use crate::stored::StoredCommit;

/// What a store holds, and what is wrong with it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// The whole segments of the log.
    pub log: Extent,
    /// Streams in it.
    pub streams: u64,
    /// How far the watermark says that it was durable; `None` if it can't be read, or is empty.
    pub watermark: Option<Offset>,
    /// How far it is indexed; what lies behind is indexed when the store is opened.
    pub indexed: Offset,
    /// Snapshots that can be read.
    pub snapshots: u64,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

impl Verified {
    /// Whether nothing that was acknowledged is missing, as far as anything tells.
    #[must_use]
    pub fn is_whole(&self) -> bool {
        !self.findings.iter().any(Finding::is_loss)
    }
}

/// Something that is wrong with a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// The log is damaged: the store refuses to open, or to read there. [`salvage`](super::salvage) saves what is before.
    Log(LogDamage),
    /// The log ends in a write that was never promised: opening the store cuts it off.
    TornTail(LogDamage),
    /// A file beside the log is damaged. The store refuses to open, or can't tell whether the log is whole.
    File {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// What is derived from the log is damaged, and costs time only: delete `derived/`, and it is built again.
    Derived {
        /// What of it.
        what: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}

impl Finding {
    /// Whether something that was acknowledged may be lost.
    #[must_use]
    pub fn is_loss(&self) -> bool {
        matches!(self, Self::Log(_) | Self::File { .. })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Log(damage) => write!(f, "the log is damaged: {damage}"),
            Self::TornTail(damage) => write!(f, "a torn tail, which opening cuts off: {damage}"),
            Self::File { file, reason } => write!(f, "{}: {reason}", file.display()),
            Self::Derived { what, reason } => {
                write!(
                    f,
                    "{what}: {reason} (opening builds it again from the log; delete derived/ if it is there)"
                )
            }
        }
    }
}

/// Reads all of the store in `root`: every segment's checksums and the chain of hashes; every stream, command id and
/// position of the index against the log; every snapshot's checksum. Of `options` it takes shard, cache and progress.
///
/// Changes nothing; the store must be closed. Takes about 50 bytes of memory a stream, and what the write-ahead files
/// hold.
///
/// # Errors
/// `NotAStore` if there is no `log/`; `Locked` if it is open; `NewerFormat`; `Engine` for what the system refuses, or
/// if `root` is not there.
/// Damage is no error: it is among the findings.
pub fn verify(root: impl AsRef<Path>, options: &StoreOptions) -> Result<Verified, StoreError> {
    let root = root.as_ref();
    let log = log_directory(root)?;
    let _closed = keep_closed(root)?;
    let shared = Shared::new(options.cache_bytes)?;
    let files = Files::read(root)?;
    let derived = Derived::open(root, files.store, options.shard, &shared);
    let directory = log;
    let log = Log::open(&directory, options.shard, &shared)?;
    let marks = files.marks(options.shard, derived.as_ref().ok());
    let refused = log
        .refused
        .iter()
        .map(|reason| (directory.clone(), reason.clone()));
    let damaged = files
        .damaged
        .into_iter()
        .chain(refused)
        .map(|(file, reason)| Finding::File { file, reason });
    let mut check = Check {
        options,
        verified: Verified {
            watermark: files.watermark.map(|mark| mark.offset),
            indexed: derived
                .as_ref()
                .map_or(Offset::NONE, |derived| derived.indexed.offset),
            findings: damaged.collect(),
            ..Verified::default()
        },
        streams: HashMap::new(),
        commands: 0,
        is_damaged: false,
    };
    check.log(&log, &marks)?;
    check.verified.streams = check.streams.len() as u64;
    match &derived {
        Ok(derived) if check.verified.is_whole() => check.derived(derived),
        // An index of what the log does not hold says nothing about itself.
        Ok(_) => {}
        Err(reason) => check.find("what is derived", reason.clone()),
    }
    Ok(check.verified)
}

/// What the log says of a stream.
#[derive(Default)]
struct Stream {
    log_head: Version,
    /// Up to the indexed position.
    head: Version,
    /// Of its commits, one after another.
    digest: u64,
}

struct Check<'a> {
    options: &'a StoreOptions,
    verified: Verified,
    /// By the hash of their names.
    streams: HashMap<u64, Stream>,
    /// The sum of the hashes of what the command index must hold.
    commands: u64,
    /// Behind damage of the log, streams have gaps.
    is_damaged: bool,
}

impl Check<'_> {
    fn log(&mut self, log: &Log, marks: &Marks) -> Result<(), StoreError> {
        let promised = marks.promised();
        log.walk(marks, &mut |met| {
            match met {
                Met::Flaw { file, at, reason } => self.verified.findings.push(Finding::File {
                    file: file.to_path_buf(),
                    reason: format!("at byte {at}: {reason}; no event is lost"),
                }),
                Met::TornTail(damage) => self.verified.findings.push(Finding::TornTail(damage)),
                Met::Damage(damage) => {
                    self.is_damaged = true;
                    self.verified.findings.push(Finding::Log(damage));
                }
                Met::Segment { header, records, .. } => {
                    self.verified.log.add(header);
                    // Checked by the walk already.
                    let _ = commits(header, records, &mut |commit| self.commit(commit));
                    if let Some(progress) = &self.options.progress {
                        let (at, end) = (header.last(), promised.max(header.last()));
                        progress(OpenProgress {
                            from: Offset::new(1),
                            at,
                            end,
                        });
                    }
                }
            }
            Ok(())
        })?;
        Ok(())
    }

    fn commit(&mut self, commit: &StoredCommit<'_>) {
        let name = hash::stream(commit.aggregate_type(), commit.id());
        let is_indexed = commit.last_offset() <= self.verified.indexed;
        let stream = self.streams.entry(name).or_default();
        if commit.first_version() != stream.log_head.next() && !self.is_damaged {
            let (expected, found) = (stream.log_head.next(), commit.first_version());
            let reason = format!(
                "version {found} of {} where {expected} should follow",
                commit.stream()
            );
            self.verified
                .findings
                .push(foreign(commit.first_offset(), reason));
        }
        stream.log_head = commit.last_version();
        if is_indexed {
            stream.head = commit.last_version();
            stream.digest = fold(stream.digest, commit);
            if let Some(command) = commit.command() {
                let key = keys::command(command.id, self.options.shard, &commit.stream());
                self.commands = self
                    .commands
                    .wrapping_add(command_hash(&key, commit.first_version()));
            }
        }
    }

    /// The index says of all that is indexed what the log says.
    fn derived(&mut self, derived: &Derived) {
        let indexed = self.verified.indexed;
        let mut found: HashMap<u64, Stream> = HashMap::new();
        let read = derived.commits(&mut |commit| {
            if commit.last_offset() <= indexed {
                let stream = found
                    .entry(hash::stream(commit.aggregate_type(), commit.id()))
                    .or_default();
                stream.head = commit.last_version();
                stream.digest = fold(stream.digest, commit);
            }
        });
        let in_log = self
            .streams
            .iter()
            .filter(|(_, stream)| stream.head > Version::NONE);
        let differ = in_log
            .clone()
            .filter(|(name, stream)| {
                found
                    .get(name)
                    .is_none_or(|other| (other.head, other.digest) != (stream.head, stream.digest))
            })
            .count();
        let foreign = found.len().saturating_sub(in_log.count());
        match read {
            Err(reason) => self.find("the index of streams", reason),
            Ok(()) if differ + foreign > 0 => {
                self.find(
                    "the index of streams",
                    format!("{differ} streams differ from the log, {foreign} are not in it"),
                );
            }
            Ok(()) => {}
        }
        self.command_index(derived);
        self.snapshots(derived);
    }

    fn command_index(&mut self, derived: &Derived) {
        let mut sum = 0_u64;
        let read = derived.rows(Family::Commands, &mut |key, value| {
            let version: [u8; 8] = value.try_into().map_err(|_| "a row is not 8 bytes".to_string())?;
            let version = Version::new(u64::from_be_bytes(version));
            let name = stream_of_command(key).ok_or("a key that is none of a command")?;
            // Rows beyond the indexed position are stored again.
            if self
                .streams
                .get(&name)
                .is_some_and(|stream| version <= stream.head)
            {
                sum = sum.wrapping_add(command_hash(key, version));
            }
            Ok(())
        });
        match read {
            Err(reason) => self.find("the index of commands", reason),
            Ok(()) if sum != self.commands => {
                self.find(
                    "the index of commands",
                    "it does not hold what the log says".into(),
                );
            }
            Ok(()) => {}
        }
    }

    fn snapshots(&mut self, derived: &Derived) {
        let (mut sound, mut unsound) = (0, 0_u64);
        let read = derived.rows(Family::Snapshots, &mut |_, value| {
            match snapshot::decode(value) {
                Ok(snapshot) if snapshot.offset <= self.verified.log.end => sound += 1,
                _ => unsound += 1,
            }
            Ok(())
        });
        self.verified.snapshots = sound;
        match read {
            Err(reason) => self.find("snapshots", reason),
            Ok(()) if unsound > 0 => self.find(
                "snapshots",
                format!("{unsound} can't be used, which costs replays"),
            ),
            Ok(()) => {}
        }
    }

    fn find(&mut self, what: &'static str, reason: String) {
        self.verified.findings.push(Finding::Derived { what, reason });
    }
}

/// All offsets are there, but what is at this one does not belong there.
fn foreign(at: Offset, reason: String) -> Finding {
    Finding::Log(LogDamage {
        file: "log".into(),
        at: None,
        reason,
        lost_from: at,
        lost_to: Some(Offset::new(at.get() - 1)),
    })
}

fn fold(digest: u64, commit: &StoredCommit<'_>) -> u64 {
    digest.rotate_left(1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ commit.digest()
}

fn command_hash(key: &[u8], version: Version) -> u64 {
    xxh3_64(key) ^ version.get().wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The hash of the stream's name in a key of the command index.
fn stream_of_command(key: &[u8]) -> Option<u64> {
    let names = std::str::from_utf8(key.get(18..)?).ok()?;
    let (aggregate_type, id) = names.split_once('\0')?;
    Some(hash::stream(aggregate_type, id))
}
