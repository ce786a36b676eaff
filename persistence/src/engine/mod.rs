//! The seam between the store and what keeps its bytes: a small ordered key-value engine with a log.
//!
//! Two implementations stand behind it: [`memory`], which is always there, and RocksDB behind the `rocksdb`
//! feature. The engine knows keys and bytes only; what they mean is in [`crate::format`].
//!
//! - What is durable first is the log, by `append_log`. Everything else is derived from it and may be lost by a
//!   crash, a run as a whole: the indexed position is never ahead of the rows it speaks for, nor behind them, since the
//!   next session may cut the same part of the log into other rows.
//! - Every call may come from any thread, and none is made while the store holds a lock.
//! - Engines are opened, and opened again after a failure, through their [`Disk`].

pub(crate) mod error;
#[cfg(test)]
pub(crate) mod faulty;
pub(crate) mod memory;
#[cfg(feature = "rocksdb")]
pub(crate) mod rocks;
mod run;
mod statistics;

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use dormouse_domain::{Offset, ShardId};

pub(crate) use self::error::EngineError;
pub(crate) use self::run::{Rows, Run};
pub use self::statistics::{EngineStatistics, FamilyStatistics, LevelStatistics};
use crate::checkpoint::{Checkpoint, TellCheckpoint};
use crate::compaction::{Compacted, TellCompaction};
use crate::error::StoreError;
use crate::options::StoreOptions;

/// What [`StoreError::Refused`] calls these.
pub(crate) const COPYING: &str = "copy itself";
pub(crate) const COMPACTING: &str = "compact what is derived";
const IN_MEMORY: &str = "it is in memory";

/// What is kept beside the log. `timers` and `checkpoints` are reserved names: later families.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Family {
    /// Commit records by stream and version.
    Streams,
    /// First versions by command id and stream.
    Commands,
    /// The newest snapshot of each stream.
    Snapshots,
    /// Named rows: the layout's format, the indexed position of each shard.
    Meta,
}

impl Family {
    /// Every family, in the order of [`Family::index`].
    pub(crate) const ALL: [Family; 4] = [Family::Streams, Family::Commands, Family::Snapshots, Family::Meta];

    /// The family's name on disk.
    #[allow(dead_code, reason = "the memory engine keeps families by number")]
    pub(crate) fn name(self) -> &'static str {
        match self {
            Family::Streams => "streams",
            Family::Commands => "commands",
            Family::Snapshots => "snapshots",
            Family::Meta => "meta",
        }
    }

    /// A small number for arrays with one element a family.
    pub(crate) fn index(self) -> usize {
        match self {
            Family::Streams => 0,
            Family::Commands => 1,
            Family::Snapshots => 2,
            Family::Meta => 3,
        }
    }
}

/// Called with each row's key and value; `Break` ends the scan.
pub(crate) type Visit<'v> = &'v mut dyn FnMut(&[u8], &[u8]) -> ControlFlow<()>;

/// Where a scan begins.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Start<'k> {
    /// At the first row at or after a key.
    AtOrAfter(&'k [u8]),
    /// At the last row at or before a key; if there is none, at the first one after it. Costs several times as much.
    AtOrBefore(&'k [u8]),
}

/// Up to where the log is known to be durable: written down apart from the log, so that a log that lost its
/// end is noticed on opening.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Watermark {
    /// The shard whose log it speaks of.
    pub(crate) shard: u16,
    /// The last offset of a segment that is durable.
    pub(crate) offset: Offset,
    /// xxh3-128 of that segment's bytes.
    pub(crate) hash: u128,
}

impl Watermark {
    pub(crate) fn new(shard: ShardId, offset: Offset, hash: u128) -> Watermark {
        let shard = shard.get();
        Watermark { shard, offset, hash }
    }
}

/// An open engine. Dropping it without [`Engine::close`] is a crash.
///
/// A visitor may call the engine again: implementations that guard their handle by a lock take it for reading
/// recursively.
pub(crate) trait Engine: Send + Sync {
    /// Stores one segment; durable on return. After an error the segment may or may not be there: the store
    /// stops and calls [`Engine::stop`].
    fn append_log(&self, key: &[u8], segment: &[u8]) -> Result<(), EngineError>;

    /// Visits the log's rows in key order, beginning with the last one at or before `from` in its shard (the key's
    /// first two bytes) or, if there is none, with the first one after it.
    fn scan_log(&self, from: &[u8], visit: Visit<'_>) -> Result<(), EngineError>;

    /// The log's last row at or before `key` whose first two bytes (the shard) are those of `key`.
    fn seek_log(&self, key: &[u8]) -> Result<Option<LogRow>, EngineError>;

    /// Stores a run: its rows, and then the position they reach. One call at a time. A crash may lose the newest
    /// runs, each as a whole: what the next opening finds is a position with the rows of all runs up to it, and no
    /// others. Storing a run again changes nothing.
    fn index(&self, run: &Run) -> Result<(), EngineError>;

    /// One row.
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError>;

    /// Stores one row. Not synced. Fails rather than waits where writes are held up.
    fn put(&self, family: Family, key: &[u8], value: &[u8]) -> Result<(), EngineError>;

    /// Visits the rows whose keys begin with `prefix`, in key order, from `start` on, whose key itself begins with
    /// `prefix`.
    fn scan(
        &self,
        family: Family,
        prefix: &[u8],
        start: Start<'_>,
        visit: Visit<'_>,
    ) -> Result<(), EngineError>;

    /// Notes how far the log is durable, before anybody else is told. Called by the journal after every batch, so it
    /// must cost next to nothing: the engine writes the newest mark down from a thread of its own.
    fn mark_durable(&self, mark: Watermark);

    /// Waits until a mark at `offset` or beyond, noted before, is written down: from then on a log that ends before
    /// `offset` is not opened. It is written within `patience`, or the keeper's own interval if that is shorter: one small
    /// synced write for all that wait by then. Ends with an error where the engine stops or closes. Nothing to wait for
    /// where the log can't lose its end.
    fn wait_for_mark(&self, _offset: Offset, _patience: Duration) -> Result<(), EngineError> {
        Ok(())
    }

    /// Why nothing more may be written, if the engine found out by itself. Costs next to nothing where all is well.
    fn failure(&self) -> Option<Arc<str>> {
        None
    }

    /// Nothing may be written any more, the watermark included: an append failed. Reading goes on.
    fn stop(&self);

    /// Bytes on disk, log and derived together; 0 if unknown. May do some I/O.
    fn disk_bytes(&self) -> u64;

    /// The engine's own numbers, if it has any.
    fn statistics(&self) -> EngineStatistics {
        EngineStatistics::default()
    }

    /// A copy of all that is stored, in a new directory, which opens as a store whose log was durable up to the newest
    /// mark noted before the call, at least. Writers go on.
    fn checkpoint(&self, _directory: &Path, _tell: TellCheckpoint<'_>) -> Result<Checkpoint, StoreError> {
        Err(StoreError::Refused {
            operation: COPYING,
            reason: IN_MEMORY,
        })
    }

    /// Merges what is derived.
    fn compact(&self, _tell: TellCompaction<'_>) -> Result<Compacted, StoreError> {
        Err(StoreError::Refused {
            operation: COMPACTING,
            reason: IN_MEMORY,
        })
    }

    /// Waits for calls under way, writes down what a crash would lose cheaply (the watermark; after
    /// [`Engine::stop`] nothing) and releases everything. Later calls answer [`EngineError::Closed`].
    /// Idempotent.
    fn close(&self) -> Result<(), EngineError>;
}

/// A log row: its key and its segment.
pub(crate) type LogRow = (Vec<u8>, Vec<u8>);

/// Where an engine is opened from, as often as needed: the store keeps it for `reopen`.
pub(crate) trait Disk: Send + Sync {
    /// Opens: takes the lock, checks the format, repairs what may be repaired (a torn tail), and says what it
    /// knows. The store then verifies offsets, chain and indexed position itself (`recovery.rs`).
    fn open(&self, options: &StoreOptions) -> Result<Opened, StoreError>;

    /// The store's directory. None: it has none, being in memory.
    fn directory(&self) -> Option<&Path> {
        None
    }
}

/// An engine just opened, with what is needed to verify its log.
pub(crate) struct Opened {
    /// The engine.
    pub(crate) engine: Arc<dyn Engine>,
    /// The newest watermark that was written down.
    pub(crate) watermark: Option<Watermark>,
    /// Segments that hold this offset or a later one are verified (checksum, offsets, chain): those that came
    /// from a write-ahead log. `Offset::new(1)` verifies all.
    pub(crate) verify_from: Offset,
}
