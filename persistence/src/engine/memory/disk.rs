//! A disk in memory: what outlives a store that was dropped, with switches for what goes wrong.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use super::families::Families;
use super::log::Log;
use crate::engine::{EngineError, Family, Watermark};
use crate::error::StoreError;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// A disk in memory. Clones are the same disk.
///
/// It outlives the stores opened on it: `Store::on_memory` again on the same disk is a restart. A store dropped
/// without `close` is a crash: the log keeps every segment that was durable, while what is derived loses its
/// unsynced end, as it would by a loss of power (see [`MemoryDisk::keep_unsynced`]).
///
/// For tests it fails and holds appends, pulls the plug, and lets its rows be damaged.
#[derive(Clone, Default)]
pub struct MemoryDisk {
    inner: Arc<Inner>,
}

#[derive(Default)]
struct Inner {
    log: Mutex<Log>,
    families: Mutex<Families>,
    control: Mutex<Control>,
    changed: Condvar,
}

/// Taken last where several locks are.
#[derive(Default)]
struct Control {
    /// How often the disk was opened.
    openings: u64,
    /// The opening that is in use.
    current: Option<u64>,
    stopped: bool,
    watermark: Option<Watermark>,
    fault: Option<AppendFault>,
    holds: usize,
    waiting: usize,
    keep_unsynced: bool,
    #[cfg(feature = "simulation")]
    between: Option<Between>,
}

/// What happens between a reader's looks at the disk.
#[cfg(feature = "simulation")]
type Between = Arc<dyn Fn() + Send + Sync>;

/// How an append fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendFault {
    /// Nothing reaches the log.
    NothingWritten,
    /// The segment reaches the log, but the writer gets an error: what a failed sync may leave behind.
    Written,
}

/// While it lives, the journal's appends wait; see [`MemoryDisk::hold_appends`].
#[must_use = "appends go on when it is dropped"]
pub struct HeldAppends {
    disk: MemoryDisk,
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> MemoryDisk {
        MemoryDisk::default()
    }

    /// The next append fails in this way, once.
    pub fn fail_append(&self, fault: AppendFault) {
        self.inner.control.lock().fault = Some(fault);
    }

    /// Appends wait until the guard is dropped: what is submitted meanwhile stays unsettled. A store dropped or
    /// closed meanwhile waits, too; [`MemoryDisk::crash`] first lets it go.
    pub fn hold_appends(&self) -> HeldAppends {
        self.inner.control.lock().holds += 1;
        HeldAppends { disk: self.clone() }
    }

    /// Whether a crash keeps what is derived to its last row (as when a process is killed) instead of losing its
    /// unsynced end (as by a loss of power, the default).
    pub fn keep_unsynced(&self, keep: bool) {
        self.inner.control.lock().keep_unsynced = keep;
    }

    /// Pulls the plug: the open store, if there is one, can read and write nothing any more, an append under way
    /// fails, and the disk can be opened again at once.
    pub fn crash(&self) {
        let current = self.inner.control.lock().current;
        if let Some(opening) = current {
            self.crash_if_current(opening);
        }
    }

    /// Forgets everything derived: the next opening rebuilds it from the log. The disk must not be open.
    pub fn delete_derived(&self) {
        *self.inner.families.lock() = Families::default();
    }

    /// Changes the log's rows: key to segment, as `docs/format.md` has them. The disk must not be open.
    pub fn edit_log(&self, edit: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        self.inner.log.lock().edit(edit);
    }

    /// Changes the rows of a family (`streams`, `commands`, `snapshots`, `meta`).
    ///
    /// # Panics
    /// If there is no family of that name.
    pub fn edit_rows(&self, family: &str, edit: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        let family = Family::ALL.into_iter().find(|known| known.name() == family);
        self.inner
            .families
            .lock()
            .edit(family.expect("a family's name"), edit);
    }

    /// Has `between` run before and after each reading of derived rows: what other threads do meanwhile.
    #[cfg(feature = "simulation")]
    #[doc(hidden)]
    pub fn between_readings(&self, between: impl Fn() + Send + Sync + 'static) {
        self.inner.control.lock().between = Some(Arc::new(between));
    }

    /// A reader is about to look, or has looked.
    pub(super) fn reading(&self) {
        #[cfg(feature = "simulation")]
        {
            let between = self.inner.control.lock().between.clone();
            between.into_iter().for_each(|between| between());
        }
    }

    pub(super) fn begin_opening(&self) -> Result<u64, StoreError> {
        self.inner.families.lock().sync();
        let mut control = self.inner.control.lock();
        if control.current.is_some() {
            return Err(StoreError::Locked {
                path: PathBuf::from("(in memory)"),
                holder: None,
            });
        }
        control.openings += 1;
        control.current = Some(control.openings);
        control.stopped = false;
        Ok(control.openings)
    }

    pub(super) fn is_current(&self, opening: u64) -> bool {
        self.inner.control.lock().current == Some(opening)
    }

    pub(super) fn append(&self, opening: u64, key: &[u8], segment: &[u8]) -> Result<(), EngineError> {
        let fault = self.enter_append(opening)?;
        if fault != Some(AppendFault::NothingWritten) {
            let mut log = self.inner.log.lock();
            // A crash may have come between; what it took the log's lock before stays away.
            if !self.is_current(opening) {
                return Err(EngineError::Closed);
            }
            log.append(key, segment);
        }
        match fault {
            None => Ok(()),
            Some(fault) => Err(EngineError::Failed {
                context: "appending to the log",
                reason: format!("a test asked for it ({fault:?})").into(),
            }),
        }
    }

    /// Waits while appends are held.
    fn enter_append(&self, opening: u64) -> Result<Option<AppendFault>, EngineError> {
        let mut control = self.inner.control.lock();
        control.waiting += 1;
        self.inner.changed.notify_all();
        while control.holds > 0 && control.current == Some(opening) {
            self.inner.changed.wait(&mut control);
        }
        control.waiting -= 1;
        if control.current != Some(opening) {
            return Err(EngineError::Closed);
        }
        Ok(control.fault.take())
    }

    pub(super) fn log(&self) -> MutexGuard<'_, Log> {
        self.inner.log.lock()
    }

    pub(super) fn families(&self) -> MutexGuard<'_, Families> {
        self.inner.families.lock()
    }

    pub(super) fn watermark(&self) -> Option<Watermark> {
        self.inner.control.lock().watermark
    }

    pub(super) fn mark(&self, opening: u64, mark: Watermark) {
        let mut control = self.inner.control.lock();
        if control.current == Some(opening) && !control.stopped {
            control.watermark = Some(mark);
        }
    }

    pub(super) fn stop(&self, opening: u64) {
        let mut control = self.inner.control.lock();
        if control.current == Some(opening) {
            control.stopped = true;
        }
    }

    pub(super) fn bytes(&self) -> u64 {
        let log = self.inner.log.lock().bytes();
        (log + self.inner.families.lock().bytes()) as u64
    }

    pub(super) fn close(&self, opening: u64) {
        let mut families = self.inner.families.lock();
        let mut control = self.inner.control.lock();
        if control.current == Some(opening) {
            families.sync();
            control.current = None;
        }
    }

    pub(super) fn crash_if_current(&self, opening: u64) {
        let _log = self.inner.log.lock();
        let mut families = self.inner.families.lock();
        let mut control = self.inner.control.lock();
        if control.current != Some(opening) {
            return;
        }
        control.current = None;
        if control.keep_unsynced {
            families.sync();
        } else {
            families.lose_unsynced();
        }
        self.inner.changed.notify_all();
    }
}

impl HeldAppends {
    /// Waits until the journal waits in an append.
    pub fn wait_for_append(&self) {
        let mut control = self.disk.inner.control.lock();
        while control.waiting == 0 {
            self.disk.inner.changed.wait(&mut control);
        }
    }
}

impl Drop for HeldAppends {
    fn drop(&mut self) {
        self.disk.inner.control.lock().holds -= 1;
        self.disk.inner.changed.notify_all();
    }
}

impl fmt::Debug for MemoryDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryDisk")
            .field("open", &self.inner.control.lock().current.is_some())
            .finish()
    }
}
