//! Where a harness has its store.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// The directory that was asked for, or a temporary one; made, if it is not there. It stays: whoever finds nothing in it
/// [`remove`]s it.
///
/// # Errors
/// A directory that has something in it is refused: it would be removed with the rest.
pub(crate) fn make(asked: Option<&Path>, harness: &str) -> Result<PathBuf> {
    let Some(directory) = asked else {
        let prefix = format!("torture-{harness}-");
        return Ok(tempfile::Builder::new().prefix(&prefix).tempdir()?.keep());
    };
    std::fs::create_dir_all(directory).with_context(|| format!("make {}", directory.display()))?;
    let is_empty = std::fs::read_dir(directory)?.next().is_none();
    ensure!(
        is_empty,
        "{} is not empty, and all in it would be removed if nothing is found: choose a new directory",
        directory.display()
    );
    Ok(directory.canonicalize()?)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_with_something_in_it_is_refused_and_left_alone() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let letter = directory.path().join("letter");
        std::fs::write(&letter, "dear")?;
        let refused = make(Some(directory.path()), "kill").expect_err("it is refused");
        assert!(refused.to_string().contains("is not empty"), "{refused}");
        assert_eq!(std::fs::read(&letter)?, b"dear");
        Ok(())
    }

    #[test]
    fn a_new_directory_is_made() -> Result<()> {
        let directory = tempfile::tempdir()?;
        let place = make(Some(&directory.path().join("new")), "kill")?;
        assert!(place.is_dir());
        Ok(())
    }
}
