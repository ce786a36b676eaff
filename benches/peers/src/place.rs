//! Where a cluster lies: directories that belong to the server's account.

use std::fs::{self, Permissions};
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use tempfile::TempDir;

use crate::installation::Installation;

/// The directories, removed at the end.
#[derive(Debug)]
pub(crate) struct Place {
    /// What the server writes.
    cluster: TempDir,
    /// The server's socket: its path must be short.
    socket: TempDir,
}

impl Place {
    /// In `directory` if the server's account gets there, else in a temporary one on the same disk.
    pub(crate) fn make(installation: &Installation, directory: &Path) -> Result<Self> {
        fs::create_dir_all(directory)?;
        let directory = directory.canonicalize()?;
        let disk = fs::metadata(&directory)?.dev();
        let socket = owned(installation, &std::env::temp_dir())?;
        let elsewhere = [PathBuf::from("/var/tmp"), std::env::temp_dir()];
        for parent in [&directory].into_iter().chain(&elsewhere) {
            if fs::metadata(parent).is_ok_and(|found| found.dev() == disk) {
                let cluster = owned(installation, parent)?;
                if installation.may_write(cluster.path())? {
                    if *parent != directory {
                        eprintln!(
                            "peers: PostgreSQL's account does not get to {}: its cluster lies in {}, on the same disk",
                            directory.display(),
                            cluster.path().display()
                        );
                    }
                    return Ok(Self { cluster, socket });
                }
            }
        }
        bail!(
            "PostgreSQL's account gets neither to {} nor to a temporary directory on that disk",
            directory.display()
        )
    }

    pub(crate) fn cluster(&self) -> PathBuf {
        self.cluster.path().join("cluster")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.cluster.path().join("log")
    }

    pub(crate) fn socket(&self) -> &Path {
        self.socket.path()
    }
}

/// A new directory that the server's account owns.
fn owned(installation: &Installation, parent: &Path) -> Result<TempDir> {
    let made = tempfile::Builder::new().prefix("peers-").tempdir_in(parent);
    let made = made.with_context(|| format!("no directory can be made in {}", parent.display()))?;
    if let Some(account) = installation.account() {
        chown(made.path(), Some(account.user), Some(account.group))?;
    }
    fs::set_permissions(made.path(), Permissions::from_mode(0o700))?;
    Ok(made)
}
