//! Who stays when memory is short (P14): the budget, and whoever leaves for it, least valuable first ([`Queues`]).
//!
//! A use costs one relaxed store, no lock.

mod ghosts;
mod line;
mod queues;

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use self::line::Line;
use self::queues::Queues;
use crate::residency::{Gauges, Residency};
use crate::sync::Mutex;
use crate::sync::atomic::Ordering;

/// Residents looked at under the lock at once by a sweep.
const SWEEP_STEP: usize = 4_096;
/// Residents that an operator's look takes under the lock at once: some ten microseconds.
const LOOK_STEP: usize = 256;
/// Residents tried in one attempt to make room before giving up: all may be busy.
const TRIES_MAX: usize = 1_024;

pub(crate) struct Residents {
    queues: Mutex<Queues>,
    gauges: Arc<Gauges>,
    budget_bytes: usize,
    hasher: RandomState,
}

impl Residents {
    pub(crate) fn new(gauges: Arc<Gauges>, budget_bytes: usize) -> Self {
        Self {
            queues: Mutex::default(),
            gauges,
            budget_bytes,
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn budget_bytes(&self) -> usize {
        self.budget_bytes
    }

    pub(crate) fn over_budget(&self) -> bool {
        self.gauges.resident_bytes.load(Ordering::Relaxed) > self.budget_bytes
    }

    /// A new resident joins.
    pub(crate) fn add(&self, resident: Arc<Residency>) {
        let ghost = self.hasher.hash_one(&resident.id);
        self.queues.lock().add(resident, ghost);
    }

    /// Evicts until the budget holds or nobody can go. Returns how many went.
    pub(crate) fn make_room(&self) -> usize {
        let mut evicted = 0;
        for _ in 0..TRIES_MAX {
            if !self.over_budget() {
                break;
            }
            let Some(candidate) = self.queues.lock().candidate() else {
                break;
            };
            if candidate.is_gone() {
                continue;
            }
            if candidate.try_evict() {
                evicted += 1;
                self.remember(&candidate);
            } else {
                self.queues.lock().main.push_back(candidate);
            }
        }
        evicted
    }

    /// Evicts those that saw no command since `before_ms`. Returns how many went.
    pub(crate) fn sweep_idle(&self, before_ms: u64) -> usize {
        let mut evicted = 0;
        for pick in [
            (|queues| &mut queues.small) as fn(&mut Queues) -> &mut Line,
            |queues| &mut queues.main,
        ] {
            let mut from = 0;
            loop {
                let idle: Vec<Arc<Residency>> = {
                    let mut queues = self.queues.lock();
                    let queue = pick(&mut queues);
                    if from >= queue.len() {
                        break;
                    }
                    let step = queue.range(from, SWEEP_STEP);
                    step.filter(|r| !r.is_gone() && r.used_ms() < before_ms && r.in_flight() == 0)
                        .cloned()
                        .collect()
                };
                evicted += idle.iter().filter(|resident| resident.try_evict()).count();
                from += SWEEP_STEP;
            }
            pick(&mut self.queues.lock()).retain(|resident| !resident.is_gone());
        }
        evicted
    }

    /// Shows every resident, in steps between which the lock is free. One that moves meanwhile may be shown twice.
    pub(crate) fn visit(&self, mut visit: impl FnMut(&Arc<Residency>)) {
        let mut step = Vec::with_capacity(LOOK_STEP);
        for pick in [|queues| &queues.small, |queues| &queues.main] as [fn(&Queues) -> &Line; 2] {
            let mut next = 0;
            // whoever is moved to the end again and again is not waited for
            let mut left = 2 * pick(&self.queues.lock()).len() + LOOK_STEP;
            loop {
                {
                    let queues = self.queues.lock();
                    let line = pick(&queues);
                    let from = line.place(next);
                    step.extend(line.range(from, LOOK_STEP.min(left)).cloned());
                    next = line.number(from + step.len());
                }
                if step.is_empty() {
                    break;
                }
                left -= step.len();
                step.drain(..).for_each(|resident| visit(&resident));
            }
        }
    }

    /// All residents, for a shutdown.
    pub(crate) fn drain(&self) -> Vec<Arc<Residency>> {
        let mut queues = self.queues.lock();
        let Queues { small, main, .. } = &mut *queues;
        small.drain().chain(main.drain()).collect()
    }

    fn remember(&self, evicted: &Residency) {
        let ghost = self.hasher.hash_one(&evicted.id);
        self.queues.lock().remember(ghost);
    }
}

#[cfg(test)]
mod tests;
