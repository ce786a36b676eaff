//! The watermark: how far the log reached, remembered outside the log.
//!
//! RocksDB can't tell a log that ends early from one that was cut: a WAL that was shortened at a record's border,
//! or that is missing, opens without a word. So a small file beside it remembers, at most one interval late, the
//! last offset that was durable. On opening, a log that ends before it has lost acknowledged commits.
//!
//! The file is 8 KiB: two slots, 4 KiB apart so that they share no sector, written in turn and synced each time,
//! so that a power cut can spoil one of them at most. A slot, integers little-endian:
//!
//! | bytes | what |
//! |---|---|
//! | 8 | `DORMWM01` |
//! | 16 | the store's id |
//! | 8 | sequence number of this write; the valid slot with the higher one counts |
//! | 2 | shard |
//! | 8 | last offset of the newest durable segment; 0 if there is none |
//! | 16 | xxh3-128 of that segment |
//! | 4 | CRC32C of all before |
//!
//! An *empty* file promises nothing: it is how an operator accepts a loss that was named.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::MetadataExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use dormouse_domain::{Offset, ShardId};
use parking_lot::{Condvar, Mutex};
use uuid::Uuid;

use crate::engine::{EngineError, Watermark};
use crate::error::StoreError;

/// The file's name in the store's directory.
pub(crate) const WATERMARK_FILE: &str = "watermark";

const MAGIC: [u8; 8] = *b"DORMWM01";
const SLOT_BYTES: usize = 62;
const SLOT_DISTANCE: u64 = 4096;

/// An open watermark file.
#[derive(Debug)]
pub(crate) struct WatermarkFile {
    file: File,
    path: PathBuf,
    store: Uuid,
    sequence: u64,
    mark: Watermark,
    accepts_loss: bool,
}

impl WatermarkFile {
    /// Makes the file of a new store, with offset 0. Synced; the directory is not.
    pub(crate) fn create(directory: &Path, store: Uuid, shard: ShardId) -> io::Result<Self> {
        let path = directory.join(WATERMARK_FILE);
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(true)
            .open(&path)?;
        let mut watermark = Self {
            file,
            path,
            store,
            sequence: 0,
            mark: nothing(shard),
            accepts_loss: false,
        };
        watermark.begin_afresh()?;
        Ok(watermark)
    }

    fn begin_afresh(&mut self) -> io::Result<()> {
        self.file.set_len(2 * SLOT_DISTANCE)?;
        self.write(self.mark)?;
        self.file.sync_all()
    }

    /// Opens a store's file and reads what it promises.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is missing, if neither slot can be read, or if it is another store's: without
    /// it, a log that lost its end can't be told from a whole one.
    pub(crate) fn open(directory: &Path, store: Uuid, shard: ShardId) -> Result<Self, StoreError> {
        let path = directory.join(WATERMARK_FILE);
        let corrupt = |reason: &str| {
            let advice = "to open without knowing how far the log reached, put an empty file in its place";
            StoreError::corrupt(
                path.display().to_string(),
                "its slots",
                format!("{reason}; {advice}"),
            )
        };
        let failed = |source: io::Error| StoreError::Engine {
            context: format!("watermark {}", path.display()),
            reason: source.to_string().into(),
        };
        let mut file = match OpenOptions::new().read(true).write(true).open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(corrupt("it is missing")),
            Err(error) => return Err(failed(error)),
        };
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed)?;
        let newest = newest(&bytes);
        let mut watermark = Self {
            file,
            path: path.clone(),
            store,
            sequence: 0,
            mark: nothing(shard),
            accepts_loss: false,
        };
        match newest {
            Some(slot) if slot.store != store => return Err(corrupt("it is another store's")),
            Some(slot) if slot.mark.shard != shard.get() => return Err(corrupt("it is another shard's")),
            Some(slot) => (watermark.sequence, watermark.mark) = (slot.sequence, slot.mark),
            None if bytes.is_empty() => {
                tracing::warn!(
                    path = %path.display(),
                    "the watermark file is empty: whether the log lost its end goes unchecked"
                );
                watermark.accepts_loss = true;
            }
            None => return Err(corrupt("neither slot can be read")),
        }
        Ok(watermark)
    }

    /// Whether the file is empty. It stays so until the first mark is written, or [`WatermarkFile::renew`] is called.
    pub(crate) fn accepts_loss(&self) -> bool {
        self.accepts_loss
    }

    /// Makes an empty file a sound one that promises nothing; synced on return.
    pub(crate) fn renew(&mut self) -> Result<(), StoreError> {
        self.accepts_loss = false;
        self.begin_afresh().map_err(|source| StoreError::Engine {
            context: format!("watermark {}", self.path.display()),
            reason: source.to_string().into(),
        })
    }

    /// What is known to have been durable; offset 0 if nothing is.
    pub(crate) fn mark(&self) -> Watermark {
        self.mark
    }

    /// An error if the file was deleted or moved, also if another one, of a store that was put there, has its name now.
    fn still_has_its_name(&self) -> io::Result<()> {
        let (open, named) = (self.file.metadata()?, std::fs::metadata(&self.path)?);
        if (open.dev(), open.ino()) == (named.dev(), named.ino()) {
            return Ok(());
        }
        Err(io::Error::other("another file has its name now"))
    }

    /// Writes the mark into the other slot and syncs. One small write, one fdatasync.
    pub(crate) fn write(&mut self, mark: Watermark) -> io::Result<()> {
        let sequence = self.sequence + 1;
        let slot = Slot {
            store: self.store,
            sequence,
            mark,
        };
        self.file.seek(SeekFrom::Start(sequence % 2 * SLOT_DISTANCE))?;
        self.file.write_all(&slot.bytes())?;
        self.file.sync_data()?;
        (self.sequence, self.mark) = (sequence, mark);
        Ok(())
    }
}

/// What the file of a damaged store promises, and for which store; the error says why it can't be told. Changes nothing.
pub(crate) fn peek(directory: &Path) -> Result<Option<(Uuid, Watermark)>, String> {
    let path = directory.join(WATERMARK_FILE);
    let bytes = std::fs::read(&path).map_err(|error| error.to_string())?;
    match newest(&bytes) {
        Some(slot) => Ok(Some((slot.store, slot.mark))),
        None if bytes.is_empty() => Ok(None),
        None => Err("neither slot can be read".into()),
    }
}

fn newest(bytes: &[u8]) -> Option<Slot> {
    [0, SLOT_DISTANCE as usize]
        .into_iter()
        .filter_map(|at| Slot::parse(bytes.get(at..at + SLOT_BYTES)?))
        .max_by_key(|slot| slot.sequence)
}

fn nothing(shard: ShardId) -> Watermark {
    Watermark {
        shard: shard.get(),
        offset: Offset::NONE,
        hash: 0,
    }
}

struct Slot {
    store: Uuid,
    sequence: u64,
    mark: Watermark,
}

impl Slot {
    fn bytes(&self) -> [u8; SLOT_BYTES] {
        let mut bytes = [0; SLOT_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..24].copy_from_slice(self.store.as_bytes());
        bytes[24..32].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[32..34].copy_from_slice(&self.mark.shard.to_le_bytes());
        bytes[34..42].copy_from_slice(&self.mark.offset.get().to_le_bytes());
        bytes[42..58].copy_from_slice(&self.mark.hash.to_le_bytes());
        let crc = crc32c::crc32c(&bytes[..58]);
        bytes[58..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let (content, crc) = bytes.split_last_chunk::<4>()?;
        if crc32c::crc32c(content) != u32::from_le_bytes(*crc) {
            return None;
        }
        let (magic, content) = content.split_first_chunk::<8>()?;
        let (store, content) = content.split_first_chunk::<16>()?;
        let (sequence, content) = content.split_first_chunk::<8>()?;
        let (shard, content) = content.split_first_chunk::<2>()?;
        let (offset, content) = content.split_first_chunk::<8>()?;
        let hash: [u8; 16] = content.try_into().ok()?;
        let mark = Watermark {
            shard: u16::from_le_bytes(*shard),
            offset: Offset::new(u64::from_le_bytes(*offset)),
            hash: u128::from_le_bytes(hash),
        };
        let (store, sequence) = (Uuid::from_bytes(*store), u64::from_le_bytes(*sequence));
        (*magic == MAGIC).then_some(Self {
            store,
            sequence,
            mark,
        })
    }
}

/// What a slot's bytes say, written again; `None` if they are no slot.
#[cfg(any(test, fuzzing))]
pub(crate) fn rewritten(bytes: &[u8]) -> Option<Vec<u8>> {
    Slot::parse(bytes).map(|slot| slot.bytes().to_vec())
}

/// Some slot.
#[cfg(any(test, fuzzing))]
pub(crate) fn a_slot() -> Vec<u8> {
    let slot = Slot {
        store: Uuid::from_u128(7),
        sequence: 3,
        mark: nothing(ShardId::FIRST),
    };
    slot.bytes().to_vec()
}

/// Writes the watermark behind the log, on a thread of its own.
///
/// At most one write an interval, or sooner where somebody waits for it; none while the durable offset stands still.
/// After a failed write nothing more is written; the promise that is in the file stays true, only older.
#[derive(Debug)]
pub(crate) struct WatermarkKeeper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Shared {
    state: Mutex<State>,
    /// For the thread: there may be something to write, or it should end.
    changed: Condvar,
    /// For those that wait for the thread: it has written, or never will again.
    written: Condvar,
    /// Set after `State::failed`, so that a look at it costs no lock.
    has_failed: AtomicBool,
}

#[derive(Debug)]
struct State {
    durable: Watermark,
    /// What the file promises.
    written: Offset,
    /// Somebody waits for a write, until then at most.
    due: Option<Instant>,
    is_idle: bool,
    ending: Option<Ending>,
    failed: Option<Arc<str>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Write what is durable, then stop.
    Written,
    /// Stop as a crash would.
    Dropped,
}

impl WatermarkKeeper {
    /// Starts the thread, which writes at most once in `interval`. It also looks whether `log`, a file of the log, is
    /// still there, and the watermark itself: what is written into deleted files succeeds, and is lost.
    pub(crate) fn start(file: WatermarkFile, interval: Duration, log: PathBuf) -> io::Result<Self> {
        let state = State {
            durable: file.mark,
            written: file.mark.offset,
            due: None,
            is_idle: false,
            ending: None,
            failed: None,
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            changed: Condvar::new(),
            written: Condvar::new(),
            has_failed: AtomicBool::new(false),
        });
        let keeping = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("dormouse-watermark".into())
            .spawn(move || {
                if catch_unwind(AssertUnwindSafe(|| keeping.keep(file, interval, &log))).is_err() {
                    keeping.fail("its thread panicked");
                }
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Says how far the log is durable. A short lock; wakes the thread only if it was idle.
    pub(crate) fn moved(&self, mark: Watermark) {
        let mut state = self.shared.state.lock();
        state.durable = mark;
        if std::mem::take(&mut state.is_idle) {
            self.shared.changed.notify_one();
        }
    }

    /// The newest mark that it was told of.
    pub(crate) fn newest(&self) -> Watermark {
        self.shared.state.lock().durable
    }

    /// Waits until the file promises the log up to `offset`, which was told before: one write, at most `patience` from now.
    ///
    /// # Errors
    /// If writing failed, or the thread was told to end: the wait never outlasts it.
    pub(crate) fn wait_for(&self, offset: Offset, patience: Duration) -> Result<(), EngineError> {
        let refused = |reason: Arc<str>| EngineError::Failed {
            context: "write the watermark",
            reason,
        };
        let (shared, due) = (&*self.shared, Instant::now() + patience);
        let mut state = shared.state.lock();
        if offset > state.durable.offset {
            return Err(refused(
                format!("nothing was durable up to offset {offset}").into(),
            ));
        }
        while state.written < offset {
            if let Some(reason) = &state.failed {
                return Err(refused(Arc::clone(reason)));
            }
            match state.ending {
                Some(Ending::Written) => return Err(EngineError::Closed),
                Some(Ending::Dropped) => return Err(refused("the store was stopped".into())),
                None => {}
            }
            if state.due.is_none_or(|earliest| due < earliest) {
                state.due = Some(due);
                shared.changed.notify_one();
            }
            shared.written.wait(&mut state);
        }
        Ok(())
    }

    /// Why writing failed, if it did: then the log must not grow beyond what is promised any further.
    pub(crate) fn failure(&self) -> Option<Arc<str>> {
        if !self.shared.has_failed.load(Ordering::Acquire) {
            return None;
        }
        self.shared.state.lock().failed.clone()
    }

    /// Ends the thread without another write. Idempotent.
    pub(crate) fn stop(&self) {
        self.end(Ending::Dropped);
    }

    /// Writes the last mark, synced, and ends the thread; after [`WatermarkKeeper::stop`] nothing is written.
    /// Idempotent.
    ///
    /// # Errors
    /// If this or an earlier write failed.
    pub(crate) fn close(&self) -> Result<(), EngineError> {
        self.end(Ending::Written);
        match self.failure() {
            None => Ok(()),
            Some(reason) => Err(EngineError::Failed {
                context: "write the watermark",
                reason,
            }),
        }
    }

    fn end(&self, ending: Ending) {
        self.shared.state.lock().ending.get_or_insert(ending);
        self.shared.changed.notify_one();
        self.shared.written.notify_all();
        if let Some(thread) = self.thread.lock().take() {
            // A panic on that thread was reported by the panic hook; nothing is left to do for it here.
            let _ = thread.join();
        }
    }
}

impl Drop for WatermarkKeeper {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn keep(&self, mut file: WatermarkFile, interval: Duration, log: &Path) {
        loop {
            let (durable, ending) = self.wait_for_change(file.mark, interval);
            if ending != Some(Ending::Dropped)
                && durable != file.mark
                && let Err((path, error)) = write_beside(log, &mut file, durable)
            {
                tracing::error!(path = %path.display(), %error, "the watermark can't be written");
                return self.fail(&format!("{}: {error}", path.display()));
            }
            self.state.lock().written = file.mark.offset;
            self.written.notify_all();
            if ending.is_some() {
                return;
            }
        }
    }

    fn fail(&self, reason: &str) {
        self.state.lock().failed = Some(reason.into());
        self.has_failed.store(true, Ordering::Release);
        self.written.notify_all();
    }

    /// Waits until the mark has moved and the interval has passed since, or less where somebody waits for it, or until
    /// the end.
    fn wait_for_change(&self, written: Watermark, interval: Duration) -> (Watermark, Option<Ending>) {
        let mut state = self.state.lock();
        while state.ending.is_none() && state.durable == written {
            state.is_idle = true;
            self.changed.wait(&mut state);
        }
        state.is_idle = false;
        let moved = Instant::now();
        loop {
            let until = state
                .due
                .map_or(moved + interval, |due| due.min(moved + interval));
            if state.ending.is_some() || self.changed.wait_until(&mut state, until).timed_out() {
                break;
            }
        }
        state.due = None;
        (state.durable, state.ending)
    }
}

/// Writes the mark, if the log that it speaks of and the file itself still have their names; else says which is gone.
fn write_beside(log: &Path, file: &mut WatermarkFile, mark: Watermark) -> Result<(), (PathBuf, io::Error)> {
    std::fs::symlink_metadata(log).map_err(|error| (log.to_path_buf(), error))?;
    file.still_has_its_name()
        .and_then(|()| file.write(mark))
        .map_err(|error| (file.path.clone(), error))
}

#[cfg(test)]
mod tests;
