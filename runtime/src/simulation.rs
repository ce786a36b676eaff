//! A runtime without threads, for tests: whoever holds it decides who does the next step.
//!
//! Everything that decides is the runtime's own: directory, actors, parking, activation, residents, and below them the
//! store's journal, tail and index. Replaced are only those who run it: the arbiter's executor, the readers, the writer of
//! snapshots, the sweeper, and the store's two threads.

mod arbiter;

use std::cell::{Cell, RefCell};
use std::fmt;

use dormouse_persistence::Steps;

pub(crate) use self::arbiter::Arbiter;
pub use self::arbiter::TaskId;
use crate::dormouse::Dormouse;
use crate::readers::Job;

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// A task of the arbiter gets its turn: an entity, a client, one of the arbiter's own.
    Turn(TaskId),
    /// A reader does what it has in hand, by its place.
    Read(usize),
    /// The journal makes a batch durable.
    Journal,
    /// The indexer turns the oldest part of the tail into a run.
    Index,
    /// A snapshot is written.
    Snapshot,
    /// The sweeper makes the room that was asked for.
    MakeRoom,
}

/// A runtime that was started by [`Builder::simulate`](crate::Builder::simulate). Dropping it is a crash, of the process at
/// least: of the machine, if the disk was told so before.
///
/// One a thread: the arbiter's entities know each other by the thread they are on.
pub struct Simulation {
    runtime: Dormouse,
    arbiter: Arbiter,
    steps: Steps,
    /// Jobs that the readers have taken: they end in any order.
    in_hand: RefCell<Vec<Job>>,
    readers: usize,
    room_wanted: Cell<bool>,
}

impl Simulation {
    pub(crate) fn new(runtime: Dormouse, arbiter: Arbiter, steps: Steps, readers: usize) -> Self {
        Self {
            runtime,
            arbiter,
            steps,
            in_hand: RefCell::default(),
            readers,
            room_wanted: Cell::new(false),
        }
    }

    /// The runtime: everything of it that needs no executor may be called at any time.
    #[must_use]
    pub fn runtime(&self) -> &Dormouse {
        &self.runtime
    }

    /// Has a client's future run beside the entities. It gets its first turn here: what it sends is sent on return.
    pub fn spawn(&self, client: impl Future<Output = ()> + 'static) -> TaskId {
        let task = self.arbiter.spawn(Box::pin(client));
        self.arbiter.turn(task);
        task
    }

    /// Has a task look again, whether or not anything woke it.
    pub fn wake(&self, task: TaskId) {
        self.arbiter.wake(task);
    }

    /// Everything that can happen next. None: all is done that was begun.
    pub fn possible(&self, steps: &mut Vec<Step>) {
        steps.clear();
        let shared = self.runtime.shared();
        let mut in_hand = self.in_hand.borrow_mut();
        while in_hand.len() < self.readers
            && let Some(job) = shared.readers.take()
        {
            in_hand.push(job);
        }
        self.arbiter.ready(|task| steps.push(Step::Turn(task)));
        steps.extend((0..in_hand.len()).map(Step::Read));
        if shared.nudge.take_wish() {
            self.room_wanted.set(true);
        }
        let others = [
            (self.steps.has_batch(), Step::Journal),
            (self.steps.has_run(), Step::Index),
            (shared.snapshots.waiting() > 0, Step::Snapshot),
            (self.room_wanted.get(), Step::MakeRoom),
        ];
        steps.extend(
            others
                .into_iter()
                .filter(|(is_possible, _)| *is_possible)
                .map(|(_, step)| step),
        );
    }

    /// Does a step that is possible. A journal that waits for the indexer does nothing.
    pub fn step(&self, step: Step) {
        match step {
            Step::Turn(task) => self.arbiter.turn(task),
            Step::Read(place) => {
                // outside the borrow: a job may order another
                let job = self.in_hand.borrow_mut().swap_remove(place);
                job();
            }
            Step::Journal => drop(self.steps.journal()),
            Step::Index => drop(self.steps.index()),
            Step::Snapshot => drop(self.runtime.shared().snapshots.step()),
            Step::MakeRoom => {
                self.room_wanted.set(false);
                self.make_room();
            }
        }
    }

    /// What the sweeper does when memory is short.
    pub fn make_room(&self) {
        self.runtime.shared().make_room();
    }
}

impl Drop for Simulation {
    /// The arbiter's entities and clients end before the runtime does, as they do with a process.
    fn drop(&mut self) {
        self.arbiter.end();
        self.in_hand.borrow_mut().clear();
    }
}

impl fmt::Debug for Simulation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Simulation").finish_non_exhaustive()
    }
}
