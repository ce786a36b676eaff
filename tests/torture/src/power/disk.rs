//! A disk whose power can be cut: ext4 in a file, mounted over a loop device.
//!
//! The cut is the file system's own shutdown without flushing its journal, as xfstests does it: from then on it
//! writes nothing more, and what was neither synced nor written out by chance is gone when it is mounted again.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// Sparse: takes what is written.
const DISK_BYTES: u64 = 2 << 30;
/// A child that was killed still holds its files for a moment.
const UNMOUNT_MAX: Duration = Duration::from_secs(20);

/// A mounted disk; unmounted and deleted when dropped.
#[derive(Debug)]
pub(crate) struct Disk {
    image: PathBuf,
    mounted_at: PathBuf,
}

impl Disk {
    /// An empty one in this directory.
    pub(crate) fn make(place: &Path) -> Result<Self> {
        let (image, mounted_at) = (place.join("disk"), place.join("mounted"));
        fs::create_dir_all(&mounted_at)?;
        File::create(&image)?.set_len(DISK_BYTES)?;
        let mut make = Command::new("mkfs.ext4");
        run(make
            .args(["-q", "-F", "-E", "lazy_itable_init=0,nodiscard"])
            .arg(&image))?;
        mount(&image, &mounted_at)?;
        Ok(Self { image, mounted_at })
    }

    /// Where its files are.
    pub(crate) fn path(&self) -> &Path {
        &self.mounted_at
    }

    /// Makes all ready for a cut, which then takes a tenth of a millisecond.
    pub(crate) fn prepare_cut(&self) -> Result<Cut> {
        let mut xfs_io = Command::new("xfs_io");
        xfs_io.arg("-x").arg(&self.mounted_at);
        xfs_io
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        Ok(Cut(xfs_io.spawn().context("start xfs_io")?))
    }

    /// Starts it again, with what it kept. Nobody may use it any more.
    pub(crate) fn power_on(&self) -> Result<()> {
        self.unmount()?;
        mount(&self.image, &self.mounted_at)
    }

    fn unmount(&self) -> Result<()> {
        let until = Instant::now() + UNMOUNT_MAX;
        while let Err(error) = run(Command::new("umount").arg(&self.mounted_at)) {
            if Instant::now() > until {
                return Err(error);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        Ok(())
    }
}

/// A cut that can come at once.
#[derive(Debug)]
pub(crate) struct Cut(Child);

impl Cut {
    /// Cuts the power: whoever uses the disk gets errors from now on, but for a sync that is under way. That one, ext4
    /// sometimes answers as if it had been done (seen in one cut of twenty on Linux 6.18, with a program that does nothing
    /// but write and sync): what is built on it is no promise.
    pub(crate) fn now(mut self) -> Result<()> {
        let mut commands = self.0.stdin.take().context("its input is piped")?;
        commands.write_all(b"shutdown\n")?;
        drop(commands);
        let status = self.0.wait()?;
        if !status.success() {
            bail!("xfs_io: {status}");
        }
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if let Err(error) = self.unmount() {
            eprintln!("{error:#}");
            return;
        }
        let _ = fs::remove_file(&self.image);
    }
}

fn mount(image: &Path, at: &Path) -> Result<()> {
    run(Command::new("mount").args(["-o", "loop"]).args([image, at]))
}

/// Runs a program; what it says is the error if it fails.
pub(super) fn run(command: &mut Command) -> Result<()> {
    let program = command.get_program().to_string_lossy().into_owned();
    let out = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("run {program}"))?;
    if !out.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&out.stderr).trim());
    }
    Ok(())
}
