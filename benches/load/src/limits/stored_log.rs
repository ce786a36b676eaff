//! The segments that a run of the program left in its log, read back byte by byte: L1 and L2 write the same.

use std::path::Path;

use anyhow::{Context, Result, ensure};
use rocksdb::{DB, IteratorMode, Options};

/// Layout of a segment and a record, as `docs/format.md` has it.
const SEGMENT_HEADER_BYTES: usize = 80;
const SEGMENT_COMPRESSION_AT: usize = 8;
const SEGMENT_RECORDS_BYTES_AT: usize = 76;
const SEGMENT_EVENTS_AT: usize = 64;
const SEGMENT_COMMITS_AT: usize = 68;
const RECORD_HEADER_BYTES: usize = 24;

/// One segment: a row of the log.
pub(crate) struct Segment {
    pub(crate) key: Vec<u8>,
    /// As stored.
    pub(crate) bytes: Vec<u8>,
    /// Its commits, unpacked.
    records: Vec<u8>,
}

/// All segments of the closed store in `directory`.
pub(crate) fn read(directory: &Path) -> Result<Vec<Segment>> {
    let log = directory.join("log");
    let db = DB::open_for_read_only(&Options::default(), &log, false)
        .with_context(|| format!("{} holds no log to take segments from", log.display()))?;
    let mut segments = Vec::new();
    for row in db.iterator(IteratorMode::Start) {
        let (key, value) = row?;
        ensure!(value.len() > SEGMENT_HEADER_BYTES, "a segment without records");
        segments.push(Segment {
            key: key.into_vec(),
            records: unpacked(&value)?,
            bytes: value.into_vec(),
        });
    }
    ensure!(!segments.is_empty(), "{} is empty", log.display());
    Ok(segments)
}

fn unpacked(segment: &[u8]) -> Result<Vec<u8>> {
    let (header, stored) = segment.split_at(SEGMENT_HEADER_BYTES);
    if header[SEGMENT_COMPRESSION_AT] == 0 {
        return Ok(stored.to_vec());
    }
    let bytes = u32_at(header, SEGMENT_RECORDS_BYTES_AT) as usize;
    lz4_flex::block::decompress(stored, bytes).context("a segment that can't be unpacked")
}

impl Segment {
    pub(crate) fn events(&self) -> u64 {
        u32_at(&self.bytes, SEGMENT_EVENTS_AT).into()
    }

    pub(crate) fn commits(&self) -> u64 {
        u32_at(&self.bytes, SEGMENT_COMMITS_AT).into()
    }

    /// Its commits, one after another.
    pub(crate) fn records(&self) -> impl Iterator<Item = Record<'_>> {
        let mut left = &self.records[..];
        std::iter::from_fn(move || {
            if left.len() < RECORD_HEADER_BYTES {
                return None;
            }
            let (record, rest) = left.split_at((u32_at(left, 0) as usize).min(left.len()));
            left = rest;
            Some(Record(record))
        })
    }
}

/// One commit's bytes.
pub(crate) struct Record<'a>(pub(crate) &'a [u8]);

impl Record<'_> {
    /// Writes the key that a row of it has: shard, type, id, first version.
    pub(crate) fn put_row_key(&self, key: &mut Vec<u8>) {
        let id = usize::from(u16::from_le_bytes([self.0[20], self.0[21]]));
        let names = RECORD_HEADER_BYTES + usize::from(self.0[22]);
        key.clear();
        key.extend_from_slice(&[0, 0]);
        key.extend_from_slice(&self.0[RECORD_HEADER_BYTES..names]);
        key.push(0);
        key.extend_from_slice(&self.0[names..names + id]);
        key.push(0);
        key.extend(self.0[8..16].iter().rev());
    }
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(version: u64, id: &str) -> Vec<u8> {
        let len = RECORD_HEADER_BYTES + 1 + id.len() + 3;
        let mut bytes = u32::try_from(len).unwrap().to_le_bytes().to_vec();
        bytes.extend_from_slice(&[0; 4]);
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&1_u32.to_le_bytes());
        bytes.extend_from_slice(&u16::try_from(id.len()).unwrap().to_le_bytes());
        bytes.extend_from_slice(&[1, 1, b't']);
        bytes.extend_from_slice(id.as_bytes());
        bytes.extend_from_slice(&[7; 3]);
        bytes
    }

    #[test]
    fn records_are_told_apart_and_named() {
        let mut bytes = vec![0; SEGMENT_HEADER_BYTES];
        bytes[SEGMENT_EVENTS_AT] = 2;
        bytes[SEGMENT_COMMITS_AT] = 2;
        bytes.extend(record(1, "a"));
        bytes.extend(record(258, "bcd"));
        let segment = Segment {
            key: Vec::new(),
            records: unpacked(&bytes).unwrap(),
            bytes,
        };
        assert_eq!((segment.events(), segment.commits()), (2, 2));
        let mut key = Vec::new();
        let keys: Vec<_> = segment
            .records()
            .map(|record| {
                record.put_row_key(&mut key);
                key.clone()
            })
            .collect();
        assert_eq!(keys[0], b"\0\0t\0a\0\0\0\0\0\0\0\0\x01");
        assert_eq!(keys[1], b"\0\0t\0bcd\0\0\0\0\0\0\0\x01\x02");
    }
}
