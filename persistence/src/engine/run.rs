//! What the indexer hands to an engine: one generation of the tail, turned into sorted rows.

use super::Family;

/// A run: rows to store, and the position they reach, which is stored after them.
pub(crate) struct Run {
    /// `streams` rows, in key order, each key once.
    pub(crate) streams: Rows,
    /// `commands` rows, in key order, each key once.
    pub(crate) commands: Rows,
    /// The `meta` row that says how far the log is indexed with this run.
    pub(crate) indexed: (Vec<u8>, Vec<u8>),
}

impl Run {
    /// The run's sorted families; the indexed position comes after them.
    pub(crate) fn families(&self) -> [(Family, &Rows); 2] {
        [
            (Family::Streams, &self.streams),
            (Family::Commands, &self.commands),
        ]
    }
}

/// Rows in key order, in one buffer: a run holds hundreds of thousands.
#[derive(Default)]
pub(crate) struct Rows {
    bytes: Vec<u8>,
    /// For each row: where its key ends and where its value ends. It starts where the one before ends.
    ends: Vec<(usize, usize)>,
}

impl Rows {
    /// Room for `rows` rows of `bytes` bytes, keys included.
    pub(crate) fn with_capacity(rows: usize, bytes: usize) -> Rows {
        Rows {
            bytes: Vec::with_capacity(bytes),
            ends: Vec::with_capacity(rows),
        }
    }

    /// Adds a row: both parts are appended to the buffer by the callers' functions.
    pub(crate) fn push(&mut self, key: impl FnOnce(&mut Vec<u8>), value: impl FnOnce(&mut Vec<u8>)) {
        key(&mut self.bytes);
        let key_end = self.bytes.len();
        value(&mut self.bytes);
        self.ends.push((key_end, self.bytes.len()));
    }

    /// Keys and values, in key order.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        (0..self.ends.len()).map(|i| {
            let start = if i == 0 { 0 } else { self.ends[i - 1].1 };
            let (key_end, end) = self.ends[i];
            (&self.bytes[start..key_end], &self.bytes[key_end..end])
        })
    }
}
