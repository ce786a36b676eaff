//! Who stays when memory is short (P14): S3-FIFO over all residents.
//!
//! Two queues in order of arrival: newcomers pass through a small one and are evicted from it unless they were used
//! again, so that a scan over many ids can't flush the ones that are used; what was used again, or comes back soon after
//! an eviction, lives in the main one. A use costs one relaxed store, no lock. After Yang, Zhang, Qiu, Yue and
//! Vinayak, "FIFO queues are all you need for cache eviction", SOSP 2023.

mod line;

use std::collections::{HashSet, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use self::line::Line;
use crate::residency::{Gauges, Residency};
use crate::sync::Mutex;
use crate::sync::atomic::Ordering;

/// The small queue's share of all residents.
const SMALL_SHARE: usize = 10;
/// Ids remembered after their eviction, at least.
const GHOSTS_MIN: usize = 1_024;
/// Residents looked at under the lock at once by a sweep.
const SWEEP_STEP: usize = 4_096;
/// Residents that an operator's look takes under the lock at once: some ten microseconds.
const LOOK_STEP: usize = 256;
/// Residents tried in one attempt to make room before giving up: all may be busy.
const TRIES_MAX: usize = 1_024;

#[derive(Default)]
struct Queues {
    small: Line,
    main: Line,
    ghosts: VecDeque<u64>,
    ghost_set: HashSet<u64>,
}

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
        let mut queues = self.queues.lock();
        if queues.ghost_set.remove(&ghost) {
            queues.main.push_back(resident);
        } else {
            queues.small.push_back(resident);
        }
    }

    /// Evicts until the budget holds or nobody can go. Returns how many went.
    pub(crate) fn make_room(&self) -> usize {
        let mut evicted = 0;
        for _ in 0..TRIES_MAX {
            if !self.over_budget() {
                break;
            }
            let Some(candidate) = self.candidate() else { break };
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

    /// The least valuable one, out of its queue.
    fn candidate(&self) -> Option<Arc<Residency>> {
        let mut queues = self.queues.lock();
        let rounds = 2 * (queues.small.len() + queues.main.len()) + 2;
        for _ in 0..rounds {
            let residents = queues.small.len() + queues.main.len();
            // true, too, while the main queue is empty
            if queues.small.len() * SMALL_SHARE > residents {
                let newcomer = queues.small.pop_front()?;
                // its first command is what brought it here
                if newcomer.frequency() <= 1 || newcomer.is_gone() {
                    return Some(newcomer);
                }
                queues.main.push_back(newcomer);
            } else {
                let settled = queues.main.pop_front()?;
                if settled.frequency() == 0 || settled.is_gone() {
                    return Some(settled);
                }
                settled.cool();
                queues.main.push_back(settled);
            }
        }
        queues.main.pop_front()
    }

    fn remember(&self, evicted: &Residency) {
        let ghost = self.hasher.hash_one(&evicted.id);
        let mut queues = self.queues.lock();
        let bound = (queues.small.len() + queues.main.len()).max(GHOSTS_MIN);
        if queues.ghost_set.insert(ghost) {
            queues.ghosts.push_back(ghost);
        }
        while queues.ghosts.len() > bound {
            if let Some(oldest) = queues.ghosts.pop_front() {
                queues.ghost_set.remove(&oldest);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::residency::{Evicts, Keeper};
    use dormouse_domain::{AggregateId, AggregateType};

    struct LetsGo;

    impl Evicts for LetsGo {
        fn evict(&self, residency: &Residency) -> bool {
            let free = residency.in_flight() == 0;
            if free {
                residency.leave();
            }
            free
        }
    }

    struct House {
        residents: Residents,
        gauges: Arc<Gauges>,
        keeper: Arc<Keeper>,
        _owner: Arc<dyn Evicts>,
    }

    impl House {
        fn for_residents(count: usize) -> Self {
            let gauges = Arc::new(Gauges::default());
            let residents = Residents::new(Arc::clone(&gauges), count * 100);
            let owner: Arc<dyn Evicts> = Arc::new(LetsGo);
            let keeper = Arc::new(Keeper {
                aggregate_type: AggregateType::from_static("guest"),
                evicts: Arc::downgrade(&owner),
                gauges: Arc::clone(&gauges),
            });
            Self {
                residents,
                gauges,
                keeper,
                _owner: owner,
            }
        }

        fn enter(&self, id: &str) -> Arc<Residency> {
            let id = AggregateId::try_from(id).expect("a valid id");
            let resident = Residency::new(id, Arc::clone(&self.keeper), 0);
            resident.touch(0);
            resident.weigh(100);
            self.residents.add(Arc::clone(&resident));
            self.residents.make_room();
            resident
        }
    }

    #[test]
    fn the_budget_holds() {
        let house = House::for_residents(10);
        for n in 0..1_000 {
            house.enter(&format!("id-{n}"));
            assert!(house.gauges.resident_bytes.load(Ordering::Relaxed) <= 1_000);
        }
        assert_eq!(house.gauges.residents.load(Ordering::Relaxed), 10);
    }

    #[test]
    fn a_scan_does_not_flush_what_is_used() {
        let house = House::for_residents(100);
        let used: Vec<_> = (0..50).map(|n| house.enter(&format!("used-{n}"))).collect();
        for resident in &used {
            resident.touch(1);
            resident.touch(1);
        }
        for n in 0..5_000 {
            house.enter(&format!("scan-{n}"));
            if n % 50 == 0 {
                used.iter().for_each(|resident| resident.touch(2));
            }
        }
        let kept = used.iter().filter(|resident| !resident.is_gone()).count();
        assert_eq!(kept, 50, "a scan of 5,000 pushed out {} of 50", 50 - kept);
    }

    #[test]
    fn what_is_in_flight_is_never_evicted() {
        let house = House::for_residents(2);
        let busy = house.enter("busy");
        let charge = busy.charge(10, 10).expect("room");
        for n in 0..100 {
            house.enter(&format!("id-{n}"));
        }
        assert!(!busy.is_gone());
        drop(charge);
        house.residents.sweep_idle(1);
        assert!(busy.is_gone(), "once it is free it may go");
    }

    /// Whatever leaves, moves or comes between two steps of a look: who stays is shown.
    #[test]
    fn a_look_skips_nobody() {
        let house = House::for_residents(10 * LOOK_STEP);
        let all: Vec<_> = (0..6 * LOOK_STEP)
            .map(|n| house.enter(&format!("id-{n:05}")))
            .collect();
        // every third one leaves during the look, from the front as the budget has it and from the middle as the sweep does
        let leaving: HashSet<_> = (0..all.len()).step_by(3).collect();
        let (mut shown, mut looked) = (HashSet::new(), 0);
        house.residents.visit(|resident| {
            shown.insert(resident.id.clone());
            looked += 1;
            if looked % LOOK_STEP == 0 {
                let piece = looked / LOOK_STEP - 1;
                for n in leaving.iter().filter(|n| **n % 6 == piece) {
                    all[*n].leave();
                }
                house.residents.sweep_idle(0);
                for _ in 0..LOOK_STEP / 4 {
                    let mut queues = house.residents.queues.lock();
                    let moved = queues.small.pop_front().expect("most stay");
                    queues.main.push_back(moved);
                }
            }
        });
        for (n, resident) in all.iter().enumerate() {
            assert!(
                leaving.contains(&n) || shown.contains(&resident.id),
                "{n} was skipped"
            );
        }
        assert!(looked <= 3 * all.len(), "{looked} looks at {}", all.len());
    }

    /// Each that is shown goes to the end of the line it came from.
    #[test]
    fn a_look_ends_while_everybody_moves() {
        const RESIDENTS: usize = 2 * LOOK_STEP;
        let house = House::for_residents(RESIDENTS);
        (0..RESIDENTS).for_each(|n| drop(house.enter(&format!("id-{n}"))));
        let (mut looked, most) = (0, 2 * RESIDENTS + LOOK_STEP);
        house.residents.visit(|_| {
            looked += 1;
            assert!(looked <= most, "it goes on for ever");
            let mut queues = house.residents.queues.lock();
            let moved = queues.small.pop_front().expect("nobody leaves");
            queues.small.push_back(moved);
        });
        assert_eq!(looked, most);
    }

    #[test]
    fn idle_ones_leave_and_used_ones_stay() {
        let house = House::for_residents(10);
        let idle = house.enter("idle");
        let used = house.enter("used");
        used.touch(500);
        assert_eq!(house.residents.sweep_idle(400), 1);
        assert!(idle.is_gone() && !used.is_gone());
        assert_eq!(
            house.residents.queues.lock().small.len(),
            1,
            "who is gone is let go"
        );
    }

    #[test]
    fn the_least_used_of_all_goes_wherever_it_stands() {
        let house = House::for_residents(100);
        let all: Vec<_> = (0..11).map(|n| house.enter(&format!("id-{n}"))).collect();
        all.iter().for_each(|resident| resident.touch(1));
        let mut queues = house.residents.queues.lock();
        while let Some(settled) = queues.small.pop_front() {
            queues.main.push_back(settled);
        }
        drop(queues);
        all[10].cool();
        let candidate = house.residents.candidate().expect("all may go");
        assert!(Arc::ptr_eq(&candidate, &all[10]), "{candidate:?}");
    }

    #[test]
    fn what_comes_back_soon_after_its_eviction_is_no_newcomer() {
        let house = House::for_residents(10);
        let early = house.enter("early");
        (0..100).for_each(|n| drop(house.enter(&format!("id-{n}"))));
        assert!(early.is_gone());
        let again = house.enter("early");
        (100..109).for_each(|n| drop(house.enter(&format!("id-{n}"))));
        assert!(!again.is_gone(), "newcomers leave before it");
    }

    #[test]
    fn the_memory_of_who_was_evicted_is_bounded() {
        let house = House::for_residents(100);
        let used: Vec<_> = (0..60).map(|n| house.enter(&format!("used-{n}"))).collect();
        for resident in &used {
            resident.touch(1);
            resident.touch(1);
        }
        for n in 0..2 * GHOSTS_MIN {
            house.enter(&format!("scan-{n}"));
        }
        let queues = house.residents.queues.lock();
        assert!(queues.main.len() > queues.small.len() && queues.small.len() > 30);
        assert_eq!(
            (queues.ghosts.len(), queues.ghost_set.len()),
            (GHOSTS_MIN, GHOSTS_MIN)
        );
    }

    #[test]
    fn who_joins_after_all_left_is_not_skipped() {
        let house = House::for_residents(10);
        (0..3).for_each(|n| drop(house.enter(&format!("id-{n}"))));
        let next = house.residents.queues.lock().small.number(2);
        assert_eq!(house.residents.drain().len(), 3);
        house.enter("late");
        assert_eq!(house.residents.queues.lock().small.place(next), 0);
    }
}
