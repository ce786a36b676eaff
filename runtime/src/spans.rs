//! The spans of a command, from when it is sent to its answer.
//!
//! `command` is the whole, a child of the span that it is sent in; in it, one after another, `queue` (it waits in the
//! mailbox), `decide` (the handler, in whose span it runs) and `commit` (it waits for the disk). If the aggregate had to be
//! read first, `activation` is in `queue`. A retry that gets its first reply has `replay` in place of `decide`. They carry
//! names, ids, versions and positions, and nothing of commands, events, states, replies or errors of the domain.
//!
//! They are of level DEBUG: a service that logs from INFO on makes none, and pays a comparison a command. They go to the
//! subscriber that was there when the command was sent, whatever thread they are made on.
//!
//! Where the runtime knows of traces ([`TracePropagation`]), a command whose trace is not sampled has no parts. In a span
//! that is not sampled itself it has not even a span of its own; else it has one, because it takes one to ask the sampler.

mod ended;

use dormouse_domain::{AggregateId, CommandId, Metadata};
use parking_lot::Mutex;
use tracing::field::Empty;
use tracing::{Dispatch, Level, Span, debug_span};

pub(crate) use self::ended::{Ended, reason_name};
use crate::propagation::{TracePropagation, propagate, surrounding};

/// What to name in a filter: `dormouse::command=debug`.
const TARGET: &str = "dormouse::command";

/// The parts of a command that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Decide,
    Commit,
    Replay,
}

/// A command's spans, if anybody is interested.
pub(crate) struct CommandSpans {
    /// None once the command has ended.
    open: Mutex<Option<Open>>,
}

struct Open {
    subscriber: Dispatch,
    spans: Spans,
}

enum Spans {
    /// The command's own, and the part that it is in at the moment.
    Recorded { command: Span, part: Span },
    /// Nobody records its trace. Domain code runs in this span nevertheless: what it makes would be a new trace otherwise,
    /// sampled by itself.
    Unsampled { around: Span },
}

/// Of whom a span tells.
pub(crate) struct Named<'n> {
    pub(crate) aggregate_type: &'static str,
    pub(crate) id: &'n AggregateId,
    pub(crate) command: &'static str,
    pub(crate) command_id: Option<CommandId>,
}

impl CommandSpans {
    /// Begins them on the caller's thread, in its current span, and has the command's events remember its trace.
    #[inline]
    pub(crate) fn begin(
        named: &Named<'_>,
        propagation: Option<&dyn TracePropagation>,
        metadata: &mut Option<Box<Metadata>>,
    ) -> Option<Box<Self>> {
        let is_wanted = tracing::enabled!(target: TARGET, Level::DEBUG);
        if !is_wanted && propagation.is_none() {
            return None;
        }
        begin(named, is_wanted, propagation, metadata)
    }

    /// With all parts. None if nobody wants the command's own.
    fn recorded(command: Span) -> Option<Box<Self>> {
        let subscriber = subscriber_of(&command)?;
        let part = debug_span!(target: TARGET, parent: &command, "queue");
        Some(Self::open(subscriber, Spans::Recorded { command, part }))
    }

    /// With none. None if there is no span around it either.
    fn unsampled(around: Span) -> Option<Box<Self>> {
        let subscriber = subscriber_of(&around)?;
        Some(Self::open(subscriber, Spans::Unsampled { around }))
    }

    fn open(subscriber: Dispatch, spans: Spans) -> Box<Self> {
        let open = Mutex::new(Some(Open { subscriber, spans }));
        Box::new(Self { open })
    }

    /// Handles the command in its span, so that what domain code logs is told of with it.
    pub(crate) fn decide<T>(&self, handle: impl FnOnce() -> T) -> T {
        within(self.enter(Part::Decide), handle)
    }

    /// Ends the part that it is in and begins the next.
    pub(crate) fn enter(&self, part: Part) -> Span {
        let mut open = self.open.lock();
        let Some(Open { subscriber, spans }) = &mut *open else {
            return Span::none();
        };
        let (command, before) = match spans {
            Spans::Recorded { command, part } => (command, part),
            Spans::Unsampled { around } if part == Part::Decide => return around.clone(),
            Spans::Unsampled { .. } => return Span::none(),
        };
        under(subscriber, || {
            // ended before the next one begins
            drop(std::mem::replace(before, Span::none()));
            *before = match part {
                Part::Decide => debug_span!(target: TARGET, parent: &*command, "decide"),
                Part::Commit => debug_span!(target: TARGET, parent: &*command, "commit"),
                Part::Replay => debug_span!(target: TARGET, parent: &*command, "replay"),
            };
            before.clone()
        })
    }

    /// Reading the aggregate, which the command waits for.
    pub(crate) fn activation(&self) -> Span {
        let open = self.open.lock();
        match &*open {
            None => Span::none(),
            Some(Open {
                spans: Spans::Unsampled { around },
                ..
            }) => around.clone(),
            Some(Open {
                subscriber,
                spans: Spans::Recorded { part, .. },
            }) => under(
                subscriber,
                || debug_span!(target: TARGET, parent: part, "activation", events = Empty),
            ),
        }
    }

    /// The command has its answer. Only the first end counts.
    pub(crate) fn end(&self, ended: Ended) {
        if let Some(open) = self.open.lock().take() {
            open.end(Some(ended));
        }
    }
}

impl Drop for CommandSpans {
    fn drop(&mut self) {
        if let Some(open) = self.open.get_mut().take() {
            open.end(None);
        }
    }
}

impl Open {
    fn end(self, ended: Option<Ended>) {
        let Self { subscriber, spans } = self;
        under(&subscriber, move || match spans {
            Spans::Recorded { command, part } => {
                drop(part);
                if let Some(ended) = ended {
                    ended.record(&command);
                }
                drop(command);
            }
            Spans::Unsampled { around } => drop(around),
        });
    }
}

#[cold]
fn begin(
    named: &Named<'_>,
    is_wanted: bool,
    propagation: Option<&dyn TracePropagation>,
    metadata: &mut Option<Box<Metadata>>,
) -> Option<Box<CommandSpans>> {
    let Some(propagation) = propagation else {
        return CommandSpans::recorded(command_span(named));
    };
    let surrounding = surrounding(propagation, metadata.as_deref());
    if surrounding.as_ref().is_some_and(|trace| !trace.is_sampled()) {
        return CommandSpans::unsampled(if is_wanted { Span::current() } else { Span::none() });
    }
    let command = if is_wanted {
        command_span(named)
    } else {
        Span::none()
    };
    if propagate(propagation, &command, surrounding, metadata) {
        CommandSpans::recorded(command)
    } else {
        CommandSpans::unsampled(command)
    }
}

fn command_span(named: &Named<'_>) -> Span {
    let span = debug_span!(
        target: TARGET,
        "command",
        // what a tracing system shows in place of the name
        otel.name = named.command,
        otel.status_code = Empty,
        "aggregate.type" = named.aggregate_type,
        "aggregate.id" = named.id.as_str(),
        "command.type" = named.command,
        "command.id" = Empty,
        outcome = Empty,
        reason = Empty,
        version = Empty,
        position = Empty,
    );
    if let Some(id) = named.command_id {
        span.record("command.id", tracing::field::display(id));
    }
    span
}

/// How many events an activation read, for its span: who is woken may run in another.
pub(crate) fn record_activation(events: u64) {
    let current = Span::current();
    if current.metadata().is_some_and(|span| span.target() == TARGET) {
        current.record("events", events);
    }
}

/// Runs something in a span, on whatever thread, and ends the span.
pub(crate) fn within<T>(span: Span, run: impl FnOnce() -> T) -> T {
    let Some(subscriber) = subscriber_of(&span) else {
        return run();
    };
    under(&subscriber, move || {
        let made = span.in_scope(run);
        drop(span);
        made
    })
}

/// None if it is disabled.
fn subscriber_of(span: &Span) -> Option<Dispatch> {
    span.with_subscriber(|(_, subscriber)| subscriber.clone())
}

/// With a span's subscriber as the thread's: a registry looks for itself there when a span is left, and when it closes.
fn under<T>(subscriber: &Dispatch, run: impl FnOnce() -> T) -> T {
    tracing::dispatcher::with_default(subscriber, run)
}
