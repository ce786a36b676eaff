//! Files that RocksDB must not be given: it would read them for ever.
//!
//! See [`wal::read_for_ever`]. A flipped bit must refuse an opening, not hang it.

use std::fs;
use std::path::{Path, PathBuf};

use super::survey::wal_files;
use super::wal;

/// A file of a RocksDB instance, its WALs and its manifest, that RocksDB would read for ever: which, and why.
///
/// What can't be read is left for RocksDB to name.
pub(crate) fn find(directory: &Path) -> Option<String> {
    let wals = wal_files(directory).unwrap_or_default();
    manifest(directory)
        .into_iter()
        .chain(wals)
        .find_map(|file| describe(&file))
}

/// The same of one file.
pub(crate) fn describe(file: &Path) -> Option<String> {
    let at = wal::read_for_ever(file).ok()??;
    Some(format!(
        "{} at byte {at}: a record of a type that is never written",
        file.display()
    ))
}

/// The manifest that is in use.
pub(crate) fn manifest(directory: &Path) -> Option<PathBuf> {
    let current = fs::read_to_string(directory.join("CURRENT")).ok()?;
    let name = current.trim_end();
    // A damaged name must not lead out of the directory.
    let is_name = name.starts_with("MANIFEST-") && !name.contains('/');
    is_name.then(|| directory.join(name))
}
