//! The aggregate of these tests: folding its events can be held up by a gate, or made slow or heavy.

use std::collections::HashSet;
use std::sync::Mutex;
use std::time::Duration;

use dormouse_domain::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::{Builder, Dormouse};
use serde::{Deserialize, Serialize};

use crate::bank::Account;

static CLOSED: Mutex<Option<HashSet<u64>>> = Mutex::new(None);

pub(super) fn close(gate: u64) {
    CLOSED.lock().unwrap().get_or_insert_default().insert(gate);
}

pub(super) fn open(gate: u64) {
    CLOSED.lock().unwrap().get_or_insert_default().remove(&gate);
}

fn closed(gate: u64) -> bool {
    CLOSED.lock().unwrap().as_ref().is_some_and(|c| c.contains(&gate))
}

#[derive(Default, Serialize, Deserialize)]
pub(super) struct Odd {
    bytes: Vec<u8>,
    n: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
pub(super) enum OddEvent {
    Touched { gate: u64 },
    Grown { bytes: Vec<u8> },
    Slow { gate: u64 },
}

impl Aggregate for Odd {
    const TYPE: &'static str = "odd";
    type Event = OddEvent;
    type Error = Never;
    fn apply(&mut self, e: &OddEvent) {
        self.n += 1;
        match e {
            OddEvent::Touched { gate } => {
                while closed(*gate) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            OddEvent::Grown { bytes } => self.bytes.extend_from_slice(bytes),
            OddEvent::Slow { gate } => {
                if closed(*gate) {
                    std::thread::sleep(Duration::from_millis(3));
                }
            }
        }
    }
}

#[derive(Clone, Serialize, Deserialize, Command)]
pub(super) struct Touch {
    pub(super) gate: u64,
}

impl Handle<Touch> for Odd {
    fn handle(&self, c: Touch, _: &CommandContext<'_>) -> Decided<Self, Touch> {
        Ok(Decision::event(OddEvent::Touched { gate: c.gate }))
    }
}

#[derive(Clone, Serialize, Deserialize, Command)]
pub(super) struct Grow {
    pub(super) n: usize,
}

impl Handle<Grow> for Odd {
    fn handle(&self, c: Grow, _: &CommandContext<'_>) -> Decided<Self, Grow> {
        Ok(Decision::event(OddEvent::Grown { bytes: vec![7; c.n] }))
    }
}

#[derive(Clone, Serialize, Deserialize, Command)]
pub(super) struct Slow {
    pub(super) gate: u64,
    pub(super) n: u64,
}

impl Handle<Slow> for Odd {
    fn handle(&self, c: Slow, _: &CommandContext<'_>) -> Decided<Self, Slow> {
        Ok(Decision::events(
            (0..c.n).map(|_| OddEvent::Slow { gate: c.gate }),
        ))
    }
}

pub(super) async fn odd_bank(
    disk: &MemoryDisk,
    options: StoreOptions,
    more: impl FnOnce(Builder) -> Builder,
) -> Dormouse {
    let store = Store::on_memory(disk, options).unwrap();
    more(
        Dormouse::builder(store)
            .aggregate::<Account>()
            .aggregate::<Odd>()
            .arbiters(1)
            .readers(1),
    )
    .start()
    .await
    .unwrap()
}

/// Far longer than anything takes: a test that waits so long has found a hang.
pub(super) const HANG: Duration = Duration::from_secs(60);
