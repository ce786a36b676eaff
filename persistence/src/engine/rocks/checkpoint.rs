//! Copies the open store: RocksDB's checkpoint of both instances, and what makes a directory a store.
//!
//! `derived/` comes first, then `log/`. Its indexed position speaks of segments that were in the log before it was
//! stored, so a log that is copied later holds them; the other way round the copy would speak of events that it does not
//! hold, and would not open. The copy's watermark is taken in between: it speaks for all that is derived, and the log that
//! is copied after it reaches it. No run is stored while `derived/` is copied: the copy would hold a part of it.
//!
//! `derived/` has no write-ahead log, so its memtables, which hold snapshots, are flushed first. The log is never flushed
//! for a copy: its newest segments are copied as they stand in the write-ahead files, and no writer waits for a new one.

#[cfg(test)]
mod tests;

use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rocksdb::DB;
use rocksdb::checkpoint::Checkpoint as RocksCheckpoint;

use super::room::{Need, is_full};
use super::statistics::{memtable_bytes, wal_bytes};
use super::{Databases, RocksEngine};
use crate::checkpoint::{Checkpoint, CheckpointProgress, CheckpointStep, TellCheckpoint};
use crate::engine::COPYING;
use crate::error::StoreError;
use crate::open::layout::{exists, read_format};
use crate::open::stage::Stage;

/// How large the write-ahead files may be before RocksDB flushes for a checkpoint.
const ALWAYS_FLUSH: u64 = 0;
const NEVER_FLUSH: u64 = u64::MAX;
/// What must be left on the store's own file system beside the copy: the store writes on meanwhile, and a full disk stops
/// it. RocksDB alone reserves 70 MiB for its next write-ahead file.
const SPARED_BYTES: u64 = 128 * 1024 * 1024;

/// What the system says of ENOSPC and EDQUOT.
const NO_ROOM: [&str; 2] = ["No space left on device", "Disk quota exceeded"];

/// Makes the copy. One at a time.
pub(super) fn make(
    engine: &RocksEngine,
    target: &Path,
    tell: TellCheckpoint<'_>,
) -> Result<Checkpoint, StoreError> {
    let target = &free_place(&engine.directory, target)?;
    let store = read_format(&engine.directory)?;
    let here = Need {
        path: &engine.directory,
        bytes: newest_bytes(engine)? + SPARED_BYTES,
    };
    here.check()?;
    let mut steps = Steps { target, tell };
    let stage = Stage::begin(&engine.directory).map_err(|error| steps.failed(&here, &error))?;
    let mark = {
        let databases = engine.databases.read_recursive();
        let Databases { log, derived } = databases.as_ref().ok_or(StoreError::Closed)?;
        let (index, segments) = (stage.layout().derived(), stage.layout().log());
        steps.tell(CheckpointStep::Index, 0, 0)?;
        {
            let _between = engine.runs.between_runs();
            steps.link(derived, &index, ALWAYS_FLUSH, &here)?;
        }
        let mark = engine.watermark.newest();
        steps.tell(CheckpointStep::Log, 0, 0)?;
        steps.link(log, &segments, NEVER_FLUSH, &here)?;
        mark
    };
    let made = stage
        .unshare_wals()
        .and_then(|()| stage.contents())
        .map_err(|error| steps.failed(&here, &error))?;
    steps.each_file(CheckpointStep::Syncing, made.bytes, &here, |tell| {
        stage.finish(store, mark, tell)
    })?;
    let contents = stage.contents().map_err(|error| steps.failed(&here, &error))?;
    let is_moved = stage
        .move_to(target)
        .map_err(|error| steps.failed(&here, &error))?;
    if !is_moved {
        let there = Need {
            path: target.parent().unwrap_or(target),
            bytes: contents.bytes,
        };
        there.check()?;
        steps.each_file(CheckpointStep::Copying, contents.bytes, &there, |tell| {
            stage.copy_to(target, tell)
        })?;
    }
    stage
        .sync_name(target)
        .map_err(|reason| StoreError::CopyNotDurable {
            path: target.clone(),
            reason: Arc::new(reason),
        })?;
    Ok(Checkpoint {
        durable: mark.offset,
        bytes: contents.bytes,
        files: contents.files,
        is_linked: is_moved && contents.is_linked,
    })
}

/// What is copied, or written to tables for the copy: the log's newest part, and what the index has in memory.
fn newest_bytes(engine: &RocksEngine) -> Result<u64, StoreError> {
    let databases = engine.databases.read_recursive();
    let derived = &databases.as_ref().ok_or(StoreError::Closed)?.derived;
    Ok(wal_bytes(&engine.directory.join("log")) + memtable_bytes(derived))
}

struct Steps<'s> {
    target: &'s Path,
    tell: TellCheckpoint<'s>,
}

impl Steps<'_> {
    fn link(
        &self,
        database: &DB,
        to: &Path,
        log_size_for_flush: u64,
        need: &Need<'_>,
    ) -> Result<(), StoreError> {
        RocksCheckpoint::new(database)
            .and_then(|checkpoint| checkpoint.create_checkpoint_with_log_size(to, log_size_for_flush))
            .map_err(|error| self.refused_by_rocksdb(need, &error))
    }

    /// Does what is done file by file, and tells of it.
    fn each_file(
        &mut self,
        step: CheckpointStep,
        bytes_total: u64,
        need: &Need<'_>,
        work: impl FnOnce(&mut dyn FnMut(u64) -> io::Result<()>) -> io::Result<()>,
    ) -> Result<(), StoreError> {
        self.tell(step, 0, bytes_total)?;
        let (mut bytes, mut given_up) = (0, None);
        let worked = work(&mut |more| {
            bytes += more;
            self.tell(step, bytes.min(bytes_total), bytes_total)
                .map_err(|error| {
                    given_up = Some(error);
                    io::Error::other(COPYING)
                })
        });
        worked.map_err(|error| given_up.unwrap_or_else(|| self.failed(need, &error)))
    }

    fn tell(&mut self, step: CheckpointStep, bytes: u64, bytes_total: u64) -> Result<(), StoreError> {
        let progress = CheckpointProgress {
            step,
            bytes,
            bytes_total,
        };
        match (self.tell)(progress) {
            ControlFlow::Continue(()) => Ok(()),
            ControlFlow::Break(()) => Err(StoreError::Cancelled { operation: COPYING }),
        }
    }

    fn failed(&self, need: &Need<'_>, error: &io::Error) -> StoreError {
        match is_full(error) {
            true => need.ran_out(),
            false => self.engine_failed(error),
        }
    }

    /// RocksDB tells in words what the system said.
    fn refused_by_rocksdb(&self, need: &Need<'_>, error: &rocksdb::Error) -> StoreError {
        let text = error.to_string();
        match NO_ROOM.iter().any(|said| text.contains(said)) {
            true => need.ran_out(),
            false => self.engine_failed(error),
        }
    }

    fn engine_failed(&self, error: &dyn std::fmt::Display) -> StoreError {
        StoreError::Engine {
            context: format!("copy the store to {}", self.target.display()),
            reason: error.to_string().into(),
        }
    }
}

/// The absolute path of the copy: a new name, in a directory that is there, outside of the store.
fn free_place(store: &Path, target: &Path) -> Result<PathBuf, StoreError> {
    let refused = |reason: io::Error| StoreError::NotWritable {
        path: target.to_path_buf(),
        reason: Arc::new(reason),
    };
    let name = target
        .file_name()
        .ok_or_else(|| refused(io::Error::other("it has no name of its own")))?;
    let absolute = std::path::absolute(target).map_err(refused)?;
    let parent = absolute.parent().unwrap_or(&absolute).canonicalize();
    let place = parent.map_err(refused)?.join(name);
    if place.starts_with(store.canonicalize().map_err(refused)?) {
        return Err(refused(io::Error::other("it is inside the store")));
    }
    if exists(&place)? || place.is_symlink() {
        return Err(refused(io::Error::other("it is there already")));
    }
    Ok(place)
}
