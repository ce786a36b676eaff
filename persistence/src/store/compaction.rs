//! Compacting what is derived, on demand.

use std::ops::ControlFlow;
use std::time::Instant;

use super::Store;
use crate::compaction::{Compacted, CompactionProgress};
use crate::error::StoreError;

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
