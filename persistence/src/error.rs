//! What can go wrong with a store, one enum: each variant says what its reader can do next.

use std::path::PathBuf;
use std::sync::Arc;

use dormouse_domain::{Offset, StreamId, Version};

use crate::engine::error::EngineError;

/// What an operator can do about a damaged log; the command is in the crate `dormouse-cli`.
const SALVAGE: &str = "restore a backup, or see what can be saved: `dormouse verify`, `dormouse salvage`";
/// Makes a directory a store.
pub(crate) const FORMAT_FILE: &str = "FORMAT";
/// [`StoreError::Corrupt`] of the log says so in `what`.
pub(crate) const THE_LOG: &str = "the log";

/// Why a store could not be opened, read or written.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another store, in this process or another, has it open. Close that one first.
    #[error("the store at {path:?} is already open{}", by_process(*.holder))]
    Locked {
        /// The store's directory.
        path: PathBuf,
        /// The process that has it open, if it could be read.
        holder: Option<u32>,
    },
    /// The directory holds something else; nothing in it was touched. Choose an empty or a new one.
    #[error("{path:?} holds no store: {missing} is missing{}; nothing was touched", copy_of(.missing))]
    NotAStore {
        /// The directory.
        path: PathBuf,
        /// What would make it a store, and is not there: `FORMAT` or `log/`.
        missing: &'static str,
    },
    /// The directory can't be created or written: check its owner, its mode and the file system.
    #[error("the store's directory {path:?} can't be written: {reason}")]
    NotWritable {
        /// The store's directory.
        path: PathBuf,
        /// What the operating system said.
        reason: Arc<std::io::Error>,
    },
    /// There is no room for a copy of the store. Make some, or choose another place; nothing is left of it.
    #[error(
        "there is no room for a copy: it takes {bytes} bytes on the file system of {path:?}, which has {free_bytes} left"
    )]
    NoRoom {
        /// A place on the file system that is full: the copy's, or the store's own.
        path: PathBuf,
        /// What the copy takes there, in all; on the store's own file system with what the store needs to write on.
        bytes: u64,
        /// What that file system had left when it was refused, or failed.
        free_bytes: u64,
    },
    /// A copy of the store is there, whole and synced; but the directory that it is in could not be synced, so its name may
    /// not survive a loss of power. Sync that directory, or remove the copy and make another one.
    #[error(
        "the copy in {path:?} is whole, but its name may not survive a loss of power: {reason}; sync the directory it is \
         in, or make another copy"
    )]
    CopyNotDurable {
        /// The copy's directory.
        path: PathBuf,
        /// What the operating system said.
        reason: Arc<std::io::Error>,
    },
    /// The store was written by a newer version of this library. Use that one.
    #[error("the store has format {found}, this version reads up to format {supported}")]
    NewerFormat {
        /// The stored format.
        found: u32,
        /// The newest format this version knows.
        supported: u32,
    },
    /// Segments are missing in the middle of the log. Restore from a backup.
    #[error(
        "the log has a gap: a segment that begins at offset {expected} is missing, the next begins at {found}; {}",
        SALVAGE
    )]
    LogGap {
        /// Where the next segment should have begun.
        expected: Offset,
        /// Where it begins.
        found: Offset,
    },
    /// The index speaks of events that the log does not hold: the log lost its end. Restore from a backup.
    #[error(
        "the log ends at offset {log_end}, but was indexed up to {indexed}: it lost its end; {}",
        SALVAGE
    )]
    LogShorterThanIndex {
        /// The last offset in the log.
        log_end: Offset,
        /// The last offset that was indexed.
        indexed: Offset,
    },
    /// The log was durable further than it reaches now: it lost its end. Restore from a backup.
    #[error(
        "the log ends at offset {log_end}, but was durable up to {watermark}: it lost its end; {}",
        SALVAGE
    )]
    LogShorterThanWatermark {
        /// The last offset in the log.
        log_end: Offset,
        /// The last offset that was noted as durable.
        watermark: Offset,
    },
    /// A file of the log is damaged, or gone, where acknowledged commits stood; nothing was changed. Restore from
    /// a backup.
    #[error(
        "the log is damaged: {file:?} at byte {at}: {reason}; {}; {}",
        loss(*.lost_from, *.lost_to),
        SALVAGE
    )]
    LogDamaged {
        /// The damaged or missing file.
        file: PathBuf,
        /// The byte position of the damage in it.
        at: u64,
        /// What was seen there.
        reason: Arc<str>,
        /// The first offset that can't be read.
        lost_from: Offset,
        /// The last one, where something tells; below `lost_from` if none is known to be lost.
        lost_to: Option<Offset>,
    },
    /// Stored bytes are damaged. Nothing of them is used. Restore from a backup; what is derived may be deleted
    /// and is rebuilt from the log.
    #[error("{what} is damaged at {place}: {reason}{}", advice(.what))]
    Corrupt {
        /// What is damaged: "the log", "a stream's rows", a file's name.
        what: String,
        /// Where: an offset, a stream and version, a place in a file.
        place: String,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// A stream's stored versions have a gap: reading it stopped there. Delete what is derived to have it
    /// rebuilt from the log.
    #[error("stream {stream} has a gap: version {expected} is missing, the next is {found}")]
    StreamGap {
        /// The stream.
        stream: StreamId,
        /// The version that should have come next.
        expected: Version,
        /// The version that came.
        found: Version,
    },
    /// The stream has a writer, or one that was dropped a moment ago still has commits on their way. Wait for
    /// their settlements.
    #[error("stream {stream} already has a writer: another runtime on this store, or one that ends just now")]
    StreamHeld {
        /// The stream.
        stream: StreamId,
    },
    /// The stream has moved on since it was read. Read on from the version after the one reached, and try again.
    #[error("stream {stream} was read up to version {reached}, but its head is {head}")]
    StaleVersion {
        /// The stream.
        stream: StreamId,
        /// The version the caller has reached.
        reached: Version,
        /// The stream's head.
        head: Version,
    },
    /// So much was written since the stream was read that the store can't tell any more whether it has moved
    /// on. Read on from the version after the one reached, which is cheap, and try again.
    #[error("stream {stream} was read at offset {as_of}, too long ago to open it for writing")]
    ReadOutdated {
        /// The stream.
        stream: StreamId,
        /// The log's end when it was read.
        as_of: Offset,
    },
    /// The store has stopped writing after a failure; `Store::reopen` finds out what is really stored.
    #[error("the store has stopped: {reason}")]
    Stopped {
        /// Why it stopped.
        reason: Arc<str>,
    },
    /// A snapshot can't be used. Replay the stream instead: this costs time only.
    #[error("the snapshot of stream {stream} can't be read: {reason}")]
    SnapshotUnreadable {
        /// The stream.
        stream: StreamId,
        /// What is wrong with it.
        reason: Arc<str>,
    },
    /// A snapshot is of events that are not durable, or not in the log. Replay the stream instead.
    #[error("the snapshot of stream {stream} is of offset {offset}, the log is durable up to {durable}")]
    SnapshotAhead {
        /// The stream.
        stream: StreamId,
        /// The offset of the last event in the snapshot.
        offset: Offset,
        /// The last durable offset.
        durable: Offset,
    },
    /// The engine underneath, or the operating system, failed.
    #[error("{context}: {reason}")]
    Engine {
        /// What was being done.
        context: String,
        /// What was said.
        reason: Arc<str>,
    },
    /// This can't be done with this store, or not now. Nothing was done.
    #[error("the store refuses to {operation}: {reason}")]
    Refused {
        /// What was asked for.
        operation: &'static str,
        /// Why not.
        reason: &'static str,
    },
    /// Whoever asked for it gave it up; nothing is left of it.
    #[error("it was cancelled: to {operation}")]
    Cancelled {
        /// What was asked for.
        operation: &'static str,
    },
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Damage found in `what` at `place`.
    pub(crate) fn corrupt(
        what: impl Into<String>,
        place: impl std::fmt::Display,
        reason: impl std::fmt::Display,
    ) -> StoreError {
        StoreError::Corrupt {
            what: what.into(),
            place: place.to_string(),
            reason: reason.to_string().into(),
        }
    }
}

impl From<EngineError> for StoreError {
    fn from(error: EngineError) -> StoreError {
        match error {
            EngineError::Closed => StoreError::Closed,
            EngineError::Failed { context, reason } => StoreError::Engine {
                context: context.into(),
                reason,
            },
            EngineError::Corrupt { context, reason } => StoreError::Corrupt {
                what: if context.ends_with(THE_LOG) {
                    THE_LOG
                } else {
                    "what is derived from the log"
                }
                .into(),
                place: format!("a file of RocksDB (to {context})"),
                reason,
            },
        }
    }
}

fn advice(what: &str) -> String {
    if what == THE_LOG {
        format!("; {SALVAGE}")
    } else if what.ends_with(FORMAT_FILE) {
        "; restore this file, or copy the log into a new store: `dormouse salvage`".into()
    } else {
        String::new()
    }
}

fn copy_of(missing: &str) -> &'static str {
    if missing == FORMAT_FILE {
        " (if it is a copy of one, restore this file, or see `dormouse salvage`)"
    } else {
        ""
    }
}

fn by_process(holder: Option<u32>) -> String {
    holder.map_or_else(
        || ", in this process or another".into(),
        |pid| format!(" in process {pid}"),
    )
}

fn loss(from: Offset, to: Option<Offset>) -> String {
    match to {
        Some(to) if to < from => "no event is known to be lost".into(),
        Some(to) if to == from => format!("the event at offset {from} is lost"),
        Some(to) => format!("the events at offsets {from} to {to} are lost"),
        None => format!("the events from offset {from} to an unknown end are lost"),
    }
}
