//! A child process under load: started, heard, ended.

use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::heard::Heard;
use crate::strace::{self, Nth};
use crate::violation::Violation;
use crate::wire::{self, Pipe, Word};

/// A child must be ready after so long.
const OPEN_MAX: Duration = Duration::from_secs(60);
/// The last of a killed child's group is gone after so long.
const GONE_MAX: Duration = Duration::from_secs(10);
/// The signal that nobody catches; `strace` ends by it, too, after what it traced.
const SIGKILL: i32 = 9;
/// A client that waits so long is waited for, in a life that is long enough to see it.
const LONG: Duration = Duration::from_millis(500);
/// It never gets an answer if it has none by then. So much more than an answer takes that a machine with too much to do is
/// not taken for a hang.
const ANSWER_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether a child still lives.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// The command that runs this program's child on a store.
pub(crate) fn child(store: &Path, seed: u64) -> Result<Command> {
    let mut command = Command::new(std::env::current_exe()?);
    child_arguments(&mut command, store, seed);
    Ok(command)
}

/// The same with `strace` around it, which kills it at this call and notes there what it saw.
pub(crate) fn child_under_strace(store: &Path, seed: u64, at: Nth, notes: &Path) -> Result<Command> {
    let mut strace = strace::killing(at, notes);
    strace.arg(std::env::current_exe()?);
    child_arguments(&mut strace, store, seed);
    Ok(strace)
}

fn child_arguments(command: &mut Command, store: &Path, seed: u64) {
    command.arg("child").arg("--store").arg(store);
    command.arg("--seed").arg(seed.to_string());
}

/// What a child told of its answers.
#[derive(Debug, Clone, Copy)]
struct Pulse {
    /// How long the client has waited that waits longest.
    oldest: Duration,
    /// How many answers were heard before it.
    answers: u64,
}

/// A child that lives, and its parent's ear.
#[derive(Debug)]
pub(crate) struct Life {
    child: Child,
    /// The parent's own end of the pipe that the child talks into.
    pipe: Pipe,
    started: Instant,
    ready: Receiver<()>,
    is_ready: bool,
    pulses: Receiver<Pulse>,
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
        let (beat, pulses) = channel();
        let listener = std::thread::spawn(move || {
            let (mut heard, mut answers) = (Heard::default(), 0);
            wire::hear(out, |word| {
                match word {
                    Word::Ready => drop(tell.send(())),
                    Word::Done { .. } | Word::NotDone { .. } | Word::Unknown { .. } => answers += 1,
                    Word::Counts { oldest_ms, .. } => {
                        let oldest = Duration::from_millis(oldest_ms);
                        let _ = beat.send(Pulse { oldest, answers });
                    }
                    _ => {}
                }
                heard.word(word);
            })?;
            Ok(heard)
        });
        let pipe = Pipe::new(OwnedFd::from(pipe));
        Ok(Self {
            child,
            pipe,
            started: Instant::now(),
            ready,
            is_ready: false,
            pulses,
            listener,
        })
    }

    /// Waits until its store is open, or it is gone: a child killed before says nothing. One that does not come up is
    /// killed, and breaks P11.
    pub(crate) fn wait_until_ready(&mut self) -> Result<Option<Violation>> {
        let until = Instant::now() + OPEN_MAX;
        while !self.is_ready() {
            if self.ends_within(LOOK_EVERY)? {
                break;
            }
            if Instant::now() >= until {
                self.kill()?;
                let what = format!("the child does not come up within {OPEN_MAX:?}");
                return Ok(Some(Violation::new("P11", what)));
            }
        }
        Ok(None)
    }

    pub(crate) fn is_ready(&mut self) -> bool {
        self.is_ready |= self.ready.try_recv().is_ok();
        self.is_ready
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Waits until clients of a life that was long were answered, and none of them still waits for long; what is broken if
    /// that does not come (P11). Not for a life whose end must come at an exact instant.
    pub(crate) fn wait_for_answers(&mut self) -> Result<Option<Violation>> {
        let until = Instant::now() + ANSWER_MAX;
        // what it told earlier does not count
        self.pulses.try_iter().for_each(drop);
        let mut last = None;
        while !self.ends_within(LOOK_EVERY)? {
            last = self.pulses.try_iter().last().or(last);
            if last.is_some_and(|pulse| pulse.oldest < LONG && pulse.answers > 0) {
                return Ok(None);
            }
            if Instant::now() >= until {
                let what =
                    format!("its clients are not answered, and {ANSWER_MAX:?} later neither: {last:?}");
                return Ok(Some(Violation::new("P11", what)));
            }
        }
        Ok(None)
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
        Ok(self.pipe.say(Word::Cut)?)
    }

    /// All that it told, once it is gone.
    pub(crate) fn heard(mut self) -> Result<Heard> {
        self.child.wait()?;
        drop(self.pipe);
        self.listener.join().expect("the listener does not panic")
    }
}
