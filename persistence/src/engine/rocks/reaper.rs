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

use std::collections::{HashSet, VecDeque};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// The name of the directory in the store's.
pub(crate) const TRASH_DIRECTORY: &str = "trash";
/// How often new and obsolete files are looked for. A file that lives shorter is deleted at once, by RocksDB.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Pause between two slices: writers get through.
const SLICE_EVERY: Duration = Duration::from_millis(10);
/// One slice: about 3 ms in which a sync waits. Smaller ones take as long, since each costs a commit.
const SLICE_BYTES: u64 = 2 * 1024 * 1024;
/// So much may wait for a quiet time; beyond it files are freed whatever else goes on.
const TRASH_BYTES_MAX: u64 = 1024 * 1024 * 1024;
/// RocksDB's large files: tables and write-ahead files.
const EXTENSIONS: [&str; 2] = ["sst", "log"];

/// The thread that does it, for as long as a store is open.
pub(crate) struct Reaper {
    shared: Arc<Shared>,
    thread: Mutex<Option<JoinHandle<()>>>,
    directory: PathBuf,
}

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
    /// Begins, also with what an earlier process left. Where a second name can't be given, RocksDB deletes as ever.
    pub(crate) fn start(root: &Path, directories: [PathBuf; 2]) -> io::Result<Self> {
        let directory = root.join(TRASH_DIRECTORY);
        let shared = Arc::<Shared>::default();
        let mut trash = Trash::open(directory.clone(), directories)?;
        let running = Arc::clone(&shared);
        let thread = std::thread::Builder::new()
            .name("dormouse-reaper".into())
            .spawn(move || {
                if let Err(error) = run(&running, &mut trash) {
                    tracing::info!(%error, "obsolete files are deleted whole from here on");
                }
            })?;
        Ok(Self {
            shared,
            thread: Mutex::new(Some(thread)),
            directory,
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

    /// Ends, and removes all second names: a closed store has none.
    pub(crate) fn close(&self) {
        self.stop();
        if let Some(thread) = self.thread.lock().take() {
            let _ = thread.join();
        }
        if let Err(error) = fs::remove_dir_all(&self.directory) {
            tracing::debug!(path = %self.directory.display(), %error, "can't be removed");
        }
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

fn run(shared: &Shared, trash: &mut Trash) -> io::Result<()> {
    let (mut looked, mut writes) = (Instant::now(), 0);
    let mut pause = LOOK_EVERY;
    while !shared.pause(pause) {
        if looked.elapsed() >= LOOK_EVERY {
            trash.look()?;
            looked = Instant::now();
        }
        let before = std::mem::replace(&mut writes, shared.writes.load(Ordering::Relaxed));
        let is_due = before == writes || trash.bytes > TRASH_BYTES_MAX;
        pause = if is_due && trash.free_slice()? {
            SLICE_EVERY
        } else {
            LOOK_EVERY
        };
        shared.bytes.store(trash.bytes, Ordering::Relaxed);
    }
    Ok(())
}

/// The second names.
struct Trash {
    directory: PathBuf,
    /// Where RocksDB's names are.
    watched: [PathBuf; 2],
    /// Files that have a name here, by inode: a number that is taken for as long as they do.
    linked: HashSet<u64>,
    /// Files that have no other name.
    obsolete: VecDeque<PathBuf>,
    bytes: u64,
}

impl Trash {
    fn open(directory: PathBuf, watched: [PathBuf; 2]) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let linked = fs::read_dir(&directory)?
            .flatten()
            .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
            .collect();
        Ok(Self {
            directory,
            watched,
            linked,
            obsolete: VecDeque::new(),
            bytes: 0,
        })
    }

    fn path(&self, inode: u64) -> PathBuf {
        self.directory.join(inode.to_string())
    }

    /// Gives new files a second name, and finds those that have lost their first.
    fn look(&mut self) -> io::Result<()> {
        let files = self.files()?;
        for (inode, path) in &files {
            self.link(path, *inode)?;
        }
        let live: HashSet<u64> = files.into_iter().map(|(inode, _)| inode).collect();
        let gone: Vec<u64> = self.linked.difference(&live).copied().collect();
        if !gone.is_empty() {
            for directory in &self.watched {
                File::open(directory)?.sync_all()?;
            }
        }
        for inode in gone {
            self.linked.remove(&inode);
            let path = self.path(inode);
            let metadata = fs::metadata(&path)?;
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
                    && let Ok(metadata) = fs::metadata(&path)
                {
                    files.push((metadata.ino(), path));
                }
            }
        }
        Ok(files)
    }

    fn link(&mut self, path: &Path, inode: u64) -> io::Result<()> {
        if self.linked.contains(&inode) {
            return Ok(());
        }
        match fs::hard_link(path, self.path(inode)) {
            Ok(()) => {
                self.linked.insert(inode);
                Ok(())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Frees a slice of an obsolete file; whether there was one.
    fn free_slice(&mut self) -> io::Result<bool> {
        let Some(path) = self.obsolete.front() else {
            return Ok(false);
        };
        let file = OpenOptions::new().write(true).open(path)?;
        let metadata = file.metadata()?;
        let len = metadata.len();
        if len > SLICE_BYTES && metadata.nlink() == 1 {
            file.set_len(len - SLICE_BYTES)?;
            // Its own commit: slices must not add up to what they are meant to avoid.
            file.sync_all()?;
            self.bytes = self.bytes.saturating_sub(SLICE_BYTES);
        } else {
            fs::remove_file(path)?;
            self.bytes = self.bytes.saturating_sub(len);
            self.obsolete.pop_front();
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixture {
        root: tempfile::TempDir,
        trash: Trash,
    }

    const LEN: usize = 5 * 1024 * 1024;

    impl Fixture {
        fn new() -> Fixture {
            let root = tempfile::tempdir().unwrap();
            for name in ["log", "derived"] {
                fs::create_dir(root.path().join(name)).unwrap();
            }
            let trash = Fixture::trash(root.path());
            Fixture { root, trash }
        }

        fn trash(root: &Path) -> Trash {
            Trash::open(
                root.join(TRASH_DIRECTORY),
                [root.join("log"), root.join("derived")],
            )
            .unwrap()
        }

        fn file(&self, name: &str) -> PathBuf {
            let path = self.root.path().join(name);
            fs::write(&path, vec![7; LEN]).unwrap();
            path
        }

        fn names(&self) -> usize {
            fs::read_dir(self.root.path().join(TRASH_DIRECTORY))
                .unwrap()
                .count()
        }

        fn free_all(&mut self) -> usize {
            std::iter::from_fn(|| self.trash.free_slice().unwrap().then_some(())).count()
        }
    }

    #[test]
    fn a_file_goes_in_slices_once_its_first_name_is_gone() {
        let mut fixture = Fixture::new();
        let wal = fixture.file("log/000001.log");
        fixture.trash.look().unwrap();
        assert_eq!(fixture.free_all(), 0);
        assert_eq!(fs::read(&wal).unwrap(), vec![7; LEN], "it is still RocksDB's");
        fs::remove_file(&wal).unwrap();
        fixture.trash.look().unwrap();
        assert_eq!(fixture.trash.bytes, LEN as u64);
        assert_eq!(fixture.free_all(), 3, "two slices, and the rest with its name");
        assert_eq!((fixture.names(), fixture.trash.bytes), (0, 0));
    }

    #[test]
    fn what_has_another_name_anywhere_stays_whole() {
        let mut fixture = Fixture::new();
        let table = fixture.file("derived/000002.sst");
        let checkpoint = fixture.root.path().join("checkpoint.sst");
        fixture.trash.look().unwrap();
        fs::hard_link(&table, &checkpoint).unwrap();
        fs::remove_file(&table).unwrap();
        fixture.trash.look().unwrap();
        assert_eq!(fixture.free_all(), 0);
        assert_eq!(fixture.names(), 0);
        assert_eq!(fs::read(&checkpoint).unwrap(), vec![7; LEN]);
    }

    #[test]
    fn a_name_given_after_it_was_found_obsolete_protects_it() {
        let mut fixture = Fixture::new();
        let table = fixture.file("derived/000002.sst");
        fixture.trash.look().unwrap();
        fs::remove_file(&table).unwrap();
        fixture.trash.look().unwrap();
        let saved = fixture.root.path().join("saved.sst");
        fs::hard_link(&fixture.trash.obsolete[0], &saved).unwrap();
        fixture.free_all();
        assert_eq!(fs::read(&saved).unwrap(), vec![7; LEN]);
    }

    #[test]
    fn what_an_earlier_process_left_is_freed() {
        let mut fixture = Fixture::new();
        let (kept, gone) = (fixture.file("log/000003.log"), fixture.file("log/000004.log"));
        fixture.trash.look().unwrap();
        fs::remove_file(gone).unwrap();
        fixture.trash = Fixture::trash(fixture.root.path());
        fixture.trash.look().unwrap();
        assert_eq!(fixture.free_all(), 3);
        assert_eq!(fs::read(kept).unwrap(), vec![7; LEN]);
    }

    #[test]
    fn closing_leaves_no_second_names() {
        let fixture = Fixture::new();
        let kept = fixture.file("log/000005.log");
        let directories = [
            fixture.root.path().join("log"),
            fixture.root.path().join("derived"),
        ];
        let reaper = Reaper::start(fixture.root.path(), directories).unwrap();
        reaper.close();
        assert!(!fixture.root.path().join(TRASH_DIRECTORY).exists());
        assert_eq!(fs::metadata(kept).unwrap().nlink(), 1);
    }
}
