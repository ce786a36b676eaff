//! One case from its beginning to its end.

mod healing;
mod weighing;

use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;

use self::healing::Excuse;
use super::fault::{Case, Fault};
use super::place::Place;
use super::process::{Event, Process};
use super::subject::order;
use crate::strace::Attached;
use crate::tally::Tally;
use crate::violation::Violation;
use crate::wire::Turn;

/// Answers, an opening, a reopening and a shutdown have come after so long, on however busy a machine.
const ANSWERS_MAX: Duration = Duration::from_secs(60);
/// A stopped store answers within.
const FAST_MAX: Duration = Duration::from_secs(10);
/// Clients that meet no fault are told to rest after.
const LOAD: Duration = Duration::from_millis(400);
/// Load before the fault, and after it.
const CALM: Duration = Duration::from_millis(60);
/// A store whose files are gone has noticed after so long: it looks with each watermark, and starts runs under load.
const DELETED_MAX: Duration = Duration::from_secs(10);
/// Less than RocksDB reserves for a write-ahead log, so that it has to do without.
const TIGHT_BYTES: u64 = 32 << 20;
const CLIENTS: u32 = 32;
/// The store of the last case, as the child left it.
pub(crate) const AS_FOUND: &str = "as-found";
const STREAMS: u32 = 2_000;

pub(crate) struct Script<'a> {
    case: &'a Case,
    seed: u64,
    notes: PathBuf,
    stderr: PathBuf,
    as_found: PathBuf,
    broken: Vec<Violation>,
    /// Beside the child, as long as the fault lasts.
    attached: Option<Attached>,
    /// When the filesystem began to fail as a whole.
    failed_at: Option<Instant>,
    /// The fault is gone for sure, and the store was seen healthy after it.
    is_healed: bool,
    /// By the signal that comes with a limit.
    is_killed: bool,
    /// Why a store that does not reopen once the fault is gone breaks no promise.
    excuse: Option<Excuse>,
}

impl<'a> Script<'a> {
    /// In the directory `root` there will be `strace`'s notes and the child's standard error; and in [`AS_FOUND`] the
    /// store, as it was before it was judged.
    pub(crate) fn new(case: &'a Case, seed: u64, root: &Path) -> Self {
        Self {
            case,
            seed,
            notes: root.join("notes"),
            stderr: root.join("notes.stderr"),
            as_found: root.join(AS_FOUND),
            broken: Vec::new(),
            attached: None,
            failed_at: None,
            is_healed: false,
            is_killed: false,
            excuse: None,
        }
    }

    /// What came of it: what kept it from being a fault, or from stopping the store; and what is broken.
    pub(crate) async fn play(
        mut self,
        place: &mut Place,
        tally: &mut Tally,
    ) -> Result<(&'static str, Vec<Violation>)> {
        let _ = std::fs::remove_file(&self.notes);
        match self.case.fault {
            Fault::Full {
                left, opening: true, ..
            } => place.fill(left)?,
            Fault::Full { tight: true, .. } => place.fill(TIGHT_BYTES)?,
            _ => {}
        }
        let mut process = Process::start(self.command(&place.store)?, &self.stderr)?;
        let is_open = self.opens(&mut process);
        if is_open {
            self.live(&mut process, place)?;
        }
        self.end(&mut process)?;
        self.attached = None;
        match self.case.fault {
            Fault::Full { .. } => place.make_room(),
            Fault::ShutDown | Fault::ReadOnly => place.remount()?,
            _ => {}
        }
        place.copy_store(&self.as_found)?;
        let mut course = process.course()?;
        self.doubt(&mut course, tally);
        let but = self.weigh(&course, is_open, tally)?;
        if self.broken.is_empty() {
            self.judge(place, &course, tally).await;
        }
        Ok((but, self.broken))
    }

    /// The child, with what must be around it from its start.
    fn command(&self, store: &Path) -> Result<Command> {
        let mut child = Command::new(std::env::current_exe()?);
        child.arg("ioerr-child").arg("--store").arg(store);
        child.args(["--seed", &self.seed.to_string()]);
        child.args([
            "--clients",
            &CLIENTS.to_string(),
            "--streams",
            &STREAMS.to_string(),
        ]);
        let around = |program: &str, first: &[&str]| {
            let mut command = Command::new(program);
            command
                .args(first)
                .arg(child.get_program())
                .args(child.get_args());
            command
        };
        Ok(match &self.case.fault {
            Fault::Opening { injection, .. } => injection.around(&child, store, &self.notes)?,
            // a signal that is ignored stays so in the program that takes the shell's place
            Fault::FileSize { ignored: true, .. } => {
                around("sh", &["-c", "trap '' XFSZ; exec \"$0\" \"$@\""])
            }
            Fault::Descriptors {
                opening: true,
                allowed,
            } => around("prlimit", &[&format!("--nofile={allowed}:")]),
            _ => child,
        })
    }

    /// Whether the store opens.
    fn opens(&mut self, process: &mut Process) -> bool {
        let event = process.next(ANSWERS_MAX);
        let may_fail = self.case.fault.is_there_at_opening();
        match event {
            Event::Ready => return true,
            Event::Nothing => self.breaks("P11", "opening does not end"),
            Event::Turn(_) if may_fail => {}
            Event::Turn(_) => self.breaks(
                "P1",
                "the store does not open, and nothing is wrong with its disk",
            ),
            Event::Gone => self.breaks("P11", "the child is gone before its store is open"),
        }
        false
    }

    /// From the first command to the last order but one.
    fn live(&mut self, process: &mut Process, place: &Place) -> Result<()> {
        std::thread::sleep(CALM);
        let fails = self.case.fault.fails_filesystem();
        self.failed_at = fails.then(Instant::now);
        self.attached = self.case.fault.strike(process.id(), place, &self.notes)?;
        if !self.rest(process, self.load()) {
            return Ok(());
        }
        // a mount can be made anew once nobody has files open on it
        let early = self.case.reopens_early || (fails && self.case.heals);
        if process.stopped && early && self.reopen(process) == Some(Turn::Reopened) {
            if fails {
                self.breaks("P11", "the store reopens on a filesystem that fails");
                return Ok(());
            }
            process.order(order::GO_ON);
            if !self.rest(process, LOAD) {
                return Ok(());
            }
        }
        if self.case.heals && self.broken.is_empty() {
            self.attached = None;
            if self.case.fault.lift(process.id(), place)? {
                self.heal(process, place);
            }
        }
        Ok(())
    }

    /// How long clients go on that see no fault.
    fn load(&self) -> Duration {
        match self.case.fault {
            Fault::Deleted(_) => DELETED_MAX,
            _ => LOAD,
        }
    }

    /// Waits until the clients rest; they are told to after `load`. False if there is nothing more to be had of the child.
    fn rest(&mut self, process: &mut Process, load: Duration) -> bool {
        let mut event = process.next(load);
        if event == Event::Nothing {
            if matches!(self.case.fault, Fault::Deleted(_)) && load == DELETED_MAX {
                self.breaks("P11", "its files are gone, and the store goes on");
            }
            process.order(order::REST);
            event = process.next(ANSWERS_MAX + self.stall());
        }
        match event {
            Event::Turn(Turn::Resting) => return true,
            Event::Gone if self.case.fault.kills() => {}
            Event::Gone => self.breaks("P11", "the child is gone"),
            Event::Nothing => self.breaks("P11", "commands are not answered"),
            other => self.breaks("-", format!("the child says {other:?} and should rest")),
        }
        false
    }

    fn stall(&self) -> Duration {
        match self.case.fault {
            Fault::Stall { time, .. } => time,
            _ => Duration::ZERO,
        }
    }

    /// Has the child end, whatever state it is in.
    fn end(&mut self, process: &mut Process) -> Result<()> {
        if !self.broken.is_empty() {
            return process.kill();
        }
        process.order(order::END);
        let Some(status) = process.ends_within(ANSWERS_MAX)? else {
            self.breaks("P11", "the child does not end");
            return process.kill();
        };
        match status.code() {
            Some(0) => {}
            Some(1) if !self.is_healed => {}
            None if self.case.fault.kills() && status.signal() == Some(XFSZ) => self.is_killed = true,
            _ => self.breaks("P11", format!("the child ends with {status}")),
        }
        Ok(())
    }

    fn breaks(&mut self, promise: &'static str, what: impl Into<String>) {
        let what = format!("{}{}", what.into(), self.said());
        self.broken.push(Violation::new(promise, what));
    }

    /// The end of what the child wrote to its standard error.
    fn said(&self) -> String {
        const LINES: usize = 6;
        let said = std::fs::read_to_string(&self.stderr).unwrap_or_default();
        let lines: Vec<_> = said.lines().rev().take(LINES).collect();
        let lines = lines.into_iter().rev().map(|line| format!("\n    {line}"));
        lines.collect()
    }
}

/// SIGXFSZ on Linux.
const XFSZ: i32 = 25;
