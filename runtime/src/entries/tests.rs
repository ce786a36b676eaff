//! Sending, by one thread. How it meets evictions is explored in `schedules.rs`.

use std::collections::HashSet;
use std::sync::Weak;
use std::sync::atomic::{AtomicU32, Ordering};

use dormouse_domain::AggregateType;

use super::*;
use crate::residency::{Evicts, Keeper};

struct Letter(Option<Charge>);

impl Charged for Letter {
    fn carry(&mut self, charge: Charge) {
        self.0 = Some(charge);
    }
}

/// Takes nothing once its reader is dead.
struct Mailbox {
    is_dead: bool,
}

impl super::Mailbox<Letter> for Mailbox {
    fn put(&self, letter: Letter) -> Result<(), Letter> {
        if self.is_dead { Err(letter) } else { Ok(()) }
    }
}

struct Nobody;

impl Evicts for Nobody {
    fn evict(&self, _: &Residency) -> bool {
        false
    }
}

fn id(name: &str) -> AggregateId {
    AggregateId::try_from(name).unwrap()
}

#[test]
fn an_entity_that_died_is_buried_and_the_next_attempt_wakes_the_aggregate_anew() {
    let (entries, gauges, woken) = (Entries::new(), Arc::<Gauges>::default(), AtomicU32::new(0));
    let bounds = Bounds {
        gauges: &gauges,
        mailbox: 8,
        runtime: 8,
    };
    let wake = |_: &Letter| {
        let keeper = Keeper {
            aggregate_type: AggregateType::from_static("guest"),
            evicts: Weak::<Nobody>::new(),
            gauges: Arc::clone(&gauges),
        };
        Entry {
            mailbox: Mailbox {
                is_dead: woken.fetch_add(1, Ordering::Relaxed) == 0,
            },
            residency: Residency::new(id("a"), Arc::new(keeper), 0),
        }
    };
    assert_eq!(entries.len(), 0);
    let sent = entries.send(&id("a"), Letter(None), &bounds, || 0, wake);
    let Err(Unsent::Died(letter)) = sent else {
        panic!("nobody reads that mailbox")
    };
    for _ in 0..2 {
        assert!(entries.send(&id("a"), Letter(None), &bounds, || 0, wake).is_ok());
    }
    assert_eq!(entries.len(), 1);
    assert!(entries.find(&id("a")).is_some() && entries.find(&id("b")).is_none());
    assert_eq!(woken.load(Ordering::Relaxed), 2);
    drop(letter);
    assert_eq!(gauges.in_flight(), 0);
}

/// An id's hash fixes its arbiter.
#[test]
fn ids_have_hashes_of_their_own() {
    let entries = Entries::<Mailbox>::new();
    let hashes: HashSet<u64> = (0..100).map(|n| entries.hash(&id(&format!("acc-{n}")))).collect();
    assert_eq!(hashes.len(), 100);
    assert_eq!(entries.hash(&id("a")), entries.hash(&id("a")));
}
