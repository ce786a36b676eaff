//! The durable engine: two RocksDB instances in one directory.
//!
//! `log/` is the truth: one family, one writer, each write synced. `derived/` is everything else: it may be lost,
//! as a whole or its newest part, and is built again from the log. They share a cache and threads, but are two
//! instances, because write stalls and WAL retention hit all families of an instance.
//!
//! How they are set up is in [`tuning`]; opening and judging a directory is in [`crate::open`].

mod cache_use;
mod checkpoint;
mod compact;
pub(crate) mod ingest;
mod iterate;
mod reaper;
mod room;
mod statistics;
pub(crate) mod tuning;

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dormouse_domain::Offset;
use parking_lot::{Mutex, RwLock};
use rocksdb::properties::MIN_LOG_NUMBER_TO_KEEP;
use rocksdb::{ColumnFamily, DB, ErrorKind, ReadOptions, WriteOptions};

use self::cache_use::CacheUse;
pub(crate) use self::ingest::RunWriter;
#[cfg(test)]
pub(crate) use self::ingest::Step;
use self::reaper::Reaper;
pub(crate) use self::reaper::clear as clear_trash;
use super::{
    COMPACTING, COPYING, Engine, EngineError, EngineStatistics, Family, LogRow, Run, Start, Visit, Watermark,
};
use crate::checkpoint::{Checkpoint, TellCheckpoint};
use crate::compaction::{Compacted, TellCompaction};
use crate::error::StoreError;
use crate::format::keys;
use crate::lock::StoreLock;
use crate::open::layout::TRASH_DIRECTORY;
use crate::watermark::WatermarkKeeper;

/// The two instances of an open store.
pub(crate) struct Databases {
    pub(crate) log: DB,
    pub(crate) derived: DB,
}

/// An open store's engine.
pub(crate) struct RocksEngine {
    databases: Arc<RwLock<Option<Databases>>>,
    cache_use: CacheUse,
    runs: RunWriter,
    synced: WriteOptions,
    without_wal_or_wait: WriteOptions,
    watermark: WatermarkKeeper,
    /// None where files can't have two names.
    reaper: Option<Reaper>,
    stopped: AtomicBool,
    /// Held while a copy is made.
    copying: Mutex<()>,
    /// Held while what is derived is compacted on demand.
    compacting: Mutex<()>,
    directory: PathBuf,
    /// Made when derived rows prove damaged: the next opening builds them again.
    rebuild_marker: PathBuf,
    lock: Mutex<Option<StoreLock>>,
}

impl RocksEngine {
    /// Puts the opened parts together.
    pub(crate) fn new(
        directory: &Path,
        rebuild_marker: PathBuf,
        databases: Databases,
        runs: RunWriter,
        watermark: WatermarkKeeper,
        lock: StoreLock,
    ) -> Self {
        let databases = Arc::new(RwLock::new(Some(databases)));
        Self {
            reaper: reaper(directory, &databases),
            databases,
            cache_use: CacheUse::default(),
            runs,
            synced: tuning::synced(),
            without_wal_or_wait: tuning::without_wal_or_wait(),
            watermark,
            stopped: AtomicBool::new(false),
            copying: Mutex::new(()),
            compacting: Mutex::new(()),
            directory: directory.to_path_buf(),
            rebuild_marker,
            lock: Mutex::new(Some(lock)),
        }
    }

    /// The session is over, which a copy and a compaction are told when they tell of progress: waits for the first, and has
    /// RocksDB leave the second.
    fn end_long_work(&self) {
        if self.compacting.is_locked()
            && let Some(databases) = &*self.databases.read_recursive()
        {
            // For good, which is what closing is.
            databases.derived.cancel_all_background_work(false);
        }
        drop(self.copying.lock());
    }

    fn with<T>(
        &self,
        context: &'static str,
        call: impl FnOnce(&Databases) -> Result<T, rocksdb::Error>,
    ) -> Result<T, EngineError> {
        let databases = self.databases.read_recursive();
        call(databases.as_ref().ok_or(EngineError::Closed)?).map_err(|error| failed(context, &error))
    }

    /// Like [`RocksEngine::with`], for `derived/`: damage there is remembered, so that the next opening heals it.
    fn with_derived<T>(
        &self,
        context: &'static str,
        call: impl FnOnce(&DB) -> Result<T, rocksdb::Error>,
    ) -> Result<T, EngineError> {
        let read = || self.with(context, |databases| call(&databases.derived));
        self.remember_damage(self.cache_use.counting(read))
    }

    fn remember_damage<T>(&self, result: Result<T, EngineError>) -> Result<T, EngineError> {
        if let Err(EngineError::Corrupt { reason, .. }) = &result {
            tracing::error!(
                path = %self.directory.display(), %reason,
                "what is derived from the log is damaged; the next opening builds it again"
            );
            if let Err(error) = std::fs::write(&self.rebuild_marker, []) {
                tracing::error!(path = %self.rebuild_marker.display(), %error, "the mark for it can't be written");
            }
        }
        result
    }
}

impl Engine for RocksEngine {
    fn append_log(&self, key: &[u8], segment: &[u8]) -> Result<(), EngineError> {
        const CONTEXT: &str = "append to the log";
        if self.stopped.load(Ordering::SeqCst) {
            return Err(EngineError::Failed {
                context: CONTEXT,
                reason: "the engine was stopped".into(),
            });
        }
        if let Some(reaper) = &self.reaper {
            reaper.wrote();
        }
        self.with(CONTEXT, |databases| {
            databases.log.put_opt(key, segment, &self.synced)
        })
    }

    fn scan_log(&self, from: &[u8], visit: Visit<'_>) -> Result<(), EngineError> {
        self.with("read the log", |databases| {
            iterate::from_at_or_before(&databases.log, from, visit)
        })
    }

    fn seek_log(&self, key: &[u8]) -> Result<Option<LogRow>, EngineError> {
        self.with("read the log", |databases| {
            iterate::last_at_or_before(&databases.log, key)
        })
    }

    fn index(&self, run: &Run) -> Result<(), EngineError> {
        let databases = self.databases.read_recursive();
        let databases = databases.as_ref().ok_or(EngineError::Closed)?;
        self.remember_damage(self.runs.store(&databases.derived, run, |_| {}))
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.with_derived("read a row", |derived| {
            derived.get_cf(handle(derived, family), key)
        })
    }

    fn put(&self, family: Family, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.with_derived("store a row", |derived| {
            derived.put_cf_opt(handle(derived, family), key, value, &self.without_wal_or_wait)
        })
    }

    fn scan(
        &self,
        family: Family,
        prefix: &[u8],
        start: Start<'_>,
        visit: Visit<'_>,
    ) -> Result<(), EngineError> {
        self.with_derived("read rows", |derived| {
            let (Start::AtOrAfter(from) | Start::AtOrBefore(from)) = start;
            let whole_prefix =
                family == Family::Streams && from.len() == prefix.len() + 8 && keys::is_stream_prefix(prefix);
            let family = handle(derived, family);
            iterate::within(derived, family, prefix, start, whole_prefix, visit)
        })
    }

    fn mark_durable(&self, mark: Watermark) {
        self.watermark.moved(mark);
    }

    fn wait_for_mark(&self, offset: Offset, patience: Duration) -> Result<(), EngineError> {
        self.watermark.wait_for(offset, patience)
    }

    fn failure(&self) -> Option<Arc<str>> {
        let reason = self.watermark.failure()?;
        Some(format!("write the watermark: {reason}").into())
    }

    fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.watermark.stop();
        if let Some(reaper) = &self.reaper {
            reaper.stop();
        }
    }

    /// The sizes of all files, from the directory: RocksDB's properties leave out WALs and its text logs.
    fn disk_bytes(&self) -> u64 {
        directory_bytes(&self.directory)
    }

    fn statistics(&self) -> EngineStatistics {
        let databases = self.databases.read_recursive();
        let Some(databases) = databases.as_ref() else {
            return EngineStatistics::default();
        };
        EngineStatistics {
            obsolete_bytes: self.reaper.as_ref().map_or(0, Reaper::bytes),
            cache_hits: self.cache_use.hits(),
            cache_misses: self.cache_use.misses(),
            ..statistics::read(databases)
        }
    }

    fn checkpoint(&self, directory: &Path, tell: TellCheckpoint<'_>) -> Result<Checkpoint, StoreError> {
        let refused = || StoreError::Refused {
            operation: COPYING,
            reason: "another copy is being made",
        };
        let _alone = self.copying.try_lock().ok_or_else(refused)?;
        checkpoint::make(self, directory, tell)
    }

    fn compact(&self, tell: TellCompaction<'_>) -> Result<Compacted, StoreError> {
        let refused = || StoreError::Refused {
            operation: COMPACTING,
            reason: "it is being compacted already",
        };
        let _alone = self.compacting.try_lock().ok_or_else(refused)?;
        compact::run(self, tell)
    }

    fn close(&self) -> Result<(), EngineError> {
        self.end_long_work();
        let second_names = self.reaper.as_ref().and_then(Reaper::end);
        // Waits for calls under way; later ones find nothing.
        let databases = self.databases.write().take();
        let Some(databases) = databases else { return Ok(()) };
        let written = self.watermark.close();
        // RocksDB flushes what has no WAL while it closes, and reports no error: lost rows are indexed again.
        drop(databases);
        if let Some(second_names) = second_names {
            second_names.clear();
        }
        self.lock.lock().take();
        written
    }
}

/// Frees the store's obsolete files slowly, if it can.
fn reaper(directory: &Path, databases: &Arc<RwLock<Option<Databases>>>) -> Option<Reaper> {
    let databases = Arc::clone(databases);
    Reaper::start(directory, Box::new(move |wal| is_needed(&databases, wal)))
        .inspect_err(|error| tracing::info!(%error, "obsolete files are deleted whole"))
        .ok()
}

/// Whether RocksDB would read a write-ahead file on opening.
fn is_needed(databases: &RwLock<Option<Databases>>, wal: &Path) -> bool {
    let databases = databases.read_recursive();
    let Some(databases) = &*databases else {
        return false;
    };
    let is_of_log = wal.parent().is_some_and(|directory| directory.ends_with("log"));
    let database = if is_of_log {
        &databases.log
    } else {
        &databases.derived
    };
    let number = wal
        .file_stem()
        .and_then(|name| name.to_str()?.parse::<u64>().ok());
    let oldest = database.property_int_value(MIN_LOG_NUMBER_TO_KEEP).ok().flatten();
    number
        .zip(oldest)
        .is_some_and(|(number, oldest)| number >= oldest)
}

/// A family of `derived/`.
pub(crate) fn handle(derived: &DB, family: Family) -> &ColumnFamily {
    derived
        .cf_handle(family.name())
        .expect("derived/ is opened with every family")
}

/// Read options for what is read once and in order: it would push out of the cache what is read often.
pub(crate) fn sequential() -> ReadOptions {
    let mut options = ReadOptions::default();
    options.fill_cache(false);
    options.set_readahead_size(1024 * 1024);
    options
}

/// RocksDB's error as the engine's.
pub(crate) fn failed(context: &'static str, error: &rocksdb::Error) -> EngineError {
    let reason: Arc<str> = error.to_string().into();
    match error.kind() {
        ErrorKind::Corruption => EngineError::Corrupt { context, reason },
        // RocksDB opens the first sixteen files with the database, and misses others when they are read.
        ErrorKind::IOError if reason.contains("No such file") => EngineError::Corrupt { context, reason },
        _ => EngineError::Failed { context, reason },
    }
}

fn directory_bytes(directory: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(directory) else {
        return 0;
    };
    entries
        .flatten()
        .map(|entry| match entry.metadata() {
            Ok(metadata) if metadata.is_dir() => directory_bytes(&entry.path()),
            // A second name of what was counted under its first.
            Ok(metadata) if metadata.nlink() > 1 && directory.ends_with(TRASH_DIRECTORY) => 0,
            Ok(metadata) => metadata.len(),
            // Deleted meanwhile.
            Err(_) => 0,
        })
        .sum()
}

#[cfg(test)]
mod tests;
