//! RocksDB's own iterator over a stream's rows, one row an event, as somebody would write them by hand: the same records
//! that the program stored, under the same settings as L2.

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rocksdb::{DB, ReadOptions, WriteBatch};

use super::{rocks, stored_log};
use crate::bank::account_id;

/// A database of such rows.
pub(crate) struct Rows(DB);

impl Rows {
    /// Writes the rows of everything in a closed store's log.
    pub(crate) fn build(store: &Path, directory: &Path) -> Result<()> {
        let db = rocks::create(directory, &rocks::rows_options()?)?;
        let mut key = Vec::new();
        for segment in stored_log::read(store)? {
            let mut batch = WriteBatch::default();
            for record in segment.records() {
                record.put_row_key(&mut key);
                batch.put(&key, record.0);
            }
            db.write(batch)?;
        }
        db.flush()?;
        rocks::drain(&db)?;
        Ok(())
    }

    /// Opens them; nothing is in the cache yet.
    pub(crate) fn open(directory: &Path) -> Result<Self> {
        let options = rocks::rows_options()?;
        Ok(Self(DB::open_for_read_only(&options, directory, false)?))
    }

    /// Seeks to an account's first row and goes through all of them. Returns how long that took.
    pub(crate) fn read(&self, number: u64, events: u64) -> Result<Duration> {
        let mut first = b"\0\0account\0".to_vec();
        first.extend_from_slice(account_id(number).as_bytes());
        first.push(0);
        let mut end = first.clone();
        *end.last_mut().expect("it ends with a zero") = 1;
        // With a version, so that the filter on what stands before it helps.
        first.extend_from_slice(&1_u64.to_be_bytes());
        let started = Instant::now();
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(end);
        let mut rows = self.0.raw_iterator_opt(options);
        rows.seek(&first);
        let (mut found, mut bytes) = (0, 0);
        while let Some((_, value)) = rows.item() {
            found += 1;
            bytes += value.len();
            rows.next();
        }
        rows.status()?;
        let took = started.elapsed();
        ensure!(
            found == events && bytes > 0,
            "account {number} has {found} rows, not {events}"
        );
        Ok(took)
    }

    /// Reads many short streams on as many threads as there are cores. Returns streams a second.
    pub(crate) fn read_all(&self, ids: &Range<u64>, events: u64) -> Result<f64> {
        let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get) as u64;
        let started = Instant::now();
        std::thread::scope(|scope| {
            let reading: Vec<_> = (0..threads)
                .map(|thread| {
                    let mine = (ids.start + thread..ids.end).step_by(usize::try_from(threads).unwrap_or(1));
                    scope.spawn(move || {
                        mine.into_iter()
                            .try_for_each(|id| self.read(id, events).map(drop))
                    })
                })
                .collect();
            reading
                .into_iter()
                .try_for_each(|thread| thread.join().expect("reading does not panic"))
        })?;
        Ok((ids.end - ids.start) as f64 / started.elapsed().as_secs_f64())
    }
}
