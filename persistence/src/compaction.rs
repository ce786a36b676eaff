//! What compacting on demand did, and how far it has come.

use std::ops::ControlFlow;

/// What [`Store::compact`](crate::Store::compact) did.
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

/// How far [`Store::compact`](crate::Store::compact) has come.
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
