//! Where a copy of an open store is made, until all of it is there and gets its name.
//!
//! The stage is a directory in the store's own, so that files can be given second names, and so that the next opening
//! removes what a crash left of it. From there it is moved to where it is wanted by one rename; to another file system
//! it is copied under a name of its own, and renamed there.

use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Read};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use uuid::Uuid;

use super::layout::{Layout, remove_directory, sync_directory};
use super::survey::wal_files;
use crate::engine::Watermark;
use crate::error::FORMAT_FILE;
use crate::watermark::WatermarkFile;
use dormouse_domain::ShardId;

/// The stage's name in the store's directory.
const STAGE_DIRECTORY: &str = "unfinished-checkpoint";
/// What the name of a copy ends with that is being made on another file system.
const UNFINISHED: &str = "unfinished";

/// What is copied at a time, and synced: what a writer's sync may meet on its way to the disk. As what is freed at a time
/// (docs/decisions/0007).
const SLICE_BYTES: u64 = 2 * 1024 * 1024;

/// A copy in the making. Dropping it removes it.
pub(crate) struct Stage {
    layout: Layout,
}

/// What is in a copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    /// Whether any of them has another name elsewhere.
    pub(crate) is_linked: bool,
}

/// Told of each file that was synced or copied, by its size; its error ends the work.
pub(crate) type TellBytes<'t> = &'t mut dyn FnMut(u64) -> io::Result<()>;

impl Stage {
    /// An empty one, in the store's directory `root`.
    pub(crate) fn begin(root: &Path) -> io::Result<Self> {
        clear(root)?;
        let path = root.join(STAGE_DIRECTORY);
        fs::create_dir(&path)?;
        Ok(Self {
            layout: Layout::of_copy(path),
        })
    }

    pub(crate) fn layout(&self) -> &Layout {
        &self.layout
    }

    /// Gives the log's closed write-ahead files contents of their own: opening a store may shorten one.
    pub(crate) fn unshare_wals(&self) -> io::Result<()> {
        for wal in wal_files(&self.layout.log())? {
            if fs::metadata(&wal)?.nlink() > 1 {
                let own = wal.with_extension("own");
                copy_file(&wal, &own)?;
                fs::rename(&own, &wal)?;
            }
        }
        Ok(())
    }

    /// Makes it a store with this id, whose log was durable up to `mark`; durable on return, but for its own name.
    pub(crate) fn finish(&self, store: Uuid, mark: Watermark, tell: TellBytes<'_>) -> io::Result<()> {
        let root = self.layout.root();
        WatermarkFile::create(root, store, ShardId::new(mark.shard))?.write(mark)?;
        sync(root, tell)?;
        self.layout.finish(store)
    }

    /// What is in it.
    pub(crate) fn contents(&self) -> io::Result<Contents> {
        contents(self.layout.root())
    }

    /// Gives it the name `target` by a rename, which is durable after [`Stage::sync_name`]. `false`: that is on another file
    /// system.
    pub(crate) fn move_to(&self, target: &Path) -> io::Result<bool> {
        match fs::rename(self.layout.root(), target) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == ErrorKind::CrossesDevices => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Copies all of it, and gives the copy the name `target`, which is durable after [`Stage::sync_name`].
    pub(crate) fn copy_to(&self, target: &Path, tell: TellBytes<'_>) -> io::Result<()> {
        let root = self.layout.root();
        let mut copy = Unfinished::begin(unfinished(target))?;
        copy_directory(root, &copy.path, tell)?;
        // Somebody may have tidied up meanwhile.
        let (wanted, made) = (contents(root)?, contents(&copy.path)?);
        if (wanted.files, wanted.bytes) != (made.files + 1, made.bytes + format_bytes(root)?) {
            return Err(io::Error::other("files of the copy have vanished"));
        }
        // Makes it a store, so it comes last.
        copy_file(&root.join(FORMAT_FILE), &copy.path.join(FORMAT_FILE))?;
        sync_directory(&copy.path)?;
        fs::rename(&copy.path, target)?;
        copy.is_done = true;
        Ok(())
    }

    /// Makes the name durable that it was given. Whether that works or not, the copy stands whole under it.
    pub(crate) fn sync_name(&self, target: &Path) -> io::Result<()> {
        sync_parent(target)?;
        sync_parent(self.layout.root())
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        if let Err(error) = remove_directory(self.layout.root()) {
            let path = self.layout.root().display();
            tracing::warn!(%path, %error, "what is left of a copy can't be removed; the next opening does it");
        }
    }
}

/// Removes what a crash left of a copy.
pub(crate) fn clear(root: &Path) -> io::Result<()> {
    remove_directory(&root.join(STAGE_DIRECTORY))
}

/// What a copy to another file system is called until it is done.
fn unfinished(target: &Path) -> PathBuf {
    let mut name = target.file_name().unwrap_or_default().to_os_string();
    name.push(".");
    name.push(UNFINISHED);
    target.with_file_name(name)
}

/// A directory on another file system, removed unless it is done.
struct Unfinished {
    path: PathBuf,
    is_done: bool,
}

impl Unfinished {
    fn begin(path: PathBuf) -> io::Result<Self> {
        match fs::create_dir(&path) {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let path = path.display();
                let found = format!("{path} is what an earlier copy left, or another one makes; remove it");
                Err(io::Error::new(ErrorKind::AlreadyExists, found))
            }
            made => made.map(|()| Self { path, is_done: false }),
        }
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.is_done
            && let Err(error) = remove_directory(&self.path)
        {
            let path = self.path.display();
            tracing::warn!(%path, %error, "what is left of a copy can't be removed");
        }
    }
}

/// Copies what is in a directory into another one, which is there; synced. All but `FORMAT`.
fn copy_directory(from: &Path, to: &Path, tell: TellBytes<'_>) -> io::Result<()> {
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            fs::create_dir(to.join(&name))?;
            copy_directory(&path, &to.join(&name), tell)?;
        } else if name != FORMAT_FILE {
            tell(copy_file(&path, &to.join(&name))?)?;
        }
    }
    sync_directory(to)
}

/// Copies a file into a new one, slice by slice; synced. Answers its size; an error names the new file and how far it got.
fn copy_file(from: &Path, to: &Path) -> io::Result<u64> {
    let mut bytes = 0;
    match copy_slices(from, to, &mut bytes) {
        Ok(()) => Ok(bytes),
        Err(error) => {
            let place = format!("{} at byte {bytes}: {error}", to.display());
            Err(io::Error::new(error.kind(), place))
        }
    }
}

fn copy_slices(from: &Path, to: &Path, bytes: &mut u64) -> io::Result<()> {
    let (source, mut copy) = (File::open(from)?, File::create(to)?);
    copy.set_permissions(source.metadata()?.permissions())?;
    loop {
        let slice = io::copy(&mut (&source).take(SLICE_BYTES), &mut copy)?;
        *bytes += slice;
        if slice < SLICE_BYTES {
            return copy.sync_all();
        }
        copy.sync_data()?;
    }
}

fn format_bytes(root: &Path) -> io::Result<u64> {
    Ok(fs::metadata(root.join(FORMAT_FILE))?.len())
}

fn contents(root: &Path) -> io::Result<Contents> {
    let mut contents = Contents::default();
    each_file(root, &mut |_, file| {
        contents.files += 1;
        contents.bytes += file.len();
        contents.is_linked |= file.nlink() > 1;
        Ok(())
    })?;
    Ok(contents)
}

/// Makes all files and directories in `root` durable.
fn sync(root: &Path, tell: TellBytes<'_>) -> io::Result<()> {
    each_file(root, &mut |path, file| {
        File::open(path)?.sync_all()?;
        tell(file.len())
    })?;
    sync_directories(root)
}

fn sync_directories(root: &Path) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_directories(&entry.path())?;
        }
    }
    sync_directory(root)
}

fn sync_parent(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), sync_directory)
}

/// Every file below `root`.
fn each_file(root: &Path, visit: &mut dyn FnMut(&Path, &Metadata) -> io::Result<()>) -> io::Result<()> {
    for entry in fs::read_dir(root)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            each_file(&entry.path(), visit)?;
        } else {
            visit(&entry.path(), &entry.metadata()?)?;
        }
    }
    Ok(())
}
