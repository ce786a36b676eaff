//! Frees the files that RocksDB no longer needs, a slice at a time.
//!
//! A file system frees a deleted file's blocks, and often tells the disk so (`discard`), in the commit that every
//! synced write waits for. Measured on ext4: unlinking one write-ahead file of 64 MiB holds up syncs for 80 ms; a
//! compaction leaves several at once. So each file of the two instances gets a second name in `trash/`. RocksDB's
//! own unlink then frees nothing; what it leaves is shortened slice by slice when nothing is written, or when there
//! is too much of it. (RocksDB's own way, its file manager's slow deletion, is not to be had through the crate.)
//!
//! A file is touched only when its name here is its last one: RocksDB, a checkpoint and a backup by links each hold
//! another. Before that the directories are synced, so that no power cut brings the other name back.
//!
//! A write-ahead file that RocksDB still needs was deleted by somebody else, a cleaner of `*.log` perhaps: it gets its
//! name back. (Of tables RocksDB says only all at once which it needs, under its own lock: those are not asked for.)

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use crate::open::layout::TRASH_DIRECTORY;

/// How often new and obsolete files are looked for. A file that lives shorter is deleted at once, by RocksDB.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Pause between two slices: writers get through.
const SLICE_EVERY: Duration = Duration::from_millis(10);
/// The same where freeing falls behind.
const SLICE_EVERY_BEHIND: Duration = Duration::from_millis(2);
/// Pause after an error, such as too few file descriptors.
const RETRY_AFTER: Duration = Duration::from_secs(10);
/// One slice: about 3 ms in which a sync waits. Smaller ones take as long, since each costs a commit.
const SLICE_BYTES: u64 = 2 * 1024 * 1024;
/// So much may wait for a quiet time; beyond it slices are freed whatever else goes on.
const TRASH_BYTES_QUIET: u64 = 256 * 1024 * 1024;
/// Beyond this, faster.
const TRASH_BYTES_BEHIND: u64 = 2 * TRASH_BYTES_QUIET;
/// Beyond this, files go whole, as RocksDB would delete them: space counts more than time.
const TRASH_BYTES_MAX: u64 = 2 * TRASH_BYTES_BEHIND;
/// RocksDB's large files: tables and write-ahead files.
const EXTENSIONS: [&str; 2] = ["sst", "log"];

/// The thread that does it, for as long as a store is open.
pub(crate) struct Reaper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<Trash>>>,
}

/// Whether RocksDB would read a write-ahead file on opening.
pub(crate) type IsNeeded = Box<dyn Fn(&Path) -> bool + Send>;

#[derive(Default)]
struct Shared {
    /// Counts synced writes.
    writes: AtomicU64,
    /// What waits to be freed.
    bytes: AtomicU64,
    ends: Mutex<bool>,
    ended: Condvar,
}

impl Reaper {
    /// Begins in a store's directory from which [`clear`] removed what an earlier process left.
    pub(crate) fn start(root: &Path, is_needed: IsNeeded) -> io::Result<Self> {
        // The process may change its working directory.
        let root = std::path::absolute(root)?;
        let directory = root.join(TRASH_DIRECTORY);
        let shared = Arc::<Shared>::default();
        let mut trash = Trash::new(directory, [root.join("log"), root.join("derived")], is_needed);
        let running = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("dormouse-reaper".into())
            .spawn(move || {
                run(&running, &mut trash);
                trash
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Something was written and synced.
    pub(crate) fn wrote(&self) {
        self.shared.writes.fetch_add(1, Ordering::Relaxed);
    }

    /// Bytes that wait to be freed.
    pub(crate) fn bytes(&self) -> u64 {
        self.shared.bytes.load(Ordering::Relaxed)
    }

    /// Nothing is freed any more: the store has stopped.
    pub(crate) fn stop(&self) {
        *self.shared.ends.lock() = true;
        self.shared.ended.notify_all();
    }

    /// Ends, with a last look while RocksDB can still say what it needs. What is returned is for when it is closed.
    pub(crate) fn end(&self) -> Option<SecondNames> {
        self.stop();
        let mut trash = self.thread.lock().take()?.join().ok()?;
        if let Err(error) = trash.look() {
            tracing::warn!(%error, "obsolete files are left for the next opening");
            return None;
        }
        Some(SecondNames(trash.directory))
    }
}

/// All of them, while nobody adds any.
pub(crate) struct SecondNames(PathBuf);

impl SecondNames {
    /// A closed store has none.
    pub(crate) fn clear(self) {
        clear(&self.0);
    }
}

impl Drop for Reaper {
    fn drop(&mut self) {
        self.stop();
        if let Some(thread) = self.thread.get_mut().take() {
            let _ = thread.join();
        }
    }
}

impl Shared {
    /// Waits; whether the end has come.
    fn pause(&self, pause: Duration) -> bool {
        let until = Instant::now() + pause;
        let mut ends = self.ends.lock();
        while !*ends {
            if self.ended.wait_until(&mut ends, until).timed_out() {
                break;
            }
        }
        *ends
    }
}

/// Removes all second names: what no longer has another one is freed at once. Nothing else is touched.
pub(crate) fn clear(directory: &Path) {
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let is_second_name = entry
            .file_name()
            .to_str()
            .is_some_and(|name| name.parse::<u64>().is_ok());
        if is_second_name && let Err(error) = fs::remove_file(entry.path()) {
            tracing::warn!(path = %entry.path().display(), %error, "an obsolete file can't be removed");
        }
    }
    let _ = fs::remove_dir(directory);
}

fn run(shared: &Shared, trash: &mut Trash) {
    let (mut looked, mut writes) = (Instant::now(), 0);
    let mut pause = LOOK_EVERY;
    while !shared.pause(pause) {
        let before = std::mem::replace(&mut writes, shared.writes.load(Ordering::Relaxed));
        let look = looked.elapsed() >= LOOK_EVERY;
        if look {
            looked = Instant::now();
        }
        pause = trash.work(look, before == writes).unwrap_or_else(|error| {
            tracing::warn!(%error, "obsolete files are deleted whole for a while");
            trash.give_up();
            RETRY_AFTER
        });
        shared.bytes.store(trash.bytes, Ordering::Relaxed);
    }
}

/// The second names.
struct Trash {
    directory: PathBuf,
    /// Where RocksDB's names are.
    watched: [PathBuf; 2],
    is_needed: IsNeeded,
    /// Files that have a name here, by inode, a number that is taken for as long as they do, and RocksDB's names of them.
    linked: HashMap<u64, PathBuf>,
    /// Files that have no other name, oldest first.
    obsolete: VecDeque<PathBuf>,
    bytes: u64,
}

impl Trash {
    fn new(directory: PathBuf, watched: [PathBuf; 2], is_needed: IsNeeded) -> Self {
        Self {
            directory,
            watched,
            is_needed,
            linked: HashMap::new(),
            obsolete: VecDeque::new(),
            bytes: 0,
        }
    }

    /// Looks, if it is time to, and frees a little, if it is quiet or there is too much. How long to pause then.
    fn work(&mut self, look: bool, is_quiet: bool) -> io::Result<Duration> {
        if look {
            self.look()?;
        }
        while self.bytes > TRASH_BYTES_MAX && self.free_whole()? {}
        if !is_quiet && self.bytes <= TRASH_BYTES_QUIET || !self.free_slice()? {
            return Ok(LOOK_EVERY);
        }
        Ok(if self.bytes > TRASH_BYTES_BEHIND {
            SLICE_EVERY_BEHIND
        } else {
            SLICE_EVERY
        })
    }

    /// Leaves all deleting to RocksDB: no second name keeps anything, but what has none else and may be needed.
    fn give_up(&mut self) {
        let linked = self.linked.keys().map(|inode| self.path(*inode));
        let has_another = |path: &PathBuf| fs::symlink_metadata(path).is_ok_and(|file| file.nlink() > 1);
        let unneeded = linked.filter(has_another).chain(self.obsolete.iter().cloned());
        for path in unneeded.collect::<Vec<_>>() {
            if let Err(error) = fs::remove_file(&path) {
                tracing::warn!(path = %path.display(), %error, "an obsolete file can't be removed");
            }
        }
        let _ = fs::remove_dir(&self.directory);
        let directory = self.directory.clone();
        self.linked
            .retain(|inode, _| directory.join(inode.to_string()).exists());
        self.obsolete.clear();
        self.bytes = 0;
    }

    fn path(&self, inode: u64) -> PathBuf {
        self.directory.join(inode.to_string())
    }

    /// Not the store's own above it: where that was moved away, nothing is made in its place.
    fn make_directory(&self) -> io::Result<()> {
        match fs::create_dir(&self.directory) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            made => made,
        }
    }

    /// Gives new files a second name, and finds those that have lost their first.
    fn look(&mut self) -> io::Result<()> {
        self.make_directory()?;
        let files = self.files()?;
        let mut live = HashSet::with_capacity(files.len());
        for (inode, path) in files {
            live.insert(inode);
            self.link(path, inode)?;
        }
        let linked = self.linked.keys().copied();
        let gone: Vec<u64> = linked.filter(|inode| !live.contains(inode)).collect();
        if !gone.is_empty() {
            for directory in &self.watched {
                File::open(directory)?.sync_all()?;
            }
        }
        for inode in gone {
            let path = self.path(inode);
            if self.is_deleted_by_mistake(inode) {
                self.name_again(inode)?;
                continue;
            }
            self.linked.remove(&inode);
            let metadata = fs::symlink_metadata(&path)?;
            if metadata.nlink() == 1 {
                self.bytes += metadata.len();
                self.obsolete.push_back(path);
            } else {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }

    /// RocksDB's large files under its own names, by inode.
    fn files(&self) -> io::Result<Vec<(u64, PathBuf)>> {
        let mut files = Vec::new();
        for directory in &self.watched {
            for entry in fs::read_dir(directory)? {
                let path = entry?.path();
                let extension = path.extension().and_then(|extension| extension.to_str());
                if extension.is_some_and(|extension| EXTENSIONS.contains(&extension))
                    // What is gone by now needs nothing.
                    && let Ok(metadata) = fs::symlink_metadata(&path)
                    && metadata.is_file()
                {
                    files.push((metadata.ino(), path));
                }
            }
        }
        Ok(files)
    }

    /// Whether RocksDB needs a file of which it is not who took the name. Not where the whole directory is being deleted:
    /// that stops the store.
    fn is_deleted_by_mistake(&self, inode: u64) -> bool {
        self.linked.get(&inode).is_some_and(|path| {
            path.extension().is_some_and(|extension| extension == "log")
                && path.with_file_name("CURRENT").exists()
                && (self.is_needed)(path)
        })
    }

    fn name_again(&self, inode: u64) -> io::Result<()> {
        let Some(path) = self.linked.get(&inode) else {
            return Ok(());
        };
        fs::hard_link(self.path(inode), path)?;
        for directory in &self.watched {
            File::open(directory)?.sync_all()?;
        }
        tracing::error!(
            path = %path.display(),
            "somebody deleted a write-ahead file of the open store; nothing is lost: it has its name again"
        );
        Ok(())
    }

    fn link(&mut self, path: PathBuf, inode: u64) -> io::Result<()> {
        if let Some(known) = self.linked.get_mut(&inode) {
            // an ingested table is renamed
            *known = path;
            return Ok(());
        }
        let second = self.path(inode);
        match fs::hard_link(&path, &second) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        // RocksDB's own name may be gone by now; a file system that counts no names would never show it.
        let counts_no_names = fs::symlink_metadata(&second)?.nlink() == 1 && path.exists();
        self.linked.insert(inode, path);
        if counts_no_names {
            return Err(io::Error::new(
                io::ErrorKind::Unsupported,
                "the file system does not count a file's names",
            ));
        }
        Ok(())
    }

    /// Frees the oldest obsolete file; whether there was one.
    fn free_whole(&mut self) -> io::Result<bool> {
        let Some(path) = self.obsolete.pop_front() else {
            return Ok(false);
        };
        let len = fs::symlink_metadata(&path)?.len();
        fs::remove_file(path)?;
        self.bytes = self.bytes.saturating_sub(len);
        Ok(true)
    }

    /// Frees a slice of an obsolete file; whether there was one.
    fn free_slice(&mut self) -> io::Result<bool> {
        let Some(path) = self.obsolete.front() else {
            return Ok(false);
        };
        let file = OpenOptions::new().write(true).open(path)?;
        let metadata = file.metadata()?;
        if metadata.len() <= SLICE_BYTES || metadata.nlink() > 1 {
            return self.free_whole();
        }
        file.set_len(metadata.len() - SLICE_BYTES)?;
        // Its own commit: slices must not add up to what they are meant to avoid.
        file.sync_all()?;
        self.bytes = self.bytes.saturating_sub(SLICE_BYTES);
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
