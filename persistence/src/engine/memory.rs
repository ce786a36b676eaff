//! The engine in memory: one opening of a [`MemoryDisk`].

mod disk;
mod families;
mod log;

use std::ops::ControlFlow;
use std::sync::Arc;

use dormouse_domain::Offset;

pub use self::disk::{AppendFault, HeldAppends, MemoryDisk};
use super::{Disk, Engine, EngineError, Family, LogRow, Opened, Run, Start, Visit, Watermark};
use crate::error::StoreError;
use crate::options::StoreOptions;

/// Rows are handed to visitors in pieces of so many, each copied under the lock and visited outside it.
const SCAN_ROWS: usize = 64;

/// One opening of a disk. Once the disk has crashed it answers `Closed`. Dropped without `close`, it crashes the
/// disk.
struct MemoryEngine {
    disk: MemoryDisk,
    opening: u64,
}

impl Disk for MemoryDisk {
    fn open(&self, _options: &StoreOptions) -> Result<Opened, StoreError> {
        let opening = self.begin_opening()?;
        let engine = Arc::new(MemoryEngine {
            disk: self.clone(),
            opening,
        });
        Ok(Opened {
            engine,
            watermark: self.watermark(),
            verify_from: Offset::new(1),
        })
    }
}

impl MemoryEngine {
    fn check(&self) -> Result<(), EngineError> {
        if self.disk.is_current(self.opening) {
            Ok(())
        } else {
            Err(EngineError::Closed)
        }
    }
}

impl Engine for MemoryEngine {
    fn append_log(&self, key: &[u8], segment: &[u8]) -> Result<(), EngineError> {
        self.disk.append(self.opening, key, segment)
    }

    fn scan_log(&self, from: &[u8], visit: Visit<'_>) -> Result<(), EngineError> {
        self.check()?;
        let first = self.disk.log().first(from);
        in_pieces(first, visit, |from| self.disk.log().piece(from, SCAN_ROWS));
        Ok(())
    }

    fn seek_log(&self, key: &[u8]) -> Result<Option<LogRow>, EngineError> {
        self.check()?;
        Ok(self.disk.log().seek(key))
    }

    fn index(&self, run: &Run) -> Result<(), EngineError> {
        let mut families = self.disk.families();
        self.check()?;
        families.begin_undo();
        for (family, rows) in run.families() {
            for (key, value) in rows.iter() {
                families.put(family, key, value);
            }
        }
        families.put(Family::Meta, &run.indexed.0, &run.indexed.1);
        Ok(())
    }

    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Vec<u8>>, EngineError> {
        self.check()?;
        self.disk.reading();
        let row = self.disk.families().get(family, key);
        self.disk.reading();
        Ok(row)
    }

    fn put(&self, family: Family, key: &[u8], value: &[u8]) -> Result<(), EngineError> {
        let mut families = self.disk.families();
        self.check()?;
        families.put(family, key, value);
        Ok(())
    }

    fn scan(
        &self,
        family: Family,
        prefix: &[u8],
        start: Start<'_>,
        visit: Visit<'_>,
    ) -> Result<(), EngineError> {
        self.check()?;
        self.disk.reading();
        let first = match start {
            Start::AtOrAfter(from) => from.to_vec(),
            Start::AtOrBefore(from) => self.disk.families().first_at_or_before(family, prefix, from),
        };
        in_pieces(first, visit, |from| {
            self.disk.families().piece(family, prefix, from, SCAN_ROWS)
        });
        self.disk.reading();
        Ok(())
    }

    fn mark_durable(&self, mark: Watermark) {
        self.disk.mark(self.opening, mark);
    }

    fn stop(&self) {
        self.disk.stop(self.opening);
    }

    fn disk_bytes(&self) -> u64 {
        self.disk.bytes()
    }

    fn close(&self) -> Result<(), EngineError> {
        self.disk.close(self.opening);
        Ok(())
    }
}

impl Drop for MemoryEngine {
    fn drop(&mut self) {
        self.disk.crash_if_current(self.opening);
    }
}

/// A row shared with the disk.
type Shared = (Arc<[u8]>, Arc<[u8]>);

/// Visits pieces, each beginning with the first row at or after `from`, until one comes up short.
fn in_pieces(mut from: Vec<u8>, visit: Visit<'_>, mut piece: impl FnMut(&[u8]) -> Vec<Shared>) {
    loop {
        let rows = piece(&from);
        for (key, value) in &rows {
            if visit(key, value) == ControlFlow::Break(()) {
                return;
            }
        }
        let Some((last, _)) = rows.last().filter(|_| rows.len() == SCAN_ROWS) else {
            return;
        };
        from = last.to_vec();
        from.push(0);
    }
}
