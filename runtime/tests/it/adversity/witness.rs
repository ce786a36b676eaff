//! An aggregate by whose state a test sees whether its actor lives.

use std::sync::atomic::{AtomicI64, Ordering};

use dormouse_domain::{Aggregate, Event, Never};
use serde::{Deserialize, Serialize};

static ALIVE: AtomicI64 = AtomicI64::new(0);

#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Witness {
    #[serde(skip)]
    _life: Life,
}

impl Witness {
    pub(super) fn lives() -> bool {
        ALIVE.load(Ordering::SeqCst) > 0
    }
}

#[derive(Debug)]
struct Life;

impl Default for Life {
    fn default() -> Self {
        ALIVE.fetch_add(1, Ordering::SeqCst);
        Self
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        ALIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// None ever happens.
#[derive(Debug, Serialize, Deserialize, Event)]
pub(super) enum Seen {
    Seen,
}

impl Aggregate for Witness {
    const TYPE: &'static str = "witness";
    type Event = Seen;
    type Error = Never;

    fn apply(&mut self, _: &Seen) {}
}
