//! One seed's world: a disk, a clock, a runtime without threads on it, and callers.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use dormouse::store::AppendFault;
use dormouse::{
    Clock, CommandId, Dormouse, Expected, Health, MemoryDisk, Store, StoreOptions, Timestamp, Version,
};
use dormouse_persistence::Steps;
use dormouse_runtime::simulation::{Simulation, Step, TaskId};
use uuid::Uuid;

use super::account::{Account, Move, OtherAccount, Planned};
use super::client::{Answers, Caller, Patience, Request, execute, query};
use super::judge::{Attempt, Judge, Now, Standing};
use super::plan::{Configuration, Kind, Operation, Plan};
use crate::random::Random;
use crate::violation::Violation;

/// When it all begins: any time will do.
const BEGIN: Timestamp = Timestamp::from_millis(1_767_225_600_000);
const DEADLINE: Duration = Duration::from_secs(30);
const IDLE: Duration = Duration::from_millis(20);
/// Steps after which what was begun must have ended.
const SETTLED_AFTER: u32 = 20_000;
/// One command of so many stores nothing, another one many events, others panic.
const RARE: u64 = 24;
/// The last attempts, which are likely to be in flight or just answered.
const RECENT: usize = 12;

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

    fn open(&mut self) {
        let bounds = &self.configuration;
        let options = StoreOptions::default()
            .clock(self.clock.clone())
            .generation_bytes(bounds.generation_bytes)
            .tail_bytes_max(0)
            .batch_commits_max(bounds.batch_commits_max)
            .queue_commits_max(bounds.queue_commits_max);
        let steps = Steps::new();
        let store = Store::in_steps(&self.disk, options, &steps).expect("a sound disk opens");
        let builder = Dormouse::builder(store)
            .clock(self.clock.clone())
            .mailbox(bounds.mailbox)
            .in_flight_max(bounds.in_flight_max)
            .memory_budget_bytes(bounds.budget_bytes)
            .recent_ids(bounds.recent_ids)
            .snapshot_every(bounds.snapshot_every)
            .readers(bounds.readers)
            .default_deadline(DEADLINE)
            .passivate_after(IDLE);
        let builder = match self.is_other_program {
            false => builder.aggregate::<Account>(),
            true => builder.aggregate::<OtherAccount>(),
        };
        self.life = Some(builder.simulate(steps.clone()).expect("it starts"));
        let between = Arc::clone(&self.between);
        self.disk.between_readings(move || {
            let seed = between.fetch_add(1, Ordering::Relaxed);
            match Random::new(seed, 1).below(8) {
                0 => drop(steps.journal()),
                1 => drop(steps.index()),
                _ => {}
            }
        });
        self.done.lives += 1;
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

    /// A number, and with it what the command does.
    fn new_command(&mut self, choices: [u64; 4]) -> Move {
        self.numbers += 1;
        let rare = choices[1] % RARE;
        Move {
            number: self.numbers,
            cents: (choices[2] % 150) as i64 - 50,
            parts: match rare {
                0 => 0,
                1 => 40,
                _ => 1 + (choices[2] % 7 / 3) as u8,
            },
            planned: match rare {
                2 => Planned::PanicInHandle,
                3 => Planned::PanicInApply,
                _ => Planned::Nothing,
            },
        }
    }

    fn command(&mut self, choices: [u64; 4]) {
        let command = self.new_command(choices);
        let stream = (choices[0] % self.configuration.streams) as usize;
        let id = self.new_id(choices[3]);
        let head = self.judge.truth.head(stream);
        let expected = match choices[3] >> 32 & 15 {
            0 => Expected::Absent,
            1 => Expected::Exists,
            2 => Expected::At(Version::new(head)),
            3 => Expected::At(Version::new(head + 1)),
            _ => Expected::Any,
        };
        let wait_for_room = choices[3] >> 40 & 15 == 0;
        let request = Request {
            command,
            id,
            expected,
            wait_for_room,
        };
        self.send(stream, Some(request));
    }

    /// Time-ordered, mostly of now, at times of a while ago or too far ahead; of a key; or none.
    fn new_id(&self, choice: u64) -> Option<CommandId> {
        let now = self.clock.now().as_millis();
        let ms = match choice % 16 {
            0..7 => now,
            7..9 => now - choice / 16 % (now - BEGIN.as_millis() + 1),
            9 => now + choice / 16 % 100_000,
            10 => now + 600_000,
            11..14 => return Some(CommandId::from_key(&format!("key-{}", self.numbers))),
            _ => return None,
        };
        const VERSION_7: u128 = 0x7 << 76 | 0b10 << 62;
        let id = u128::from(ms) << 80 | VERSION_7 | u128::from(self.numbers);
        Some(CommandId::from(Uuid::from_u128(id)))
    }

    /// Any earlier command that has an id.
    fn earlier(&self, choice: u64) -> Option<(usize, Request)> {
        let attempts = &self.judge.attempts;
        // one of the last as often as any
        let of = match choice % 2 {
            0 => attempts.len().min(RECENT),
            _ => attempts.len(),
        };
        let at = attempts.len() - of + (choice / 2) as usize % of.max(1);
        let attempt = attempts.get(at)?;
        let request = attempt.request.filter(|request| request.id.is_some())?;
        Some((attempt.stream, request))
    }

    fn retry(&mut self, choices: [u64; 4]) {
        if let Some((stream, request)) = self.earlier(choices[0]) {
            self.send(stream, Some(request));
        }
    }

    fn reuse(&mut self, choices: [u64; 4]) {
        if let Some((stream, earlier)) = self.earlier(choices[0]) {
            let command = self.new_command(choices);
            self.send(stream, Some(Request { command, ..earlier }));
        }
    }

    fn send(&mut self, stream: usize, request: Option<Request>) {
        let pending = self
            .callers
            .iter()
            .map(|(at, ..)| *at)
            .chain(self.gone.iter().copied());
        let beside: Vec<_> = pending.map(|at| &self.judge.attempts[at]).collect();
        let of_stream = beside.iter().filter(|attempt| attempt.stream == stream).count();
        let beside = (of_stream, beside.len());
        let now = self.clock.now().as_millis();
        let attempt = self.judge.attempts.len();
        self.judge.attempts.push(Attempt {
            stream,
            request,
            sent_ms: now,
            deadline_ms: now + DEADLINE.as_millis() as u64,
            patience: Patience::Waits,
            standing: Standing::Pending,
            reopened: self.reopened,
            beside,
        });
        let patience = Rc::<Cell<Patience>>::default();
        let caller = Caller {
            attempt,
            patience: Rc::clone(&patience),
            answers: Rc::clone(&self.answers),
        };
        self.say(|| format!("   attempt {attempt}: to {stream}, {request:?}"));
        let (life, runtime) = (self.life(), self.runtime().clone());
        let task = match (request, self.is_other_program) {
            (Some(request), false) => life.spawn(execute::<Account>(runtime, stream, request, caller)),
            (Some(request), true) => life.spawn(execute::<OtherAccount>(runtime, stream, request, caller)),
            (None, false) => life.spawn(query::<Account>(runtime, stream, caller)),
            (None, true) => life.spawn(query::<OtherAccount>(runtime, stream, caller)),
        };
        self.callers.push((attempt, task, patience));
        self.done.sent += 1;
    }

    fn lose_patience(&mut self, choice: u64, how: Patience) {
        if self.callers.is_empty() {
            return;
        }
        let place = choice as usize % self.callers.len();
        let (attempt, task, patience) = self.callers[place].clone();
        let is_query = self.judge.attempts[attempt].request.is_none();
        let how = if is_query { Patience::Leaves } else { how };
        patience.set(how);
        self.judge.attempts[attempt].patience = how;
        self.life().wake(task);
        self.life().step(Step::Turn(task));
        self.gone.push(attempt);
        if how == Patience::Leaves {
            self.callers.remove(place);
            self.judge.attempts[attempt].standing = Standing::Unknown;
        }
        self.say(|| format!("   attempt {attempt}: {how:?}"));
    }

    fn is_stopped(&self) -> bool {
        matches!(self.runtime().health(), Health::Stopped { .. })
    }

    fn reopen(&mut self) -> Result<(), Violation> {
        self.count_stop()?;
        self.reopened += 1;
        let reopened = self.runtime().store().reopen();
        reopened.map_err(|error| Violation::new("P11", format!("it does not reopen: {error}")))?;
        self.judge.truth.read_again(self.runtime().store())
    }

    /// A store stops for a reason only.
    fn count_stop(&mut self) -> Result<(), Violation> {
        self.stops += u64::from(self.is_stopped());
        if self.stops <= self.faults {
            return Ok(());
        }
        Err(Violation::new(
            "P11",
            format!("stopped by itself: {:?}", self.runtime().health()),
        ))
    }

    fn crash(&mut self, choices: [u64; 4]) -> Result<(), Violation> {
        self.disk.keep_unsynced(choices[1].is_multiple_of(2));
        self.count_stop()?;
        self.disk.crash();
        if choices[2].is_multiple_of(8) {
            self.life = None;
            self.disk.delete_derived();
        }
        self.begin_again(choices[0])
    }

    fn begin_again(&mut self, choice: u64) -> Result<(), Violation> {
        self.count();
        self.life = None;
        self.callers.clear();
        self.gone.clear();
        self.answers.borrow_mut().clear();
        self.judge.crashed();
        if choice.is_multiple_of(3) {
            self.is_other_program = !self.is_other_program;
        }
        self.open();
        self.judge.truth.read_again(self.runtime().store())
    }

    fn count(&mut self) {
        let Some(life) = &self.life else { return };
        let statistics = life.runtime().statistics();
        self.done.runs += statistics.store.runs_indexed;
        self.done.snapshots += statistics.snapshots_written;
        self.done.evicted += statistics.passivated_idle + statistics.passivated_memory;
        self.done.looked_up += statistics.id_look_ups;
        self.done.replayed += statistics.replayed;
        self.done.commits += statistics.committed;
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
