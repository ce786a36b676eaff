//! Bringing a fault about under a running child, and taking it away.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::fault::Fault;
use super::place::Place;
use crate::strace::{self, Attached};

/// The usual soft limit.
const DESCRIPTORS: u64 = 1_024;

impl Fault {
    /// Brings it about; `strace`, if it is needed, writes into `notes` and lasts as long as what is returned.
    pub(crate) fn strike(&self, process: u32, place: &Place, notes: &Path) -> Result<Option<Attached>> {
        match self {
            Self::Running(injection) | Self::Stall { injection, .. } => {
                return injection.beside(process, &place.store, notes).map(Some);
            }
            Self::Full {
                left, opening: false, ..
            } => place.fill(*left)?,
            Self::FileSize { above, .. } => {
                let bytes = newest_log_bytes(&place.store)? + above;
                limit(process, &format!("--fsize={bytes}:"))?;
            }
            Self::Descriptors {
                allowed,
                opening: false,
            } => limit(process, &format!("--nofile={allowed}:"))?,
            Self::ShutDown => place.shut_down()?,
            Self::ReadOnly => place.make_read_only()?,
            Self::Deleted(what) => {
                let what = if *what == "store" { "" } else { what };
                remove_under_way(&place.store.join(what))?;
            }
            Self::Opening { .. } | Self::Full { .. } | Self::Descriptors { .. } => {}
        }
        Ok(None)
    }

    /// Takes it away, but for a `strace` beside the child; false if a living child can't be rid of it.
    pub(crate) fn lift(&self, process: u32, place: &Place) -> Result<bool> {
        match self {
            Self::Opening { .. } => strace::let_go(process)?,
            Self::Full { .. } => place.make_room(),
            Self::FileSize { .. } => limit(process, "--fsize=unlimited:")?,
            Self::Descriptors { .. } => limit(process, &format!("--nofile={DESCRIPTORS}:"))?,
            // a reopening that failed has let go of all files
            Self::ShutDown | Self::ReadOnly => place.remount()?,
            Self::Deleted(what) => return Ok(*what == "derived"),
            Self::Running(_) | Self::Stall { .. } => {}
        }
        Ok(true)
    }

    /// Whether the whole filesystem fails.
    pub(crate) fn fails_filesystem(&self) -> bool {
        matches!(self, Self::ShutDown | Self::ReadOnly)
    }

    /// Whether it may keep a store from opening.
    pub(crate) fn is_there_at_opening(&self) -> bool {
        matches!(
            self,
            Self::Opening { .. } | Self::Full { opening: true, .. } | Self::Descriptors { opening: true, .. }
        )
    }

    /// Whether it may kill the child.
    pub(crate) fn kills(&self) -> bool {
        matches!(self, Self::FileSize { ignored: false, .. })
    }
}

/// Sets a soft limit of a process that runs.
fn limit(process: u32, limit: &str) -> Result<()> {
    let mut prlimit = Command::new("prlimit");
    prlimit.args(["--pid", &process.to_string(), limit]);
    let out = prlimit.output().context("run prlimit")?;
    if !out.status.success() {
        bail!("{prlimit:?}: {}", String::from_utf8_lossy(&out.stderr));
    }
    Ok(())
}

fn newest_log_bytes(store: &Path) -> Result<u64> {
    let mut newest = None;
    for entry in std::fs::read_dir(store.join("log"))? {
        let entry = entry?;
        if entry
            .path()
            .extension()
            .is_some_and(|extension| extension == "log")
        {
            newest = newest.max(Some((entry.file_name(), entry.metadata()?.len())));
        }
    }
    Ok(newest.context("an open store has a write-ahead log")?.1)
}

/// Removes a directory while files come and go in it: the store may give a file its name back meanwhile.
fn remove_under_way(directory: &Path) -> Result<()> {
    const ATTEMPTS: u32 = 100;
    let mut removed = Ok(());
    for _ in 0..ATTEMPTS {
        removed = std::fs::remove_dir_all(directory);
        if removed.is_ok() {
            break;
        }
    }
    removed.context("remove the store's files")
}
