//! What lies in a store's directory, and how a new one comes to be.
//!
//! | name | what |
//! |---|---|
//! | `FORMAT` | makes the directory a store: its format, its id, a checksum. Written last, by renaming |
//! | `LOCK` | held while the store is open; says by whom |
//! | `log/` | the truth |
//! | `derived/` | everything else; may be deleted while the store is closed |
//! | `watermark` | how far the log was durable |
//! | `damaged/` | torn ends of the log that were cut off, for whoever wants to look |
//! | `trash/` | second names of the files of both instances, while the store is open: what is obsolete is freed there |
//! | `unfinished-checkpoint/` | a copy of the open store in the making; removed on opening |
//! | `CREATING` | the store was not finished; nothing in it was ever acknowledged |
//! | `REBUILD` | `derived/` is not to be trusted; the next opening builds it again |

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use uuid::Uuid;

use crate::error::{FORMAT_FILE, StoreError};
use crate::lock::{LOCK_FILE, StoreLock};

/// The format of the directory and of what is in `log/`.
pub(crate) const STORE_FORMAT: u32 = 1;

/// The reaper's (`engine/rocks/reaper.rs`).
pub(crate) const TRASH_DIRECTORY: &str = "trash";
const CREATING_FILE: &str = "CREATING";
/// What a directory may hold and still count as empty: a mount point has the second.
const IGNORED: [&str; 2] = [LOCK_FILE, "lost+found"];

/// A claimed directory: locked, and known to be a store or to be free for one.
#[derive(Debug)]
pub(crate) struct Layout {
    root: PathBuf,
}

/// What a claimed directory holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// Nothing yet.
    New,
    /// The store with this id.
    Store(Uuid),
}

impl Layout {
    /// Makes the directory if it is not there, takes its lock, and looks what is in it.
    ///
    /// # Errors
    /// [`StoreError::NotWritable`], [`StoreError::NotAStore`], [`StoreError::Locked`], [`StoreError::NewerFormat`],
    /// or [`StoreError::Corrupt`] if `FORMAT` can't be read. Nothing was touched then, but for an empty directory
    /// and `LOCK`.
    pub(crate) fn claim(root: &Path) -> Result<(Self, StoreLock, State), StoreError> {
        let not_writable = |reason| StoreError::NotWritable {
            path: root.to_path_buf(),
            reason: Arc::new(reason),
        };
        if root.is_file() {
            return Err(not_writable(io::Error::other("it is a file")));
        }
        fs::create_dir_all(root).map_err(not_writable)?;
        let layout = Self {
            root: root.to_path_buf(),
        };
        // Before the lock is taken, or a foreign directory would be littered with it.
        layout.look()?;
        let lock = StoreLock::take(root)?;
        let state = match layout.look()? {
            Content::Store(id) => {
                // What is left of its making, after a crash at the very end, must never make it look half-made.
                if remove_file(&root.join(CREATING_FILE))
                    .and_then(|()| sync_directory(root))
                    .is_err()
                {
                    tracing::warn!(path = %root.display(), "a leftover CREATING can't be removed");
                }
                State::Store(id)
            }
            Content::Nothing => State::New,
            Content::HalfMade => {
                layout.clear_half_made().map_err(not_writable)?;
                State::New
            }
        };
        Ok((layout, lock, state))
    }

    /// Of a copy in the making, which nobody else knows.
    pub(crate) fn of_copy(root: PathBuf) -> Self {
        Self { root }
    }

    /// The log's directory.
    pub(crate) fn log(&self) -> PathBuf {
        self.root.join("log")
    }

    /// The file that every log has: with it, the log would be gone.
    pub(crate) fn log_current(&self) -> PathBuf {
        self.log().join("CURRENT")
    }

    /// The directory of what is derived.
    pub(crate) fn derived(&self) -> PathBuf {
        self.root.join("derived")
    }

    /// Where torn ends are kept.
    pub(crate) fn damaged(&self) -> PathBuf {
        self.root.join("damaged")
    }

    /// The file that asks the next opening to build `derived/` again.
    pub(crate) fn rebuild_marker(&self) -> PathBuf {
        self.root.join("REBUILD")
    }

    /// The store's directory.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Begins a new store.
    pub(crate) fn begin(&self) -> io::Result<()> {
        File::create(self.root.join(CREATING_FILE))?.sync_all()?;
        sync_directory(&self.root)
    }

    /// Begins the copy of another store. Until it is finished it is `log/` without `FORMAT`, which opening refuses: begun
    /// afresh, as what [`Layout::begin`] left, it would be taken for a store without events.
    pub(crate) fn begin_copy(&self) -> io::Result<()> {
        remove_file(&self.root.join(CREATING_FILE))?;
        fs::create_dir(self.log())?;
        sync_directory(&self.root)
    }

    /// Makes what was begun a store: durable on return.
    pub(crate) fn finish(&self, store: Uuid) -> io::Result<()> {
        sync_directory(&self.root)?;
        let unfinished = self.root.join("FORMAT.new");
        let mut file = File::create(&unfinished)?;
        file.write_all(format_text(store).as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, self.root.join(FORMAT_FILE))?;
        sync_directory(&self.root)?;
        remove_file(&self.root.join(CREATING_FILE))?;
        sync_directory(&self.root)?;
        if let Some(parent) = self.root.canonicalize()?.parent() {
            sync_directory(parent)?;
        }
        Ok(())
    }

    fn look(&self) -> Result<Content, StoreError> {
        let format = self.root.join(FORMAT_FILE);
        match fs::read_to_string(&format) {
            Ok(text) => return parse_format(&format, &text).map(Content::Store),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                return Err(StoreError::corrupt(
                    format.display().to_string(),
                    "its text",
                    error,
                ));
            }
            Err(error) => return Err(unreadable(&format, &error)),
        }
        if exists(&self.root.join(CREATING_FILE))? {
            return Ok(Content::HalfMade);
        }
        let entries = fs::read_dir(&self.root).map_err(|reason| StoreError::NotWritable {
            path: self.root.clone(),
            reason: Arc::new(reason),
        })?;
        for entry in entries {
            // What can't be listed may be somebody's: it is not taken for nothing.
            let entry = entry.map_err(|error| unreadable(&self.root, &error))?;
            if IGNORED.iter().all(|name| entry.file_name() != *name) {
                return Err(StoreError::NotAStore {
                    path: self.root.clone(),
                    missing: FORMAT_FILE,
                });
            }
        }
        Ok(Content::Nothing)
    }

    /// Removes what [`Layout::begin`] and what followed left: no commit was ever acknowledged from it.
    fn clear_half_made(&self) -> io::Result<()> {
        tracing::info!(path = %self.root.display(), "a store that was never finished is begun afresh");
        for directory in [self.log(), self.derived(), self.root.join(TRASH_DIRECTORY)] {
            remove_directory(&directory)?;
        }
        for name in ["FORMAT.new", crate::watermark::WATERMARK_FILE] {
            remove_file(&self.root.join(name))?;
        }
        Ok(())
    }
}

/// The id in the `FORMAT` of a store, which need not be sound otherwise. Changes nothing.
///
/// # Errors
/// [`StoreError::NewerFormat`]; [`StoreError::Corrupt`] if it is missing or can't be read.
pub(crate) fn read_format(root: &Path) -> Result<Uuid, StoreError> {
    let path = root.join(FORMAT_FILE);
    let text = fs::read_to_string(&path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::InvalidData => {
            StoreError::corrupt(path.display().to_string(), "its text", error)
        }
        _ => unreadable(&path, &error),
    })?;
    parse_format(&path, &text)
}

enum Content {
    Nothing,
    HalfMade,
    Store(Uuid),
}

fn format_text(store: Uuid) -> String {
    let text = format!("dormouse store\nformat {STORE_FORMAT}\nid {store}\n");
    let check = crc32c::crc32c(text.as_bytes());
    format!("{text}check {check:08x}\n")
}

/// The store's id. A newer format is told apart from damage by its first two lines, which every format keeps.
fn parse_format(path: &Path, text: &str) -> Result<Uuid, StoreError> {
    let corrupt = |reason: &str| StoreError::corrupt(path.display().to_string(), "its text", reason);
    let mut lines = text.lines();
    if lines.next() != Some("dormouse store") {
        return Err(corrupt("it does not begin with \"dormouse store\""));
    }
    let format = lines
        .next()
        .and_then(|line| line.strip_prefix("format ")?.parse::<u32>().ok());
    let found = format.ok_or_else(|| corrupt("its format can't be read"))?;
    if found > STORE_FORMAT {
        return Err(StoreError::NewerFormat {
            found,
            supported: STORE_FORMAT,
        });
    }
    let store = lines
        .next()
        .and_then(|line| line.strip_prefix("id ")?.parse().ok());
    let store = store.ok_or_else(|| corrupt("the store's id can't be read"))?;
    if text != format_text(store) {
        return Err(corrupt("its checksum does not match"));
    }
    Ok(store)
}

/// Whether a file is there. What the system can't tell is an error: an unreadable file is not a missing one.
pub(crate) fn exists(path: &Path) -> Result<bool, StoreError> {
    path.try_exists().map_err(|error| unreadable(path, &error))
}

/// The system failed: nothing is said about what is in the file.
fn unreadable(path: &Path, error: &io::Error) -> StoreError {
    StoreError::Engine {
        context: format!("read {}", path.display()),
        reason: error.to_string().into(),
    }
}

/// Makes renames, creations and removals in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    #[cfg(test)]
    unsyncable::check(directory)?;
    File::open(directory)?.sync_all()
}

/// For tests: directories whose sync fails on this thread. No file system makes that happen when it is wanted.
#[cfg(test)]
pub(crate) mod unsyncable {
    use std::cell::RefCell;
    use std::io;
    use std::path::{Path, PathBuf};

    thread_local! {
        static DIRECTORIES: RefCell<Vec<PathBuf>> = const { RefCell::new(Vec::new()) };
    }

    pub(crate) fn add(directory: &Path) {
        DIRECTORIES.with_borrow_mut(|known| known.push(directory.canonicalize().unwrap()));
    }

    pub(super) fn check(directory: &Path) -> io::Result<()> {
        let fails = DIRECTORIES.with_borrow(|known| known.iter().any(|known| known == directory));
        if fails {
            return Err(io::Error::other("this directory can't be synced"));
        }
        Ok(())
    }
}

/// Removes a directory and what is in it, if it is there.
pub(crate) fn remove_directory(directory: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_dir_all(directory))
}

/// Removes a file, if it is there.
pub(crate) fn remove_file(path: &Path) -> io::Result<()> {
    absent_is_fine(fs::remove_file(path))
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_store_is_one_only_once_finished() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("a").join("b");
        let id = Uuid::from_u128(9);
        {
            let (layout, _lock, state) = Layout::claim(&root).unwrap();
            assert_eq!(state, State::New);
            layout.begin().unwrap();
            fs::create_dir(layout.log()).unwrap();
            fs::write(layout.log().join("000004.log"), b"half").unwrap();
        }
        {
            let (layout, _lock, state) = Layout::claim(&root).unwrap();
            assert_eq!(state, State::New);
            assert!(!layout.log().exists());
            layout.finish(id).unwrap();
        }
        assert_eq!(Layout::claim(&root).unwrap().2, State::Store(id));
    }

    #[test]
    fn a_copy_that_was_never_finished_is_no_empty_store() {
        let directory = tempfile::tempdir().unwrap();
        let id = Uuid::from_u128(9);
        {
            let (layout, _lock, _) = Layout::claim(directory.path()).unwrap();
            layout.begin_copy().unwrap();
        }
        let error = Layout::claim(directory.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        let root = directory.path().to_path_buf();
        Layout { root }.finish(id).unwrap();
        assert_eq!(Layout::claim(directory.path()).unwrap().2, State::Store(id));
    }

    #[test]
    fn a_foreign_directory_is_not_touched() {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join("thesis.txt"), "mine").unwrap();
        let error = Layout::claim(directory.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn format_is_checked_to_the_bit_and_newer_ones_are_named() {
        let path = Path::new("FORMAT");
        let id = Uuid::from_u128(77);
        let text = format_text(id);
        assert_eq!(parse_format(path, &text).unwrap(), id);
        for byte in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[byte] ^= 1;
            let damaged = String::from_utf8(damaged).unwrap();
            assert!(parse_format(path, &damaged).is_err(), "byte {byte}");
        }
        let newer = parse_format(path, "dormouse store\nformat 2\nwhatever\n").unwrap_err();
        assert!(
            matches!(
                newer,
                StoreError::NewerFormat {
                    found: 2,
                    supported: 1
                }
            ),
            "{newer}"
        );
    }

    #[test]
    fn a_file_in_the_place_of_the_directory_is_called_one() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Layout::claim(file.path()).unwrap_err();
        assert!(
            error.to_string().ends_with("can't be written: it is a file"),
            "{error}"
        );
    }

    #[test]
    fn a_path_below_a_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = Layout::claim(&file.path().join("store")).unwrap_err();
        assert!(
            matches!(&error, StoreError::NotWritable { path, .. } if path.starts_with(file.path())),
            "{error}"
        );
    }
}
