//! A child process under load: started, heard, ended.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::model::Heard;
use crate::wire::{self, Pipe};

/// A child must be ready after so long.
const OPEN_MAX: Duration = Duration::from_secs(60);
/// The last of a killed child's group is gone after so long.
const GONE_MAX: Duration = Duration::from_secs(10);
/// The signal that nobody catches; `strace` ends by it, too, after what it traced.
const SIGKILL: i32 = 9;
/// How often it is looked whether a child still lives.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The command that runs this program's child on a store.
pub(crate) fn child(store: &Path, seed: u64) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    child_arguments(&mut command, store, seed);
    Ok(command)
}

/// The same with `strace` around it, which does what `inject` says (its `-e inject=` expression).
pub(crate) fn child_under_strace(store: &Path, seed: u64, call: &str, inject: &str) -> Result<Command> {
    let mut strace = Command::new("strace");
    // without --seccomp-bpf: strace 6.1 then injects nothing into most calls
    strace.args(["-f", "-qqq", "-o", "/dev/null"]);
    strace.args(["-e", &format!("trace={call}")]);
    strace.args(["-e", &format!("inject={inject}")]);
    strace.arg(std::env::current_exe()?);
    child_arguments(&mut strace, store, seed);
    Ok(strace)
}

fn child_arguments(command: &mut Command, store: &Path, seed: u64) {
    command.arg("child").arg("--store").arg(store);
    command.arg("--seed").arg(seed.to_string());
}

pub(crate) fn has_strace() -> bool {
    let mut probe = Command::new("strace");
    probe.arg("-V").stdout(Stdio::null()).stderr(Stdio::null());
    probe.status().is_ok_and(|status| status.success())
}

/// A child that lives, and its parent's ear.
#[derive(Debug)]
pub(crate) struct Life {
    child: Child,
    /// The parent's own end of the pipe that the child talks into.
    pipe: Pipe,
    ready: Receiver<()>,
    listener: JoinHandle<Result<Heard>>,
}

impl Life {
    /// Starts a child, in a process group of its own: `strace` and what it traces die together.
    pub(crate) fn start(mut command: Command) -> Result<Self> {
        let (out, pipe) = std::io::pipe()?;
        command
            .stdin(Stdio::null())
            .stdout(pipe.try_clone()?)
            .stderr(Stdio::null());
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let child = command.spawn().context("start the child")?;
        let (tell, ready) = channel();
        let listener = std::thread::spawn(move || {
            let mut heard = Heard::default();
            wire::hear(out, |word| {
                if word == wire::Word::Ready {
                    let _ = tell.send(());
                }
                heard.word(word);
            })?;
            Ok(heard)
        });
        let pipe = Pipe::new(OwnedFd::from(pipe));
        Ok(Self {
            child,
            pipe,
            ready,
            listener,
        })
    }

    /// Waits until its store is open, or it is gone: a child killed before says nothing.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + OPEN_MAX;
        while self.ready.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            if self.child.try_wait()?.is_some() {
                break;
            }
            if Instant::now() >= until {
                self.kill()?;
                bail!("the child does not come up within {OPEN_MAX:?}");
            }
        }
        Ok(())
    }

    /// Whether it ended by itself within that time.
    pub(crate) fn ends_within(&mut self, time: Duration) -> Result<bool> {
        let until = Instant::now() + time;
        while self.child.try_wait()?.is_none() {
            if Instant::now() >= until {
                return Ok(false);
            }
            std::thread::sleep(LOOK_EVERY.min(until.saturating_duration_since(Instant::now())));
        }
        Ok(true)
    }

    /// How it ended, if it did, and by nobody's kill.
    pub(crate) fn ended_by_itself(&mut self) -> Result<Option<ExitStatus>> {
        let ended = self.child.try_wait()?;
        Ok(ended.filter(|status| status.signal() != Some(SIGKILL)))
    }

    /// Kills it and all its group, unless it is gone. What `strace` traced may outlive it for a moment, and hold the
    /// store: all are gone on return.
    pub(crate) fn kill(&mut self) -> Result<()> {
        if self.child.try_wait()?.is_some() {
            return Ok(());
        }
        self.signal_group("KILL")?;
        self.child.wait()?;
        let until = Instant::now() + GONE_MAX;
        while self.signal_group("0")? && Instant::now() < until {
            std::thread::sleep(LOOK_EVERY);
        }
        Ok(())
    }

    /// Whether anybody was there to get it.
    fn signal_group(&self, signal: &str) -> Result<bool> {
        // by the shell's kill: sending a signal to a group takes `unsafe` otherwise
        let group = format!("-{}", self.child.id());
        let mut kill = Command::new("kill");
        kill.args(["-s", signal, "--", &group]).stderr(Stdio::null());
        Ok(kill.status().context("run kill")?.success())
    }

    /// What it says from now on is based on a disk that is gone.
    pub(crate) fn loses_its_disk(&self) -> Result<()> {
        Ok(self.pipe.say(wire::Word::Cut)?)
    }

    /// All that it told, once it is gone.
    pub(crate) fn heard(mut self) -> Result<Heard> {
        self.child.wait()?;
        drop(self.pipe);
        self.listener.join().expect("the listener does not panic")
    }
}
