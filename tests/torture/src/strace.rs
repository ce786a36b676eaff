//! `strace` around a child: it kills the child at an exact system call, and its notes say which thread that hit.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

/// A call and a number: as one of the child's threads begins its nth call of this name, the child is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Nth(pub(crate) &'static str, pub(crate) u64);

/// The call at which a child was killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Struck {
    /// Its id and name: `5823<journal>`.
    thread: String,
    /// As `strace` noted it, with its arguments.
    call: String,
    /// Counted among the thread's calls of that name, from 1.
    number: u64,
    /// All that `strace` noted.
    notes: PathBuf,
}

/// A `strace` that kills whatever program and arguments are added to it.
pub(crate) fn killing(Nth(call, nth): Nth, notes: &Path) -> Command {
    let mut strace = Command::new("strace");
    // without --seccomp-bpf: strace 6.1 then injects nothing into most calls
    strace.args(["-f", "-qqq", "--decode-pids=comm", "-o"]).arg(notes);
    strace.args(["-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={call}:signal=SIGKILL:when={nth}")]);
    strace
}

pub(crate) fn is_installed() -> bool {
    let mut probe = Command::new("strace");
    probe.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

impl Nth {
    /// Who was hit, by the notes of a child that was killed so: the first thread that came to its nth call.
    pub(crate) fn struck(self, notes: &Path) -> Option<Struck> {
        let said = std::fs::read(notes).ok()?;
        let (thread, call) = self.find(&String::from_utf8_lossy(&said))?;
        Some(Struck {
            thread,
            call,
            number: self.1,
            notes: notes.to_path_buf(),
        })
    }

    fn find(self, notes: &str) -> Option<(String, String)> {
        let mut calls: HashMap<&str, u64> = HashMap::new();
        for line in notes.lines() {
            let Some((thread, call)) = line.split_once(char::is_whitespace) else {
                continue;
            };
            let call = call.trim_start();
            if !call
                .strip_prefix(self.0)
                .is_some_and(|rest| rest.starts_with('('))
            {
                continue;
            }
            // by number: the name of a thread changes
            let id = thread.split('<').next().unwrap_or(thread);
            let calls = calls.entry(id).or_default();
            *calls += 1;
            if *calls == self.1 {
                return Some((thread.to_owned(), call.to_owned()));
            }
        }
        None
    }
}

impl fmt::Display for Struck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            thread,
            call,
            number,
            notes,
        } = self;
        write!(
            f,
            "killed in thread {thread}, by its call {number}: {call} (notes of strace: {})",
            notes.display()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_thread_that_came_to_the_call_first_was_hit() {
        let notes = "7<main> write(1, \"a\", 1) = 1\n\
                     8<journal> write(1, \"b\", 1 <unfinished ...>\n\
                     7<main> writev(1, 0x1) = 1\n\
                     8<journal> <... write resumed>) = 1\n\
                     8<journal> write(2, \"c\", 1) = ?\n\
                     7<main> +++ killed by SIGKILL +++\n";
        let hit = Nth("write", 2).find(notes);
        assert_eq!(
            hit,
            Some(("8<journal>".to_owned(), "write(2, \"c\", 1) = ?".to_owned()))
        );
        assert_eq!(Nth("write", 3).find(notes), None);
    }
}
