//! Compacts the families of `derived/`, one after another.

use std::ops::ControlFlow;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rocksdb::{BottommostLevelCompaction, CompactOptions, DB};

use super::statistics::{runs, table_bytes};
use super::{RocksEngine, handle};
use crate::compaction::{Compacted, CompactionProgress, TellCompaction};
use crate::engine::Family;
use crate::error::StoreError;

/// The large ones last. `Meta` has a handful of rows.
const FAMILIES: [Family; 3] = [Family::Snapshots, Family::Commands, Family::Streams];
/// How often progress is told.
const TELL_EVERY: Duration = Duration::from_millis(250);

/// Compacts them. One call at a time.
pub(super) fn run(engine: &RocksEngine, tell: TellCompaction<'_>) -> Result<Compacted, StoreError> {
    let databases = engine.databases.read_recursive();
    let derived = &databases.as_ref().ok_or(StoreError::Closed)?.derived;
    let streams = || runs(derived, handle(derived, Family::Streams));
    let mut compacted = Compacted {
        bytes_before: bytes(derived),
        stream_runs_before: streams(),
        ..Compacted::default()
    };
    for (at, family) in FAMILIES.into_iter().enumerate() {
        if compact(derived, family, at, tell).is_break() {
            compacted.is_cancelled = true;
            break;
        }
    }
    compacted.bytes_after = bytes(derived);
    compacted.stream_runs_after = streams();
    Ok(compacted)
}

/// Compacts one, on a thread of its own, and tells how it goes on. `Break`: it was given up meanwhile.
fn compact(derived: &DB, family: Family, at: usize, tell: TellCompaction<'_>) -> ControlFlow<()> {
    let of_family = handle(derived, family);
    let (before, bytes_total) = (file_bytes(derived.path()), table_bytes(derived, of_family));
    let mut progress = CompactionProgress {
        family: family.name(),
        number: u32::try_from(at + 1).unwrap_or(u32::MAX),
        families: FAMILIES.len() as u32,
        bytes: 0,
        bytes_total,
    };
    tell(progress)?;
    if runs(derived, of_family) <= 1 {
        return ControlFlow::Continue(());
    }
    std::thread::scope(|scope| {
        let (done, is_done) = mpsc::channel::<()>();
        scope.spawn(move || {
            derived.compact_range_cf_opt(
                handle(derived, family),
                None::<&[u8]>,
                None::<&[u8]>,
                &beside_others(),
            );
            drop(done);
        });
        let mut told = ControlFlow::Continue(());
        while let Err(RecvTimeoutError::Timeout) = is_done.recv_timeout(TELL_EVERY) {
            progress.bytes = file_bytes(derived.path()).saturating_sub(before).min(bytes_total);
            if told.is_continue() {
                told = tell(progress);
            }
        }
        told
    })
}

/// Automatic compactions go on; what the compaction wrote itself is not written twice.
fn beside_others() -> CompactOptions {
    let mut options = CompactOptions::default();
    options.set_exclusive_manual_compaction(false);
    options.set_bottommost_level_compaction(BottommostLevelCompaction::ForceOptimized);
    options
}

fn bytes(derived: &DB) -> u64 {
    FAMILIES
        .iter()
        .map(|family| table_bytes(derived, handle(derived, *family)))
        .sum()
}

/// The sizes of all tables that have a name, those in the making among them, which no property tells.
fn file_bytes(derived: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(derived) else {
        return 0;
    };
    let tables = entries.flatten().filter(|entry| {
        entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "sst")
    });
    tables
        .filter_map(|entry| entry.metadata().ok())
        .map(|metadata| metadata.len())
        .sum()
}
