//! What a copy of a running store is, and how far making one has come.

use std::ops::ControlFlow;

use dormouse_domain::Offset;

/// What [`Store::checkpoint`](crate::Store::checkpoint) made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Checkpoint {
    /// The copy holds every event up to this offset, which is what was durable when the copy was asked for. It may hold
    /// some that became durable meanwhile.
    pub durable: Offset,
    /// The sizes of its files.
    pub bytes: u64,
    /// How many files it has.
    pub files: u64,
    /// Whether its tables are the store's own, under a second name: then it took next to no room, and damage to one is
    /// damage to both. `false`: it is on another file system, and every byte was copied.
    pub is_linked: bool,
}

/// What [`Store::checkpoint`](crate::Store::checkpoint) does at the moment, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointStep {
    /// The index gets second names, after what it had in memory was written to a file.
    Index,
    /// The log gets second names; its newest part, at most about 256 MiB, is copied.
    Log,
    /// The copy is synced.
    Syncing,
    /// Everything is copied to another file system. Left out where the copy is on the store's own.
    Copying,
}

/// How far [`Store::checkpoint`](crate::Store::checkpoint) has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CheckpointProgress {
    /// What it does.
    pub step: CheckpointStep,
    /// Bytes done in this step: synced, or copied. 0 while names are given.
    pub bytes: u64,
    /// Out of so many; 0 where that is not known yet.
    pub bytes_total: u64,
}

/// Told of progress; `Break` gives up.
pub(crate) type TellCheckpoint<'t> = &'t mut dyn FnMut(CheckpointProgress) -> ControlFlow<()>;
