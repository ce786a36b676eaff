//! Opens a store's directory: from the lock to two RocksDB instances that may be trusted.
//!
//! In this order, so that nothing is changed before it is judged: the lock and the format ([`layout`]); the
//! watermark; `derived/`, which knows how far it was indexed ([`derived`]); the log's WALs, byte by byte
//! ([`preflight`]); and only then RocksDB opens the log, replays its WALs into tables and deletes them. The store
//! verifies offsets and chain afterwards, from the first segment that came from a WAL.

mod derived;
pub(crate) mod endless;
pub(crate) mod layout;
pub(crate) mod preflight;
pub(crate) mod stage;
pub(crate) mod survey;
pub(crate) mod wal;
pub(crate) mod wal_batch;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use dormouse_domain::{Offset, ShardId};
use rocksdb::DB;
use uuid::Uuid;

use self::layout::{Layout, State, TRASH_DIRECTORY, exists};
use self::preflight::{Promised, refused_by_rocksdb};
use crate::engine::rocks::tuning::{Shared, without_wal};
use crate::engine::rocks::{Databases, RocksEngine, RunWriter, clear_trash, failed};
use crate::engine::{Disk, Opened, Watermark};
use crate::error::{FORMAT_FILE, StoreError, THE_LOG};
use crate::lock::StoreLock;
use crate::options::StoreOptions;
use crate::watermark::{WatermarkFile, WatermarkKeeper};

/// A directory that holds a store, or will.
#[derive(Debug)]
pub(crate) struct RocksDisk {
    path: PathBuf,
    /// The store that was open there before: reopening makes no new one in its place, and takes no other.
    known: OnceLock<Uuid>,
}

impl RocksDisk {
    /// Does nothing yet.
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            // as it is now: a process may change its directory while the store is open
            path: std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf()),
            known: OnceLock::new(),
        }
    }

    /// Claims the directory, unless the store that was open there is not there any more.
    fn claim(&self) -> Result<(Layout, StoreLock, State), StoreError> {
        let Some(known) = self.known.get() else {
            return Layout::claim(&self.path);
        };
        let refused = |reason: &str| StoreError::Engine {
            context: format!("open {} again", self.path.display()),
            reason: reason.into(),
        };
        let gone = || refused("the store is gone from there: deleted, moved or not mounted; bring it back");
        if !exists(&self.path)? {
            // claiming would make the directory, in the place to which the store must be brought back
            return Err(gone());
        }
        let claimed = Layout::claim(&self.path)?;
        match claimed.2 {
            State::Store(found) if found == *known => Ok(claimed),
            State::Store(_) => Err(refused(
                "another store is there now; bring back the one that was open",
            )),
            State::New => Err(gone()),
        }
    }
}

impl Disk for RocksDisk {
    fn directory(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn open(&self, options: &StoreOptions) -> Result<Opened, StoreError> {
        if !options.create_if_missing && !exists(&self.path.join(FORMAT_FILE))? {
            return Err(StoreError::NotAStore {
                path: self.path.clone(),
                missing: FORMAT_FILE,
            });
        }
        let (layout, lock, state) = self.claim()?;
        let shared = Shared::new(options.cache_bytes)?;
        let trash = layout.root().join(TRASH_DIRECTORY);
        let (store, parts) = match state {
            State::Store(store) => {
                let parts = match open_store(&layout, store, options.shard, &shared) {
                    // The system failed: perhaps for want of room, and a full disk must not keep a store from opening.
                    Err(StoreError::Engine { .. }) if exists(&trash)? => {
                        clear_leftovers(layout.root());
                        open_store(&layout, store, options.shard, &shared)?
                    }
                    // A refusal leaves it: what was deleted from beneath the store has its second name there.
                    opened => opened?,
                };
                clear_leftovers(layout.root());
                (store, parts)
            }
            State::New => {
                clear_leftovers(layout.root());
                let store = Uuid::now_v7();
                (store, create_store(&layout, store, options.shard, &shared)?)
            }
        };
        let runs = RunWriter::new(&layout.derived(), &shared)?;
        let mark = parts.watermark.mark();
        let interval = Duration::from_millis(options.watermark_every_ms);
        let watermark =
            WatermarkKeeper::start(parts.watermark, interval, layout.log_current()).map_err(|error| {
                StoreError::Engine {
                    context: "start the watermark's thread".into(),
                    reason: error.to_string().into(),
                }
            })?;
        let engine = RocksEngine::new(
            layout.root(),
            layout.rebuild_marker(),
            parts.databases,
            runs,
            watermark,
            lock,
        );
        tracing::info!(path = %layout.root().display(), %store, "the store's directory was opened");
        self.known.get_or_init(|| store);
        Ok(Opened {
            engine: Arc::new(engine),
            watermark: Some(mark).filter(|mark| mark.offset > Offset::NONE),
            verify_from: parts.verify_from,
        })
    }
}

/// What an earlier process left: second names of files, in `trash/` and of a copy that was never finished.
fn clear_leftovers(root: &Path) {
    clear_trash(&root.join(TRASH_DIRECTORY));
    if let Err(error) = stage::clear(root) {
        tracing::warn!(path = %root.display(), %error, "what is left of a copy can't be removed");
    }
}

struct Parts {
    databases: Databases,
    watermark: WatermarkFile,
    verify_from: Offset,
}

fn create_store(layout: &Layout, store: Uuid, shard: ShardId, shared: &Shared) -> Result<Parts, StoreError> {
    let not_writable = |source: io::Error| not_writable(layout.root(), source);
    layout.begin().map_err(not_writable)?;
    let log = open_log(layout, shared, true)?;
    let derived = derived::make(layout, store, shared)?;
    let watermark = WatermarkFile::create(layout.root(), store, shard).map_err(not_writable)?;
    layout.finish(store).map_err(not_writable)?;
    Ok(Parts {
        databases: Databases { log, derived },
        watermark,
        verify_from: Offset::new(1),
    })
}

fn open_store(layout: &Layout, store: Uuid, shard: ShardId, shared: &Shared) -> Result<Parts, StoreError> {
    let mut watermark = WatermarkFile::open(layout.root(), store, shard)?;
    // RocksDB would take a log without this file for an empty directory.
    let current = layout.log_current();
    if !exists(&current)? {
        return Err(StoreError::corrupt(
            THE_LOG,
            current.display(),
            "the file is missing",
        ));
    }
    let (derived, indexed) = derived::open(layout, store, shard, shared)?;
    let promised = Promised {
        watermark: watermark.mark().offset,
        indexed,
    };
    let first_in_wals = preflight::check_log(layout, shard, promised, shared)?;
    let log = open_log(layout, shared, false)?;
    let derived = if watermark.accepts_loss() {
        // Rows may be of commits that the log has lost: a crash leaves rows ahead of the indexed position.
        drop(derived);
        let made = derived::make(layout, store, shared)?;
        watermark.renew()?;
        made
    } else {
        derived
    };
    // One segment earlier, so that the border between tables and WALs is part of it. Without any segment in the
    // WALs, only what is not indexed is verified, which the store does in any case.
    let verify_from = first_in_wals.map_or(Offset::new(u64::MAX), |first| {
        Offset::new((first.get() - 1).max(1))
    });
    Ok(Parts {
        databases: Databases { log, derived },
        watermark,
        verify_from,
    })
}

/// A new store whose log was written before: appends segments, unsynced, until it is finished.
pub(crate) struct NewStore {
    log: DB,
    layout: Layout,
    shared: Shared,
    _lock: StoreLock,
}

impl NewStore {
    /// Begins it in `path`, which must be free for one. Until [`NewStore::finish`] it is none, and opening refuses it.
    ///
    /// # Errors
    /// As of opening; [`StoreError::NotWritable`] if anything is there.
    pub(crate) fn begin(path: &Path, cache_bytes: usize) -> Result<Self, StoreError> {
        let taken = |by| not_writable(path, io::Error::other(by));
        let (layout, lock, state) = Layout::claim(path).map_err(|error| match error {
            StoreError::NotAStore { .. } => taken("it is not empty"),
            error => error,
        })?;
        if state != State::New {
            return Err(taken("it holds a store already"));
        }
        let shared = Shared::new(cache_bytes)?;
        layout.begin_copy().map_err(|reason| not_writable(path, reason))?;
        let log = open_log(&layout, &shared, true)?;
        Ok(Self {
            log,
            layout,
            shared,
            _lock: lock,
        })
    }

    /// Appends a segment. Not durable before [`NewStore::finish`], so it needs no write-ahead log.
    pub(crate) fn append(&self, key: &[u8], segment: &[u8]) -> Result<(), StoreError> {
        let written = self.log.put_opt(key, segment, &without_wal());
        Ok(written.map_err(|error| failed("copy a segment", &error))?)
    }

    /// Makes it a store, durable on return, whose log was durable up to `end`.
    pub(crate) fn finish(&self, end: Watermark) -> Result<(), StoreError> {
        let path = self.layout.root();
        self.log
            .flush()
            .map_err(|error| failed("write the log's tables", &error))?;
        let store = Uuid::now_v7();
        derived::make(&self.layout, store, &self.shared)?;
        WatermarkFile::create(path, store, ShardId::new(end.shard))
            .and_then(|mut watermark| watermark.write(end))
            .and_then(|()| self.layout.finish(store))
            .map_err(|source| not_writable(path, source))
    }
}

fn not_writable(path: &Path, reason: io::Error) -> StoreError {
    StoreError::NotWritable {
        path: path.to_path_buf(),
        reason: Arc::new(reason),
    }
}

fn open_log(layout: &Layout, shared: &Shared, is_new: bool) -> Result<DB, StoreError> {
    let mut options = shared
        .log()
        .map_err(|error| failed("set the log's options", &error))?;
    options.create_if_missing(is_new);
    options.set_error_if_exists(is_new);
    DB::open(&options, layout.log()).map_err(|error| refused_by_rocksdb(&layout.log(), &error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::CommitBuilder;
    use crate::engine::{Engine, Family, Watermark};
    use crate::format::{keys, segment};
    use crate::store::Store;
    use dormouse_domain::{AggregateType, StreamId, Timestamp, Version};

    fn segment(number: u64, previous: u128) -> ([u8; keys::LOG_KEY_BYTES], Vec<u8>) {
        let first = Offset::new(number);
        let header = segment::Header {
            shard: ShardId::FIRST,
            epoch: 1,
            batch: number,
            first,
            time: Timestamp::from_micros(1),
            previous,
            events: 1,
            commits: 1,
        };
        let stream = StreamId::new(AggregateType::from_static("t"), "a".try_into().unwrap());
        let mut commit = CommitBuilder::new(&stream, Version::new(number));
        commit.system_event("e", &[7; 8_000]).unwrap();
        let mut bytes = vec![0; segment::HEADER_BYTES];
        bytes.extend_from_slice(&commit.finish().unwrap().bytes);
        segment::seal(&mut bytes, &header);
        (keys::log(ShardId::FIRST, first), bytes)
    }

    fn append(engine: &dyn Engine, number: u64, previous: u128) -> u128 {
        let (key, bytes) = segment(number, previous);
        engine.append_log(&key, &bytes).unwrap();
        let hash = segment::hash(&bytes);
        let offset = Offset::new(number);
        engine.mark_durable(Watermark {
            shard: 0,
            offset,
            hash,
        });
        hash
    }

    fn open(path: &Path) -> Result<Opened, StoreError> {
        RocksDisk::new(path).open(&StoreOptions::default())
    }

    #[test]
    fn a_change_of_the_working_directory_moves_no_store() {
        assert!(RocksDisk::new(Path::new("data/store")).path.is_absolute());
    }

    /// A log of ten segments, all in tables.
    fn in_tables(path: &Path) {
        let engine = open(path).unwrap().engine;
        (1..=10).fold(0, |previous, number| append(&*engine, number, previous));
        engine.close().unwrap();
        open(path).unwrap().engine.close().unwrap();
    }

    #[test]
    fn an_accepted_loss_leaves_no_row_of_a_lost_commit() {
        let directory = tempfile::tempdir().unwrap();
        in_tables(directory.path());
        let (key, stream) = (b"a row that no position speaks for", Family::Streams);
        let row = || {
            let engine = open(directory.path()).unwrap().engine;
            let row = engine.get(stream, key).unwrap();
            engine.close().unwrap();
            row
        };
        let engine = open(directory.path()).unwrap().engine;
        engine.put(stream, key, b"commits").unwrap();
        engine.close().unwrap();
        assert!(row().is_some());
        std::fs::write(directory.path().join("watermark"), []).unwrap();
        assert!(row().is_none());
        let renewed = std::fs::metadata(directory.path().join("watermark")).unwrap();
        assert!(renewed.len() > 0, "accepted once");
    }

    /// What was deleted from `log/` by mistake has its second name in the trash, as long as nothing but refusals comes.
    #[test]
    fn a_refusal_leaves_the_trash() {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path()).unwrap().engine;
        let hash = append(&*engine, 1, 0);
        engine.mark_durable(Watermark {
            shard: ShardId::FIRST.get(),
            offset: Offset::new(1),
            hash,
        });
        engine.close().unwrap();
        let log = directory.path().join("log");
        let is_wal = |path: &PathBuf| path.extension().is_some_and(|extension| extension == "log");
        let mut files = std::fs::read_dir(log).unwrap().map(|file| file.unwrap().path());
        let wal = files.find(is_wal).unwrap();
        let trash = directory.path().join(TRASH_DIRECTORY);
        std::fs::create_dir_all(&trash).unwrap();
        std::fs::rename(&wal, trash.join("1234")).unwrap();
        assert!(open(directory.path()).is_err());
        std::fs::rename(trash.join("1234"), &wal).unwrap();
        open(directory.path()).unwrap().engine.close().unwrap();
        assert!(!trash.exists());
    }

    #[test]
    fn a_gap_in_the_tables_is_named() {
        let directory = tempfile::tempdir().unwrap();
        in_tables(directory.path());
        {
            let options = Shared::new(1024).unwrap().log().unwrap();
            let log = DB::open(&options, directory.path().join("log")).unwrap();
            log.delete(keys::log(ShardId::FIRST, Offset::new(4))).unwrap();
            log.flush().unwrap();
        }
        let error = Store::open(directory.path()).map(drop).unwrap_err();
        let StoreError::LogGap { expected, found } = error else {
            panic!("{error}")
        };
        assert_eq!((expected.get(), found.get()), (4, 5));
    }

    #[test]
    fn a_write_into_the_log_that_is_not_the_stores_is_named() {
        let directory = tempfile::tempdir().unwrap();
        in_tables(directory.path());
        {
            let options = Shared::new(1024).unwrap().log().unwrap();
            let log = DB::open(&options, directory.path().join("log")).unwrap();
            log.delete(keys::log(ShardId::FIRST, Offset::new(10))).unwrap();
        }
        let error = Store::open(directory.path()).map(drop).unwrap_err();
        let StoreError::LogDamaged { reason, .. } = &error else {
            panic!("{error}")
        };
        assert!(reason.contains("does not write"), "{error}");
    }

    #[test]
    fn a_stopped_engine_is_read_and_not_written() {
        let directory = tempfile::tempdir().unwrap();
        let engine = open(directory.path()).unwrap().engine;
        let hash = append(&*engine, 1, 0);
        engine.stop();
        let (key, bytes) = engine
            .seek_log(&keys::log(ShardId::FIRST, Offset::new(1)))
            .unwrap()
            .unwrap();
        assert_eq!(segment::hash(&bytes), hash);
        assert!(
            engine.append_log(&key, &bytes).is_err(),
            "a stopped engine takes nothing"
        );
    }

    /// A log whose segments are in three WALs, none of them flushed: what a crash leaves while RocksDB is behind.
    fn in_three_wals(path: &Path) -> Vec<PathBuf> {
        open(path).unwrap().engine.close().unwrap();
        let log = path.join("log");
        let mut options = Shared::new(1024).unwrap().log().unwrap();
        options.set_write_buffer_size(16 * 1024);
        options.set_max_write_buffer_number(8);
        options.set_min_write_buffer_number_to_merge(6);
        let db = DB::open(&options, &log).unwrap();
        let mut previous = 0;
        let mut number = 0;
        loop {
            number += 1;
            let (key, bytes) = segment(number, previous);
            db.put_opt(key, &bytes, &crate::engine::rocks::tuning::synced())
                .unwrap();
            previous = segment::hash(&bytes);
            let wals = survey::wal_files(&log).unwrap();
            if wals.len() == 4 {
                return wals;
            }
        }
    }

    #[test]
    fn a_missing_or_shortened_older_wal_is_named() {
        type Change = fn(&Path);
        let shorten: Change = |wal| {
            let bytes = std::fs::read(wal).unwrap();
            let record = 7 + usize::from(u16::from_le_bytes([bytes[4], bytes[5]]));
            std::fs::write(wal, &bytes[..bytes.len() - record]).unwrap();
        };
        let remove: Change = |wal| std::fs::remove_file(wal).unwrap();
        for (change, hit) in [(shorten, 0), (shorten, 1), (remove, 0), (remove, 1)] {
            let directory = tempfile::tempdir().unwrap();
            let wals = in_three_wals(directory.path());
            change(&wals[hit]);
            let error = Store::open(directory.path()).map(drop).unwrap_err();
            match (&error, hit) {
                // The first one's loss shows in no WAL: RocksDB's manifest knows of it.
                (StoreError::Corrupt { reason, .. }, 0) => assert!(reason.contains("WAL"), "{error}"),
                (
                    StoreError::LogDamaged {
                        lost_from, lost_to, ..
                    },
                    _,
                ) => {
                    assert!(
                        *lost_from > Offset::NONE && *lost_to >= Some(*lost_from),
                        "{error}"
                    );
                }
                _ => panic!("{hit}: {error}"),
            }
        }
        let directory = tempfile::tempdir().unwrap();
        in_three_wals(directory.path());
        Store::open(directory.path()).unwrap();
    }
}
