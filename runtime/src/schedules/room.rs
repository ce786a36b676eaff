//! Whoever waits for room in a full runtime is woken when something has ended.

use std::sync::{Arc, Weak};

use dormouse_domain::{AggregateId, AggregateType};
use dormouse_persistence::sync::{explore, thread};
use shuttle::future::block_on;

use crate::residency::{Evicts, Gauges, Keeper, Residency};

const CLIENTS: usize = 3;
const TURNS: usize = 2;

struct Nobody;

impl Evicts for Nobody {
    fn evict(&self, _: &Residency) -> bool {
        false
    }
}

/// Clients of two aggregates; the runtime takes one command, or each mailbox does.
fn wait_for_room(mailbox: usize, runtime: usize) {
    let gauges = Arc::<Gauges>::default();
    let residents: Vec<Arc<Residency>> = ["a", "b"]
        .map(|id| {
            let evicts: Weak<dyn Evicts> = Weak::<Nobody>::new();
            let keeper = Keeper {
                aggregate_type: AggregateType::from_static("t"),
                evicts,
                gauges: Arc::clone(&gauges),
            };
            Residency::new(AggregateId::try_from(id).unwrap(), keeper.into(), 0)
        })
        .into();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let (gauges, residency) = (Arc::clone(&gauges), Arc::clone(&residents[client % 2]));
            thread::spawn(move || {
                for _ in 0..TURNS {
                    // as `Sending` waits
                    let charge = loop {
                        match residency.charge(mailbox, runtime) {
                            Ok(charge) => break charge,
                            Err(_) => {
                                block_on(gauges.ended());
                                // between its two counts another's command is seen by the mailbox only
                                thread::yield_now();
                            }
                        }
                    };
                    thread::yield_now();
                    drop(charge);
                }
            })
        })
        .collect();
    for client in clients {
        client.join().unwrap();
    }
    assert_eq!(gauges.in_flight(), 0);
}

#[test]
fn a_full_runtime_wakes_those_who_wait() {
    explore("a full runtime wakes those who wait", || wait_for_room(10, 1));
}

#[test]
fn a_full_mailbox_wakes_those_who_wait() {
    explore("a full mailbox wakes those who wait", || wait_for_room(1, 10));
}

#[test]
fn the_last_actor_ends_the_shutdown() {
    explore("the last actor ends the shutdown", || {
        let gauges = Arc::<Gauges>::default();
        let actors = [0, 1].map(|_| {
            gauges.actor_started();
            let gauges = Arc::clone(&gauges);
            thread::spawn(move || gauges.actor_gone())
        });
        block_on(gauges.all_gone());
        for actor in actors {
            actor.join().unwrap();
        }
    });
}
