//! RocksDB's own iterator over the rows of one stream, as Dormouse's index holds them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rocksdb::{DB, Options, ReadOptions};

/// The families of `derived/`; RocksDB opens a database for reading with any of them, but wants `default` too.
const FAMILIES: [&str; 2] = ["default", "streams"];

/// A closed store's index, open for reading.
pub(crate) struct Rows(DB);

impl Rows {
    pub(crate) fn open(store: &Path) -> Result<Self> {
        let derived = store.join("derived");
        let db = DB::open_cf_for_read_only(&Options::default(), &derived, FAMILIES, false)
            .with_context(|| format!("{} holds no index", derived.display()))?;
        Ok(Self(db))
    }

    /// Seeks to an account's first row and reads all of them. Returns how long it took and how many bytes there were.
    pub(crate) fn read(&self, id: &str) -> Result<(Duration, usize)> {
        let mut first = b"\0\0account\0".to_vec();
        first.extend_from_slice(id.as_bytes());
        first.push(0);
        let mut end = first.clone();
        *end.last_mut().expect("it ends with a zero") = 1;
        let streams = self.0.cf_handle("streams").context("no family of streams")?;
        let started = Instant::now();
        let mut options = ReadOptions::default();
        options.set_iterate_upper_bound(end);
        let mut rows = self.0.raw_iterator_cf_opt(streams, options);
        rows.seek(&first);
        let mut bytes = 0;
        while let Some((_, value)) = rows.item() {
            bytes += value.len();
            rows.next();
        }
        rows.status()?;
        let took = started.elapsed();
        ensure!(bytes > 0, "{id} has no rows in the index");
        Ok((took, bytes))
    }
}
