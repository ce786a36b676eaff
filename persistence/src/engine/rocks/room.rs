//! How much room a file system has, and whether a copy fits in.

use std::io::{self, ErrorKind};
use std::path::Path;

use crate::error::StoreError;

/// What the file system of `path` has left for this process; none where it does not tell.
pub(super) fn free_bytes(path: &Path) -> Option<u64> {
    let disk = rustix::fs::statvfs(path).ok()?;
    Some(disk.f_bavail.saturating_mul(disk.f_frsize))
}

/// What a copy takes on one file system.
pub(super) struct Need<'p> {
    /// A place on it.
    pub(super) path: &'p Path,
    pub(super) bytes: u64,
}

impl Need<'_> {
    /// Refuses what does not fit, before anything is written.
    pub(super) fn check(&self) -> Result<(), StoreError> {
        match free_bytes(self.path) {
            Some(free) if free < self.bytes => Err(self.no_room(free)),
            _ => Ok(()),
        }
    }

    /// There was room when it began, and others took it.
    pub(super) fn ran_out(&self) -> StoreError {
        self.no_room(free_bytes(self.path).unwrap_or_default())
    }

    fn no_room(&self, free_bytes: u64) -> StoreError {
        StoreError::NoRoom {
            path: self.path.to_path_buf(),
            bytes: self.bytes,
            free_bytes,
        }
    }
}

/// Whether the system said that there is no room, or no more of it for this user.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_place_and_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let free = free_bytes(directory.path()).unwrap();
        assert!(free > 0);
        let need = |bytes| Need {
            path: directory.path(),
            bytes,
        };
        need(1).check().unwrap();
        let error = need(u64::MAX).check().unwrap_err();
        assert!(
            matches!(&error, StoreError::NoRoom { bytes: u64::MAX, .. }),
            "{error}"
        );
        let told = error.to_string();
        for part in [directory.path().display().to_string(), u64::MAX.to_string()] {
            assert!(told.contains(&part), "{told}");
        }
    }

    #[test]
    fn a_place_that_does_not_tell_is_tried() {
        let need = Need {
            path: Path::new("/not/there"),
            bytes: u64::MAX,
        };
        need.check().unwrap();
    }
}
