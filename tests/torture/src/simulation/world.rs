//! One seed's world: a disk, a clock, a runtime without threads on it, and callers.

mod calls;
mod lives;

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dormouse::store::AppendFault;
use dormouse::{Clock, Dormouse, MemoryDisk, Timestamp};
use dormouse_runtime::simulation::{Simulation, Step, TaskId};

use super::client::{Answers, Patience};
use super::judge::{Judge, Now};
use super::plan::{Configuration, Kind, Operation, Plan};
use crate::random::Random;
use crate::violation::Violation;

/// When it all begins: any time will do.
const BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const DEADLINE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_millis(20);
/// Steps after which what was begun must have ended.
const SETTLED_AFTER: u32 = 20_000;

/// What was done, for the tally.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Done {
    pub(crate) sent: u64,
    pub(crate) commits: u64,
    pub(crate) steps: u64,
    pub(crate) lives: u64,
    pub(crate) runs: u64,
    pub(crate) snapshots: u64,
    pub(crate) evicted: u64,
    pub(crate) looked_up: u64,
    pub(crate) replayed: u64,
}

struct World<'t> {
    configuration: Configuration,
    disk: MemoryDisk,
    clock: Clock,
    /// Of what happens between a reader's looks at the disk.
    between: Arc<AtomicU64>,
    life: Option<Simulation>,
    /// Which program is running: they have other layouts of the state.
    is_other_program: bool,
    judge: Judge,
    answers: Answers,
    /// By attempt, of those that are not answered.
    callers: Vec<(usize, TaskId, Rc<Cell<Patience>>)>,
    /// Attempts whose callers went away: they may be in flight still.
    gone: Vec<usize>,
    numbers: u64,
    reopened: u64,
    faults: u64,
    stops: u64,
    done: Done,
    trace: Option<&'t mut Vec<String>>,
}

/// Does what the plan says; the first promise that is broken ends it. A panic that is not planned breaks one: it is told with
/// its seed, like everything else.
pub(crate) fn run(plan: &Plan, trace: Option<&mut Vec<String>>) -> Result<Done, Violation> {
    let done = catch_unwind(AssertUnwindSafe(|| live(plan, trace)));
    done.unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let said = said.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        Err(Violation::new("P10", format!("it panicked: {said:?}")))
    })
}

fn live(plan: &Plan, trace: Option<&mut Vec<String>>) -> Result<Done, Violation> {
    let mut world = World::new(plan.configuration.clone(), trace);
    world.open();
    for (number, operation) in plan.operations.iter().enumerate() {
        world.say(|| format!("{number}: {operation:?}"));
        world.operate(operation)?;
        world.go_on(operation.schedule)?;
    }
    world.end()?;
    Ok(world.done)
}

impl<'t> World<'t> {
    fn new(configuration: Configuration, trace: Option<&'t mut Vec<String>>) -> Self {
        Self {
            disk: MemoryDisk::new(),
            clock: Clock::held(BEGIN),
            between: Arc::new(AtomicU64::new(0)),
            life: None,
            is_other_program: false,
            judge: Judge::new(configuration.streams),
            answers: Rc::new(RefCell::default()),
            callers: Vec::new(),
            gone: Vec::new(),
            numbers: 0,
            reopened: 0,
            faults: 0,
            stops: 0,
            done: Done::default(),
            configuration,
            trace,
        }
    }

    fn say(&mut self, line: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(line());
        }
    }

    fn life(&self) -> &Simulation {
        self.life.as_ref().expect("it lives between two operations")
    }

    fn runtime(&self) -> &Dormouse {
        self.life().runtime()
    }

    fn operate(&mut self, operation: &Operation) -> Result<(), Violation> {
        self.between.store(operation.schedule, Ordering::Relaxed);
        let choices = operation.choices;
        match operation.kind {
            Kind::Command => self.command(choices),
            Kind::Retry => self.retry(choices),
            Kind::Reuse => self.reuse(choices),
            Kind::Query => {
                let stream = (choices[0] % self.configuration.streams) as usize;
                self.send(stream, None);
            }
            Kind::GiveUp => self.lose_patience(choices[0], Patience::GivesUp),
            Kind::Leave => self.lose_patience(choices[0], Patience::Leaves),
            Kind::Tick => self.clock.advance(Duration::from_millis(choices[0] % 40)),
            Kind::Late => self.clock.advance(DEADLINE + Duration::from_millis(1)),
            Kind::Passivate => {
                self.clock.advance(IDLE + Duration::from_millis(1));
                self.runtime().passivate_idle();
            }
            Kind::MakeRoom => self.life().make_room(),
            Kind::FailAppend => {
                self.faults += 1;
                self.disk.fail_append(match choices[0] % 2 {
                    0 => AppendFault::NothingWritten,
                    _ => AppendFault::Written,
                });
            }
            Kind::Reopen => self.reopen()?,
            Kind::Crash => self.crash(choices)?,
            Kind::Restart => {
                self.settle()?;
                let closed = self.runtime().store().close();
                closed.map_err(|error| Violation::new("P1", format!("it does not close: {error}")))?;
                self.begin_again(choices[0])?;
            }
            Kind::Settle => self.settle()?,
        }
        self.observe()
    }

    /// Some of what can happen next happens.
    fn go_on(&mut self, schedule: u64) -> Result<(), Violation> {
        let mut random = Random::new(schedule, 2);
        let mut possible = Vec::new();
        for _ in 0..random.below(self.configuration.steps_max + 1) {
            self.life().possible(&mut possible);
            if possible.is_empty() {
                break;
            }
            self.step(possible[random.below(possible.len() as u64) as usize])?;
        }
        Ok(())
    }

    fn step(&mut self, step: Step) -> Result<(), Violation> {
        self.say(|| format!("   {step:?}"));
        self.done.steps += 1;
        self.life().step(step);
        self.observe()
    }

    /// What the log gained, and then what was answered: no answer may come before what it rests on.
    fn observe(&mut self) -> Result<(), Violation> {
        let store = self.life.as_ref().expect("it lives").runtime().store();
        self.judge.read_on(store)?;
        if self.answers.borrow().is_empty() {
            return Ok(());
        }
        let now = Now {
            ms: self.clock.now().as_millis(),
            stopped: self.is_stopped(),
            reopened: self.reopened,
        };
        let answers = std::mem::take(&mut *self.answers.borrow_mut());
        for (attempt, answer) in answers {
            self.callers.retain(|(at, ..)| *at != attempt);
            self.say(|| format!("   attempt {attempt} is told {answer:?}"));
            self.judge.answered(attempt, answer, now)?;
        }
        Ok(())
    }

    /// Runs until nothing is left to do. Then nobody waits, nothing is in flight, and memory is within its budget (P14).
    fn settle(&mut self) -> Result<(), Violation> {
        let mut possible = Vec::new();
        let mut turn = VecDeque::from([0]);
        for _ in 0..SETTLED_AFTER {
            self.life().possible(&mut possible);
            if possible.is_empty() {
                self.gone.clear();
                self.judge.settled()?;
                return self.is_at_rest();
            }
            let at = turn.pop_front().unwrap_or_default() % possible.len();
            turn.push_back(at + 1);
            self.step(possible[at])?;
        }
        Err(Violation::new(
            "P7",
            format!("it never comes to rest: {possible:?}"),
        ))
    }

    fn is_at_rest(&self) -> Result<(), Violation> {
        self.life().make_room();
        let now = self.runtime().statistics();
        if now.in_flight != 0 {
            return Err(Violation::new(
                "P14",
                format!("{} in flight, and nobody waits", now.in_flight),
            ));
        }
        if now.resident_bytes > now.memory_budget_bytes {
            let what = format!(
                "{} bytes resident of {} allowed",
                now.resident_bytes, now.memory_budget_bytes
            );
            return Err(Violation::new("P14", what));
        }
        Ok(())
    }

    /// Everything ends well: each stream is asked once more, then all leave memory.
    fn end(&mut self) -> Result<(), Violation> {
        if self.is_stopped() {
            self.reopen()?;
        }
        self.settle()?;
        for stream in 0..self.configuration.streams as usize {
            self.send(stream, None);
            self.settle()?;
        }
        self.clock.advance(IDLE + Duration::from_millis(1));
        self.runtime().passivate_idle();
        self.settle()?;
        let now = self.runtime().statistics();
        self.count();
        if (now.residents, now.resident_bytes) == (0, 0) {
            return Ok(());
        }
        let what = format!(
            "{} residents of {} bytes, and all were idle",
            now.residents, now.resident_bytes
        );
        Err(Violation::new("P14", what))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_like_any_violation() {
        let mut plan = Plan::of(1, 20);
        assert!(run(&plan, None).is_ok());
        plan.configuration.streams = 0; // nothing can be sent anywhere
        let told = run(&plan, None).map(|_| ()).unwrap_err();
        assert_eq!(told.promise, "P10", "{}", told.what);
    }
}
