//! A child whose disk fails, as its parent holds it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::course::Course;
use crate::wire::{self, Turn, Word};

/// What a child came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Event {
    Ready,
    Turn(Turn),
    /// It is gone.
    Gone,
    /// Nothing in time.
    Nothing,
}

#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    stdin: Option<ChildStdin>,
    events: Receiver<Event>,
    listener: Option<JoinHandle<Result<Course>>>,
    /// Its store was seen stopped, and not reopened since.
    pub(crate) stopped: bool,
}

impl Process {
    /// Starts it, in a process group of its own; what it says to standard error goes to a file.
    pub(crate) fn start(mut command: Command, stderr: &Path) -> Result<Self> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        command.stderr(File::create(stderr)?).env("RUST_BACKTRACE", "0");
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command.spawn().context("start the child")?;
        let out = child.stdout.take().context("the child's output is piped")?;
        let (tell, events) = channel();
        let listener = std::thread::spawn(move || {
            let mut course = Course::default();
            wire::hear(out, |word| {
                course.word(word);
                match word {
                    Word::Ready => drop(tell.send(Event::Ready)),
                    Word::Turn(turn) => drop(tell.send(Event::Turn(turn))),
                    _ => {}
                }
            })?;
            Ok(course)
        });
        Ok(Self {
            stdin: child.stdin.take(),
            child,
            events,
            listener: Some(listener),
            stopped: false,
        })
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it comes to next that says how it stands.
    pub(crate) fn next(&mut self, within: Duration) -> Event {
        let until = Instant::now() + within;
        loop {
            match self
                .events
                .recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                Ok(Event::Turn(Turn::Stopped)) => self.stopped = true,
                // the course has noted them
                Ok(Event::Turn(Turn::Panicked | Turn::NotStopped | Turn::DoneAgain)) => {}
                Ok(event) => {
                    self.stopped &= event != Event::Turn(Turn::Reopened);
                    return event;
                }
                Err(RecvTimeoutError::Timeout) => return Event::Nothing,
                Err(RecvTimeoutError::Disconnected) => return Event::Gone,
            }
        }
    }

    /// Gives an order; a child that is gone hears none.
    pub(crate) fn order(&mut self, order: u8) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(&[order]);
        }
    }

    /// How it ended, if it does within that time.
    pub(crate) fn ends_within(&mut self, time: Duration) -> Result<Option<ExitStatus>> {
        let until = Instant::now() + time;
        loop {
            let status = self.child.try_wait()?;
            if status.is_some() || Instant::now() >= until {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Kills it and all its group.
    pub(crate) fn kill(&mut self) -> Result<()> {
        // by the shell's kill: sending a signal to a group takes `unsafe` otherwise
        let group = format!("-{}", self.child.id());
        Command::new("kill").args(["-KILL", "--", &group]).status()?;
        self.child.wait()?;
        Ok(())
    }

    /// All that it told, once it is gone.
    pub(crate) fn course(&mut self) -> Result<Course> {
        let listener = self.listener.take().context("it is asked once")?;
        listener.join().expect("the listener does not panic")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.kill();
        }
    }
}
