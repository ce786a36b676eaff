//! Where a harness has its store.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The directory that was asked for, or a temporary one. It stays: whoever finds nothing in it [`remove`]s it.
pub(crate) fn make(asked: Option<&Path>, harness: &str) -> Result<PathBuf> {
    match asked {
        Some(directory) => Ok(directory.to_path_buf()),
        None => {
            let prefix = format!("torture-{harness}-");
            Ok(tempfile::Builder::new().prefix(&prefix).tempdir()?.keep())
        }
    }
}

/// The same, in memory where the system has a place for files there: a sync costs nothing then.
pub(crate) fn make_in_memory(asked: Option<&Path>, harness: &str) -> Result<PathBuf> {
    let in_memory = tempfile::Builder::new()
        .prefix(&format!("torture-{harness}-"))
        .tempdir_in("/dev/shm");
    match (asked, in_memory) {
        (None, Ok(directory)) => Ok(directory.keep()),
        _ => make(asked, harness),
    }
}

pub(crate) fn remove(place: &Path) -> Result<()> {
    std::fs::remove_dir_all(place).context("remove the store")
}
