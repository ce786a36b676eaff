//! The handles of one command type's metrics, looked up once a thread.

use std::any::TypeId;
use std::cell::RefCell;
use std::time::Duration;

use dormouse_domain::{Aggregate, Command};
use metrics::{Counter, Histogram};

use crate::metric_names::{COMMANDS, HANDLING_SECONDS};
use crate::type_map::TypeMap;

thread_local! {
    static KNOWN: RefCell<TypeMap<(TypeId, TypeId), CommandMetrics>> = RefCell::default();
}

/// How a turn is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    Committed,
    Replied,
    Replayed,
    Refused,
    NotDone,
}

pub(crate) struct CommandMetrics {
    committed: Counter,
    replied: Counter,
    replayed: Counter,
    refused: Counter,
    not_done: Counter,
    handling: Histogram,
}

impl CommandMetrics {
    /// Uses the handles of `C` on `A`. A recorder must be installed before the runtime starts: handles made earlier
    /// record nothing for ever.
    pub(crate) fn of<A: Aggregate, C: Command>(record: impl FnOnce(&Self)) {
        KNOWN.with_borrow_mut(|known| {
            let key = (TypeId::of::<A>(), TypeId::of::<C>());
            record(known.entry(key).or_insert_with(|| Self::new(A::TYPE, C::NAME)));
        });
    }

    fn new(aggregate: &'static str, command: &'static str) -> Self {
        let counter = |outcome: &'static str| metrics::counter!(COMMANDS, "aggregate" => aggregate, "command" => command, "outcome" => outcome);
        Self {
            committed: counter("committed"),
            replied: counter("replied"),
            replayed: counter("replayed"),
            refused: counter("refused"),
            not_done: counter("not_done"),
            handling: metrics::histogram!(HANDLING_SECONDS, "aggregate" => aggregate, "command" => command),
        }
    }

    /// A command that was handled.
    pub(crate) fn handled(&self, counted: Counted, took: Duration) {
        self.count(counted);
        self.handling.record(took.as_secs_f64());
    }

    pub(crate) fn count(&self, counted: Counted) {
        match counted {
            Counted::Committed => &self.committed,
            Counted::Replied => &self.replied,
            Counted::Replayed => &self.replayed,
            Counted::Refused => &self.refused,
            Counted::NotDone => &self.not_done,
        }
        .increment(1);
    }
}
