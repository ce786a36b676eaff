//! Where a store stands whose disk fails: a directory, a small tmpfs, an ext4 of its own in a file.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::model::Model;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    Directory,
    Tmpfs,
    Ext4,
}

/// Bytes of a mount. RocksDB reserves 70 MiB for a write-ahead log: with less free it goes on without.
const MOUNT_MIB: u64 = 384;
/// A mount with less free space than this is made anew.
const FREE_MIN: u64 = 192 << 20;
/// Lives of children on one store: each leaves files, and the later ones would take long.
const LIVES_MAX: u32 = 30;
/// A mount that nobody uses any more can be taken away after so long.
const UNMOUNT_MAX: Duration = Duration::from_secs(10);
const FILLER: &str = "filler";

/// A place, and what is known of the store on it.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) kind: Kind,
    root: PathBuf,
    pub(crate) store: PathBuf,
    pub(crate) model: Model,
    pub(crate) lives: u32,
    /// The number of the case that it was made for: its history begins there.
    pub(crate) first: u32,
}

impl Place {
    /// An empty one at `root`, which is made.
    pub(crate) fn new(kind: Kind, root: PathBuf) -> Result<Self> {
        let mount = root.join("mount");
        fs::create_dir_all(&mount)?;
        let place = Self {
            kind,
            store: mount.join("store"),
            root,
            model: Model::default(),
            lives: 0,
            first: 0,
        };
        if kind == Kind::Ext4 {
            let image = File::create(place.image())?;
            image.set_len(MOUNT_MIB << 20)?;
            run(Command::new("mkfs.ext4").arg("-q").arg(place.image()))?;
        }
        place.mount()?;
        Ok(place)
    }

    fn image(&self) -> PathBuf {
        self.root.join("image")
    }

    fn mount_point(&self) -> PathBuf {
        self.root.join("mount")
    }

    fn mount(&self) -> Result<()> {
        let mut mount = Command::new("mount");
        match self.kind {
            Kind::Directory => return Ok(()),
            Kind::Tmpfs => mount.args(["-t", "tmpfs", "-o", &format!("size={MOUNT_MIB}m"), "none"]),
            // an error that the filesystem finds in itself makes it read-only
            Kind::Ext4 => mount.args(["-o", "loop,errors=remount-ro"]).arg(self.image()),
        };
        run(mount.arg(self.mount_point()))
    }

    fn unmount(&self) -> Result<()> {
        let until = Instant::now() + UNMOUNT_MAX;
        while self.kind != Kind::Directory && is_mounted(&self.mount_point())? {
            let mut unmount = Command::new("umount");
            if unmount.arg(self.mount_point()).output()?.status.success() {
                continue;
            }
            if Instant::now() >= until {
                bail!("{} is in use", self.mount_point().display());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Takes the mount away and makes it anew, with what the disk kept. Nobody may have files open on it.
    pub(crate) fn remount(&self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    /// Whether there is too little space for another child, or too much was done there.
    pub(crate) fn is_used_up(&self) -> Result<bool> {
        Ok(self.lives >= LIVES_MAX || self.kind != Kind::Directory && self.free()? < FREE_MIN)
    }

    fn free(&self) -> Result<u64> {
        let out = Command::new("df")
            .args(["--output=avail", "-B1"])
            .arg(self.mount_point())
            .output()?;
        let text = String::from_utf8_lossy(&out.stdout);
        let free = text.lines().nth(1).context("df says a number")?;
        Ok(free.trim().parse()?)
    }

    /// Leaves only so many bytes free.
    pub(crate) fn fill(&self, left: u64) -> Result<()> {
        let mut filler = File::options()
            .create(true)
            .append(true)
            .open(self.mount_point().join(FILLER))?;
        let block = vec![7; 64 << 10];
        let mut bytes = self.free()?.saturating_sub(left);
        while bytes > 0 {
            let len = bytes.min(block.len() as u64);
            // somebody else may have taken it meanwhile
            if filler.write_all(&block[..len as usize]).is_err() {
                break;
            }
            bytes -= len;
        }
        Ok(())
    }

    /// Gives the space back.
    pub(crate) fn make_room(&self) {
        let _ = fs::remove_file(self.mount_point().join(FILLER));
    }

    /// The disk is gone: every call fails with EIO, and what was not synced is lost.
    pub(crate) fn shut_down(&self) -> Result<()> {
        run(Command::new("xfs_io")
            .args(["-x", "-c", "shutdown"])
            .arg(self.mount_point()))
    }

    /// The filesystem finds an error in itself and makes itself read-only, whatever files are open.
    pub(crate) fn make_read_only(&self) -> Result<()> {
        let out = Command::new("findmnt")
            .args(["-n", "-o", "SOURCE"])
            .arg(self.mount_point())
            .output()?;
        let device = String::from_utf8_lossy(&out.stdout);
        let device = device.trim().rsplit('/').next().context("the mount's device")?;
        let trigger = format!("/sys/fs/ext4/{device}/trigger_fs_error");
        fs::write(&trigger, "1").with_context(|| trigger)
    }

    /// Copies the store, if there is one, as it is: whoever opens it changes it.
    pub(crate) fn copy_store(&self, to: &Path) -> Result<()> {
        if !self.store.exists() {
            return Ok(());
        }
        run(Command::new("cp").arg("-a").arg(&self.store).arg(to))
    }

    /// Whether a file beside the store can be made, written, synced and removed.
    pub(crate) fn is_sound(&self) -> bool {
        let path = self.mount_point().join("probe");
        let probe = || -> Result<()> {
            let mut file = File::create(&path)?;
            file.write_all(&[7; 4096])?;
            file.sync_all()?;
            fs::remove_file(&path)?;
            Ok(())
        };
        probe().is_ok()
    }

    /// Where the store of a failure can be looked at: a mount is copied, for it goes with the harness.
    pub(crate) fn keep(&self, kept: &Path) -> PathBuf {
        if self.kind != Kind::Directory && self.copy_store(kept).is_ok() {
            return kept.to_path_buf();
        }
        self.store.clone()
    }

    /// Removes it and all that is on it.
    pub(crate) fn remove(self) -> Result<()> {
        self.unmount()?;
        fs::remove_dir_all(&self.root).context("remove the store")
    }
}

impl Drop for Place {
    /// A mount that is left behind would only be in the way.
    fn drop(&mut self) {
        let _ = self.unmount();
    }
}

/// Whether mounts can be made here.
pub(crate) fn can_mount(root: &Path) -> bool {
    let trial = || -> Result<()> {
        let root = root.join("trial");
        Place::new(Kind::Tmpfs, root.join("tmpfs"))?.remove()?;
        let ext4 = Place::new(Kind::Ext4, root.join("ext4"))?;
        ext4.shut_down()?;
        ext4.remount()?;
        ext4.remove()
    };
    trial().is_ok()
}

fn is_mounted(path: &Path) -> Result<bool> {
    let mounts = fs::read_to_string("/proc/mounts")?;
    Ok(mounts.lines().any(|line| line.split(' ').nth(1) == path.to_str()))
}

fn run(command: &mut Command) -> Result<()> {
    let out = command.output().with_context(|| format!("run {command:?}"))?;
    if !out.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}
