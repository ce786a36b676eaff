//! The log of a memory disk.

use std::collections::BTreeMap;
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

use super::Shared;
use crate::engine::LogRow;

/// Segments by key.
#[derive(Default)]
pub(super) struct Log {
    rows: BTreeMap<Arc<[u8]>, Arc<[u8]>>,
    bytes: usize,
}

impl Log {
    pub(super) fn append(&mut self, key: &[u8], segment: &[u8]) {
        self.bytes += segment.len();
        if let Some(before) = self.rows.insert(key.into(), segment.into()) {
            self.bytes -= before.len();
        }
    }

    /// The last row at or before `key` in the same shard.
    pub(super) fn seek(&self, key: &[u8]) -> Option<LogRow> {
        let (found, segment) = self
            .rows
            .range::<[u8], _>((Unbounded, Included(key)))
            .next_back()?;
        (found.get(..2) == key.get(..2)).then(|| (found.to_vec(), segment.to_vec()))
    }

    /// Where a scan from `key` begins.
    pub(super) fn first(&self, key: &[u8]) -> Vec<u8> {
        self.seek(key).map_or_else(|| key.to_vec(), |(found, _)| found)
    }

    pub(super) fn piece(&self, from: &[u8], rows: usize) -> Vec<Shared> {
        let found = self.rows.range::<[u8], _>((Included(from), Unbounded));
        found
            .take(rows)
            .map(|(key, segment)| (key.clone(), segment.clone()))
            .collect()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// All rows, to be changed by a test.
    pub(super) fn edit(&mut self, edit: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        let mut rows = self
            .rows
            .iter()
            .map(|(key, segment)| (key.to_vec(), segment.to_vec()))
            .collect();
        edit(&mut rows);
        *self = Log::default();
        for (key, segment) in &rows {
            self.append(key, segment);
        }
    }
}
