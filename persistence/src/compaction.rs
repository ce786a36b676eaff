//! Compacting what is derived, on demand.

use std::ops::ControlFlow;
use std::time::Instant;

use crate::error::StoreError;
use crate::store::Store;

/// What [`Store::compact`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Compacted {
    /// Bytes of the derived tables before.
    pub bytes_before: u64,
    /// And after: what was written meanwhile is among them.
    pub bytes_after: u64,
    /// Sorted runs of the streams before: what an activation may have to look into.
    pub stream_runs_before: u64,
    /// And after: one, and those that were indexed meanwhile.
    pub stream_runs_after: u64,
    /// Whether it was given up before every family was compacted.
    pub is_cancelled: bool,
}

/// How far [`Store::compact`] has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CompactionProgress {
    /// The family that is compacted at the moment, by its name on disk.
    pub family: &'static str,
    /// Its number, from 1.
    pub number: u32,
    /// Out of so many.
    pub families: u32,
    /// Bytes that were written for it. An estimate: what the indexer writes meanwhile counts, too.
    pub bytes: u64,
    /// Bytes of the family's tables as they were before; about as many are to be written.
    pub bytes_total: u64,
}

/// Told of progress; `Break` gives up after the family in hand.
pub(crate) type TellCompaction<'t> = &'t mut dyn FnMut(CompactionProgress) -> ControlFlow<()>;

/// Compacting.
impl Store {
    /// Merges the sorted runs of each derived family (index of streams, command ids, snapshots) into one: afterwards a
    /// reader looks into one table where it looked into up to ten. Never needed: RocksDB compacts by itself. Worth it after
    /// a rebuild or a large import, in a quiet hour.
    ///
    /// Readers and writers go on. It takes one thread of RocksDB's, of low priority, reads and writes the derived tables
    /// once, and needs as much room again as the largest family until it is done. The log has nothing to compact: its files
    /// never overlap. A family of one run is left as it is.
    ///
    /// Blocks until it is done, minutes for a large store. `progress` is told a few times a second; its `Break` gives up
    /// after the family in hand, which RocksDB can't be told to leave. Closing or reopening the store ends it at once, and must
    /// not be done by `progress`.
    ///
    /// # Errors
    /// `Refused` while it is compacted already, and for a store in memory; `Stopped`; `Closed`.
    pub fn compact(
        &self,
        progress: &mut dyn FnMut(CompactionProgress) -> ControlFlow<()>,
    ) -> Result<Compacted, StoreError> {
        let (session, start) = (self.writable()?, Instant::now());
        let compacted = session.engine.compact(&mut session.until_ended(progress));
        if session.ended() {
            return Err(StoreError::Closed);
        }
        compacted.inspect(|done| {
            let (bytes_before, bytes, took) = (done.bytes_before, done.bytes_after, start.elapsed());
            tracing::info!(bytes_before, bytes, ?took, "what is derived was compacted");
        })
    }
}
