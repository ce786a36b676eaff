//! A disk for tests that passes everything on to a memory disk, but for what it is told to fail.

use std::sync::Arc;

use super::memory::MemoryDisk;
use super::{Disk, Engine, EngineError, Family, LogRow, Opened, Run, Start, Visit, Watermark};
use crate::error::StoreError;
use crate::options::StoreOptions;
use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use crate::sync::{Condvar, Mutex};

/// Each switch fails one call, once.
#[derive(Default)]
pub(crate) struct Switches {
    pub(crate) append_panics: AtomicBool,
    pub(crate) mark_panics: AtomicBool,
    pub(crate) index_fails: AtomicBool,
    pub(crate) index_panics: AtomicBool,
    /// The next opening knows no watermark: it had not been written yet.
    pub(crate) forget_watermark: AtomicBool,
    pub(crate) open_fails: AtomicBool,
    pub(crate) close_fails: AtomicBool,
    /// How often the log was read.
    pub(crate) log_scans: AtomicU64,
    held_runs: Mutex<bool>,
    released: Condvar,
}

impl Switches {
    /// Runs wait from here on, until they are let go.
    pub(crate) fn hold_runs(&self, hold: bool) {
        *self.held_runs.lock() = hold;
        self.released.notify_all();
    }
}

#[derive(Clone, Default)]
pub(crate) struct FaultyDisk {
    pub(crate) memory: MemoryDisk,
    pub(crate) switches: Arc<Switches>,
}

struct Faulty {
    inner: Arc<dyn Engine>,
    switches: Arc<Switches>,
}

fn failed(context: &'static str) -> EngineError {
    EngineError::Failed {
        context,
        reason: "a test asked for it".into(),
    }
}

impl Disk for FaultyDisk {
    fn open(&self, options: &StoreOptions) -> Result<Opened, StoreError> {
        if self.switches.open_fails.swap(false, Ordering::SeqCst) {
            return Err(failed("opening").into());
        }
        let mut opened = self.memory.open(options)?;
        if self.switches.forget_watermark.swap(false, Ordering::SeqCst) {
            opened.watermark = None;
        }
        let engine = Arc::new(Faulty {
            inner: opened.engine,
            switches: Arc::clone(&self.switches),
        });
        Ok(Opened { engine, ..opened })
    }
}

impl Engine for Faulty {
    fn append_log(&self, key: &[u8], segment: &[u8]) -> Result<(), EngineError> {
        assert!(
            !self.switches.append_panics.swap(false, Ordering::SeqCst),
            "a test's append panics"
        );
        self.inner.append_log(key, segment)
    }

    fn scan_log(&self, from: &[u8], visit: Visit<'_>) -> Result<(), EngineError> {
        self.switches.log_scans.fetch_add(1, Ordering::SeqCst);
        self.inner.scan_log(from, visit)
    }

    fn seek_log(&self, key: &[u8]) -> Result<Option<LogRow>, EngineError> {
        self.inner.seek_log(key)
    }

    fn index(&self, run: &Run) -> Result<(), EngineError> {
        if self.switches.index_fails.swap(false, Ordering::SeqCst) {
            return Err(failed("indexing a run"));
        }
        assert!(
            !self.switches.index_panics.swap(false, Ordering::SeqCst),
            "a test's run panics"
        );
        let mut held = self.switches.held_runs.lock();
        self.switches.released.wait_while(&mut held, |held| *held);
        drop(held);
        self.inner.index(run)
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.inner.get(family, key)
    }

    fn put(&self, family: Family, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        self.inner.put(family, key, value)
    }

    fn scan(
        &self,
        family: Family,
        prefix: &[u8],
        start: Start<'_>,
        visit: Visit<'_>,
    ) -> Result<(), EngineError> {
        self.inner.scan(family, prefix, start, visit)
    }

    fn mark_durable(&self, mark: Watermark) {
        assert!(
            !self.switches.mark_panics.swap(false, Ordering::SeqCst),
            "a test's mark panics"
        );
        self.inner.mark_durable(mark);
    }

    fn stop(&self) {
        self.inner.stop();
    }

    fn disk_bytes(&self) -> u64 {
        self.inner.disk_bytes()
    }

    fn close(&self) -> Result<(), EngineError> {
        self.inner.close()?;
        if self.switches.close_fails.swap(false, Ordering::SeqCst) {
            Err(failed("closing"))
        } else {
            Ok(())
        }
    }
}
