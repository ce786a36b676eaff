//! Pages that take long to make hold up nobody: one thread answers all requests, health checks among them.

use std::collections::BTreeMap;
use std::thread;
use std::time::{Duration, Instant};

use dormouse_domain::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use dormouse_ops::Ops;
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};

use crate::client::{get, open};

/// As JSON just below what the console compares.
const SEATS: u32 = 45_000;
/// What an orchestrator's probe waits, give or take a busy machine.
const PROBE_TIME: Duration = Duration::from_secs(3);

#[derive(Default, Serialize, Deserialize)]
struct Hall {
    seats: BTreeMap<String, u8>,
}

#[derive(Serialize, Deserialize, Event)]
enum Changed {
    Opened { seats: u32 },
    Sold { seat: u32 },
}

#[derive(Serialize, Deserialize, Command)]
struct Change {
    sold: bool,
}

impl Aggregate for Hall {
    const TYPE: &'static str = "hall";
    type Event = Changed;
    type Error = Never;

    fn apply(&mut self, event: &Changed) {
        match event {
            Changed::Opened { seats } => {
                self.seats = (0..*seats).map(|seat| (format!("{seat:05}"), 0)).collect();
            }
            Changed::Sold { seat } => drop(self.seats.insert(format!("{seat:05}"), 1)),
        }
    }
}

impl Handle<Change> for Hall {
    fn handle(&self, change: Change, _: &CommandContext<'_>) -> Decided<Self, Change> {
        Ok(Decision::event(match change.sold {
            true => Changed::Sold { seat: SEATS / 2 },
            false => Changed::Opened { seats: SEATS },
        }))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_of_many_fields_holds_up_nobody() {
    let ops = open();
    let runtime = Dormouse::builder(Store::in_memory()).aggregate::<Hall>();
    let runtime = runtime.start().await.unwrap();
    ops.attach(&runtime);
    let hall = runtime.entity::<Hall>("great").unwrap();
    for sold in [false, true] {
        hall.execute(Change { sold }).await.unwrap();
    }
    let page = thread::spawn({
        let ops = ops.clone();
        move || get(&ops, "/aggregate?type=hall&id=great", &[])
    });
    let longest = longest_probe(&ops, || page.is_finished());
    let page = page.join().unwrap();
    assert_eq!(page.status, 200);
    assert!(page.body.contains("22500"), "{page:?}");
    assert!(longest < PROBE_TIME, "/health/live took {longest:?}");
    ops.stop().await;
}

fn longest_probe(ops: &Ops, is_over: impl Fn() -> bool) -> Duration {
    let mut longest = Duration::ZERO;
    while !is_over() {
        let start = Instant::now();
        assert_eq!(get(ops, "/health/live", &[]).status, 200);
        longest = longest.max(start.elapsed());
    }
    longest
}
