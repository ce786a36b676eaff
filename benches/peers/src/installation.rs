//! Which PostgreSQL there is on this machine, and as whom it runs.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// Whom PostgreSQL's package makes; the server refuses to run as root.
const ACCOUNT: &str = "postgres";

/// The programs, and the account they run under.
#[derive(Clone, Debug)]
pub(crate) struct Installation {
    programs: PathBuf,
    /// None unless this process is root: then they run as this process does.
    account: Option<Account>,
}

/// Numbers of a user and a group.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Account {
    pub(crate) user: u32,
    pub(crate) group: u32,
}

impl Installation {
    pub(crate) fn find() -> Result<Self> {
        let programs = programs().context(
            "there is no PostgreSQL on this machine: neither initdb in PATH nor /usr/lib/postgresql/*/bin; install the \
             package postgresql",
        )?;
        let is_root = is_root().context("the system does not tell whose process this is")?;
        let account = if is_root {
            let users = fs::read_to_string("/etc/passwd")?;
            let account = account(&users, ACCOUNT);
            Some(account.with_context(|| {
                format!(
                    "PostgreSQL does not run as root, and there is no account {ACCOUNT}: install the package \
                     postgresql, or run this as another user"
                )
            })?)
        } else {
            None
        };
        let found = Self { programs, account };
        found.version()?;
        Ok(found)
    }

    /// Such as `postgres (PostgreSQL) 15.18`.
    pub(crate) fn version(&self) -> Result<String> {
        let output = self.command("postgres").arg("--version").output();
        let output = output.context("setpriv can't be run: install the package util-linux")?;
        ensure!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8_lossy(&output.stdout).trim().into())
    }

    pub(crate) fn account(&self) -> Option<Account> {
        self.account
    }

    /// One of its programs, under its account. It is interrupted, which to a server means to stop, when the thread that
    /// starts it ends, however it ends.
    pub(crate) fn command(&self, program: &str) -> Command {
        self.command_at(&self.programs.join(program))
    }

    /// Whether its account may write to a directory.
    pub(crate) fn may_write(&self, directory: &Path) -> Result<bool> {
        let mut test = self.command_at("test".as_ref());
        Ok(test.arg("-w").arg(directory).current_dir("/").status()?.success())
    }

    fn command_at(&self, program: &Path) -> Command {
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", "INT"]);
        if let Some(Account { user, group }) = self.account {
            command.args([format!("--reuid={user}"), format!("--regid={group}")]);
            command.arg("--clear-groups");
        }
        command.arg(program);
        command
    }
}

/// The directory of the programs: the first in PATH, or the newest where Debian puts them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).find(|directory| is_whole(directory));
    in_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten();
        let number = |version: &fs::DirEntry| version.file_name().to_str()?.parse::<f64>().ok();
        versions
            .filter_map(|version| Some((number(&version)?, version.path().join("bin"))))
            .filter(|(_, directory)| is_whole(directory))
            .max_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, directory)| directory)
    })
}

fn is_whole(directory: &Path) -> bool {
    ["initdb", "postgres", "pg_ctl"]
        .iter()
        .all(|program| directory.join(program).is_file())
}

fn is_root() -> Option<bool> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let users = status.lines().find_map(|line| line.strip_prefix("Uid:"))?;
    // Real, effective, saved, of the file system.
    Some(users.split_whitespace().nth(1)? == "0")
}

/// The numbers of the account `name` in the text of /etc/passwd.
fn account(users: &str, name: &str) -> Option<Account> {
    users.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_wanted = fields.next()? == name;
        let (_password, user, group) = (fields.next()?, fields.next()?, fields.next()?);
        is_wanted.then_some(Account {
            user: user.parse().ok()?,
            group: group.parse().ok()?,
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_account_is_found_by_its_name() {
        let users =
            "root:x:0:0:root:/root:/bin/bash\npostgres:x:101:104:PostgreSQL:/var/lib/postgresql:/bin/bash\n";
        let wanted = Account {
            user: 101,
            group: 104,
        };
        assert_eq!(account(users, "postgres"), Some(wanted));
        assert_eq!(account(users, "post"), None);
    }
}
