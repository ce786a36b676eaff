//! `strace` around a child: it kills the child at an exact system call, and its notes say which thread that hit. Or
//! beside one that runs, until it is let go.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde::Serialize;

/// It has all threads of a running child after so long.
const ATTACH_MAX: Duration = Duration::from_secs(20);
/// It has let go of them after so long.
const DETACH_MAX: Duration = Duration::from_secs(20);

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

/// Whether it can follow what it starts: it is installed, and nothing forbids it.
pub(crate) fn can_follow() -> bool {
    let mut probe = quiet();
    probe.arg("true").stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// Whether it can also join a process that it did not start, which many systems leave to root.
pub(crate) fn can_join() -> bool {
    let mut sleeper = Command::new("cat");
    sleeper.stdin(Stdio::piped()).stdout(Stdio::null());
    let Ok(mut sleeper) = sleeper.spawn() else {
        return false;
    };
    let can = Attached::to(sleeper.id(), quiet()).is_ok();
    let _ = sleeper.kill();
    let _ = sleeper.wait();
    can
}

/// A `strace` that notes nothing.
fn quiet() -> Command {
    let mut strace = Command::new("strace");
    strace.args(["-qqq", "-o", "/dev/null"]);
    strace
}

/// A `strace` beside a process. Dropped, it lets go of it.
#[derive(Debug)]
pub(crate) struct Attached(Child);

impl Attached {
    /// Adds the process to this `strace`, starts it, and waits until it has all threads.
    pub(crate) fn to(process: u32, mut strace: Command) -> Result<Self> {
        strace.args(["-p", &process.to_string()]);
        strace
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut strace = strace.spawn().context("start strace")?;
        let until = Instant::now() + ATTACH_MAX;
        while !is_traced(process) {
            if strace.try_wait()?.is_some() || Instant::now() >= until {
                let _ = strace.kill();
                bail!("strace does not take over the child");
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        Ok(Self(strace))
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        let _ = detach(&self.0.id().to_string());
        let _ = self.0.wait();
    }
}

/// Ends the `strace` around a process: it lets go of every thread.
pub(crate) fn let_go(process: u32) -> Result<()> {
    let until = Instant::now() + DETACH_MAX;
    while let Some(tracer) = tracers(process).into_iter().find(|tracer| tracer != "0") {
        if Instant::now() >= until {
            bail!("strace does not let go of the child");
        }
        detach(&tracer)?;
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

/// Tells a `strace` to let go of what it traces, which it does in order on this signal.
fn detach(strace: &str) -> Result<()> {
    let mut kill = Command::new("kill");
    kill.args(["-TERM", strace]).stderr(Stdio::null());
    kill.status().context("run kill")?;
    Ok(())
}

/// Whether all threads are traced; also if there are none any more.
fn is_traced(process: u32) -> bool {
    tracers(process).iter().all(|tracer| tracer != "0")
}

/// Who traces each thread, by its id; `0`: nobody.
fn tracers(process: u32) -> Vec<String> {
    let threads = fs::read_dir(format!("/proc/{process}/task"))
        .into_iter()
        .flatten();
    threads
        .flatten()
        .filter_map(|thread| {
            let status = fs::read_to_string(thread.path().join("status")).ok()?;
            let tracer = status.lines().find_map(|line| line.strip_prefix("TracerPid:"))?;
            Some(tracer.trim().to_owned())
        })
        .collect()
}

impl Nth {
    /// Who was hit, by the notes of a child that was killed so: the first thread that came to its nth call.
    pub(crate) fn struck(self, notes: &Path) -> Option<Struck> {
        let said = fs::read(notes).ok()?;
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

    /// Where `strace` may not trace, it is found out, and never taken for joined.
    #[test]
    fn whether_a_process_can_be_joined_is_what_joining_one_shows() {
        let mut sleeper = Command::new("cat");
        let mut sleeper = sleeper.stdin(Stdio::piped()).spawn().unwrap();
        let joined = Attached::to(sleeper.id(), quiet());
        assert_eq!(joined.is_ok(), is_traced(sleeper.id()));
        assert_eq!(joined.is_ok(), can_join());
        drop(joined);
        assert!(!is_traced(sleeper.id()), "it is let go");
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        assert!(Attached::to(std::process::id(), Command::new("false")).is_err());
    }

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
