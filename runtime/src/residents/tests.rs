//! Who leaves and who stays, by one thread.

use std::collections::HashSet;

use super::ghosts::GHOSTS_MIN;
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
    let candidate = house.residents.queues.lock().candidate().expect("all may go");
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
    assert_eq!(queues.ghosts.sizes(), (GHOSTS_MIN, GHOSTS_MIN));
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
