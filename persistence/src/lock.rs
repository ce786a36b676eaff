//! The lock that lets one process open a store.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;

use crate::error::StoreError;

/// The lock file's name in the store's directory.
pub(crate) const LOCK_FILE: &str = "LOCK";

/// A held lock. Dropping it lets go, and so does the process's death: the operating system owns the lock, the
/// file's content only says who holds it.
#[derive(Debug)]
pub(crate) struct StoreLock {
    file: File,
}

impl StoreLock {
    /// Takes the lock of the store in `directory`, which must exist.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the holder's process id if it is held, also by this process;
    /// [`StoreError::NotWritable`] if the file can't be made or written.
    pub(crate) fn take(directory: &Path) -> Result<Self, StoreError> {
        let path = directory.join(LOCK_FILE);
        let not_writable = |reason| StoreError::NotWritable {
            path: path.clone(),
            reason: Arc::new(reason),
        };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(&path)
            .map_err(not_writable)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::Locked {
                    path: directory.to_path_buf(),
                    holder: read_holder(&mut file),
                });
            }
            Err(TryLockError::Error(source)) => return Err(not_writable(source)),
        }
        write_holder(&mut file).map_err(not_writable)?;
        Ok(Self { file })
    }
}

/// Keeps others from opening the store while it is held, and writes nothing; none where there is no lock file.
///
/// # Errors
/// [`StoreError::Locked`] if somebody has the store open; [`StoreError::Engine`] if the file can't be read.
pub(crate) fn keep_closed(directory: &Path) -> Result<Option<File>, StoreError> {
    let failed = |source: std::io::Error| StoreError::Engine {
        context: format!("lock {}", directory.display()),
        reason: source.to_string().into(),
    };
    let mut file = match File::open(directory.join(LOCK_FILE)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    match file.try_lock() {
        Ok(()) => Ok(Some(file)),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked {
            path: directory.to_path_buf(),
            holder: read_holder(&mut file),
        }),
        Err(TryLockError::Error(source)) => Err(failed(source)),
    }
}

impl Drop for StoreLock {
    fn drop(&mut self) {
        // An empty file says that nobody holds it; failing to say so harms nobody.
        let _ = self.file.set_len(0);
    }
}

fn read_holder(file: &mut File) -> Option<u32> {
    let mut content = String::new();
    file.take(16).read_to_string(&mut content).ok()?;
    content.trim().parse().ok()
}

fn write_holder(file: &mut File) -> std::io::Result<()> {
    file.set_len(0)?;
    file.rewind()?;
    writeln!(file, "{}", std::process::id())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_holds_it_and_the_next_gets_it() {
        let directory = tempfile::tempdir().unwrap();
        let held = StoreLock::take(directory.path()).unwrap();
        let Err(StoreError::Locked { path, holder }) = StoreLock::take(directory.path()) else {
            panic!("locked twice")
        };
        assert_eq!(
            (path.as_path(), holder),
            (directory.path(), Some(std::process::id()))
        );
        drop(held);
        StoreLock::take(directory.path()).unwrap();
    }

    #[test]
    fn a_stale_file_locks_nobody_out() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join(LOCK_FILE), "4242\n").unwrap();
        StoreLock::take(directory.path()).unwrap();
    }
}
