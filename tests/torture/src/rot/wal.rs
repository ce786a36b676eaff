//! Where the records of a write-ahead file begin.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

const BLOCK_BYTES: usize = 32 << 10;
const HEADER_BYTES: usize = 7;
/// Types of fragments that begin a record.
const FULL: u8 = 1;
const FIRST: u8 = 2;

/// A store's write-ahead files with their lengths, oldest first.
pub(crate) fn files(store: &Path) -> io::Result<Vec<(PathBuf, u64)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(store.join("log"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let bytes = fs::metadata(&path)?.len();
            files.push((path, bytes));
        }
    }
    files.sort();
    Ok(files)
}

/// The first byte of each record of a whole file.
pub(crate) fn record_starts(wal: &[u8]) -> Vec<u64> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while at + HEADER_BYTES <= wal.len() {
        let left = BLOCK_BYTES - at % BLOCK_BYTES;
        if left < HEADER_BYTES {
            at += left;
            continue;
        }
        if matches!(wal[at + 6], FULL | FIRST) {
            starts.push(at as u64);
        }
        at += HEADER_BYTES + usize::from(u16::from_le_bytes([wal[at + 4], wal[at + 5]]));
    }
    starts
}
