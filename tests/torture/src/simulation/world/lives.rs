//! How a world's store and runtime begin, stop and begin again.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dormouse::{Dormouse, Health, Store, StoreOptions};
use dormouse_persistence::Steps;

use super::super::account::{Account, OtherAccount};
use super::super::plan::GENERATION_BYTES;
use super::{DEADLINE, IDLE, World};
use crate::random::Random;
use crate::violation::Violation;

impl World<'_> {
    pub(super) fn open(&mut self) {
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

    pub(super) fn is_stopped(&self) -> bool {
        matches!(self.runtime().health(), Health::Stopped { .. })
    }

    pub(super) fn reopen(&mut self) -> Result<(), Violation> {
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

    pub(super) fn crash(&mut self, choices: [u64; 4]) -> Result<(), Violation> {
        self.disk.keep_unsynced(choices[1].is_multiple_of(2));
        self.count_stop()?;
        self.disk.crash();
        if choices[2].is_multiple_of(8) {
            self.life = None;
            self.disk.delete_derived();
        }
        self.begin_again(choices[0])
    }

    pub(super) fn begin_again(&mut self, choice: u64) -> Result<(), Violation> {
        self.count();
        self.life = None;
        self.callers.clear();
        self.gone.clear();
        self.answers.borrow_mut().clear();
        self.judge.crashed();
        if choice.is_multiple_of(3) {
            self.is_other_program = !self.is_other_program;
        }
        // Another size than before: what was not indexed is cut into other runs.
        let sizes = GENERATION_BYTES.len() as u64;
        self.configuration.generation_bytes = GENERATION_BYTES[(choice / 3 % sizes) as usize];
        self.open();
        self.judge.truth.read_again(self.runtime().store())
    }

    pub(super) fn count(&mut self) {
        let Some(life) = &self.life else { return };
        let statistics = life.runtime().statistics();
        self.done.runs += statistics.store.runs_indexed;
        self.done.snapshots += statistics.snapshots_written;
        self.done.evicted += statistics.passivated_idle + statistics.passivated_memory;
        self.done.looked_up += statistics.id_look_ups;
        self.done.replayed += statistics.replayed;
        self.done.commits += statistics.committed;
    }
}
