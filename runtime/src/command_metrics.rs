//! The handles of one command type's metrics, looked up once a thread.

use std::any::TypeId;
use std::cell::{Cell, RefCell};
use std::time::{Duration, Instant};

use dormouse_domain::{Aggregate, Command};
use dormouse_persistence::DistributionRecorder;
use metrics::{Counter, Histogram};

use crate::command_names::CommandNames;
use crate::metric_names::{COMMANDS, HANDLING_SECONDS};
use crate::type_map::TypeMap;

/// Handling times are recorded at most once in so long on each arbiter: a histogram costs more than a short turn.
const HANDLING_EVERY: Duration = Duration::from_micros(100);

thread_local! {
    static KNOWN: RefCell<TypeMap<(TypeId, TypeId), CommandMetrics>> = RefCell::default();
    static RECORDED: Cell<Option<Instant>> = const { Cell::new(None) };
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
    pub(crate) fn of<A: Aggregate, C: Command>(names: &CommandNames, record: impl FnOnce(&Self)) {
        KNOWN.with_borrow_mut(|known| {
            let key = (TypeId::of::<A>(), TypeId::of::<C>());
            record(known.entry(key).or_insert_with(|| {
                names.learn(A::TYPE, C::NAME);
                Self::new(A::TYPE, C::NAME)
            }));
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

    /// A command whose handling began at `started` and took so long. `all`: where the arbiter records every type's.
    pub(crate) fn handled(
        &self,
        counted: Counted,
        started: Instant,
        took: Duration,
        all: &DistributionRecorder,
    ) {
        self.count(counted);
        let is_due = RECORDED
            .get()
            .is_none_or(|last| started.saturating_duration_since(last) >= HANDLING_EVERY);
        if is_due {
            RECORDED.set(Some(started));
            self.handling.record(took.as_secs_f64());
            all.record_time(took);
        }
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
