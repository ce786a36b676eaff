//! The spans of a command, from when it is sent to its answer.
//!
//! `command` is the whole, a child of the span that it is sent in; in it, one after another, `queue` (it waits in the
//! mailbox), `decide` (the handler, in whose span it runs) and `commit` (it waits for the disk). If the aggregate had to be
//! read first, `activation` is in `queue`. A retry that gets its first reply has `replay` in place of `decide`. They carry
//! names, ids, versions and positions, and nothing of commands, events, states, replies or errors of the domain.
//!
//! They are of level DEBUG: a service that logs from INFO on makes none, and pays a comparison a command. They go to the
//! subscriber that was there when the command was sent, whatever thread they are made on.

use dormouse_domain::{AggregateId, CommandError, CommandId, Metadata, NotDone, Position, Version};
use parking_lot::Mutex;
use tracing::field::Empty;
use tracing::{Dispatch, Level, Span, debug_span};

use crate::propagation::{TracePropagation, propagate};

/// What to name in a filter: `dormouse::command=debug`.
const TARGET: &str = "dormouse::command";

/// The parts of a command that follow each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Decide,
    Commit,
    Replay,
}

/// How a command ended, as its span tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) outcome: &'static str,
    /// Why it was not done; never the text, which may hold what a panic said.
    pub(crate) reason: Option<&'static str>,
    pub(crate) version: Option<Version>,
    pub(crate) position: Option<Position>,
}

impl Ended {
    pub(crate) fn as_error<E>(error: &CommandError<E>) -> Self {
        let (outcome, reason) = match error {
            CommandError::Refused(_) => ("refused", None),
            CommandError::NotDone(reason) => ("not_done", Some(reason_name(reason))),
            CommandError::Unknown(_) => ("unknown", None),
            _ => ("done_reply_unreadable", None),
        };
        Self {
            outcome,
            reason,
            version: None,
            position: None,
        }
    }

    fn record(&self, command: &Span) {
        command.record("outcome", self.outcome);
        if let Some(reason) = self.reason {
            command.record("reason", reason);
        }
        if let Some(version) = self.version {
            command.record("version", version.get());
        }
        if let Some(position) = self.position {
            command.record("position", position.offset.get());
        }
        if matches!(self.outcome, "not_done" | "unknown") {
            command.record("otel.status_code", "ERROR");
        }
    }
}

/// A reason without its text, which may repeat a payload: what a panic or a codec said.
pub(crate) fn reason_name(reason: &NotDone) -> &'static str {
    match reason {
        NotDone::Overloaded { .. } => "overloaded",
        NotDone::DeadlinePassed => "deadline_passed",
        NotDone::VersionConflict { .. } => "version_conflict",
        NotDone::CommandIdReused { .. } => "command_id_reused",
        NotDone::CommandIdInFuture { .. } => "command_id_in_future",
        NotDone::TooLarge { .. } => "too_large",
        NotDone::TooManyEvents { .. } => "too_many_events",
        NotDone::Unencodable { .. } => "unencodable",
        NotDone::InvalidMetadata(_) => "invalid_metadata",
        NotDone::ShuttingDown => "shutting_down",
        NotDone::Stopped { .. } => "stopped",
        NotDone::Panicked { .. } => "panicked",
        NotDone::ActivationFailed { .. } => "activation_failed",
        NotDone::Stale { .. } => "stale",
        _ => "other",
    }
}

/// A command's spans, if anybody is interested.
pub(crate) struct CommandSpans {
    /// None once the command has ended.
    open: Mutex<Option<Open>>,
}

struct Open {
    subscriber: Option<Dispatch>,
    command: Span,
    /// The one that it is in at the moment.
    part: Span,
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

    /// Handles the command in its span, so that what domain code logs is told of with it.
    pub(crate) fn decide<T>(&self, handle: impl FnOnce() -> T) -> T {
        within(self.enter(Part::Decide), handle)
    }

    /// Ends the part that it is in and begins the next.
    pub(crate) fn enter(&self, part: Part) -> Span {
        let mut open = self.open.lock();
        let Some(Open {
            subscriber,
            command,
            part: before,
        }) = &mut *open
        else {
            return Span::none();
        };
        under(subscriber.as_ref(), || {
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
        let Some(Open { subscriber, part, .. }) = &*open else {
            return Span::none();
        };
        under(
            subscriber.as_ref(),
            || debug_span!(target: TARGET, parent: part, "activation", events = Empty),
        )
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
        let Self {
            subscriber,
            command,
            part,
        } = self;
        under(subscriber.as_ref(), move || {
            drop(part);
            if let Some(ended) = ended {
                ended.record(&command);
            }
            drop(command);
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
    let command = if is_wanted {
        command_span(named)
    } else {
        Span::none()
    };
    if let Some(propagation) = propagation {
        propagate(propagation, &command, metadata);
    }
    if command.is_disabled() {
        return None;
    }
    let part = debug_span!(target: TARGET, parent: &command, "queue");
    Some(Box::new(CommandSpans {
        open: Mutex::new(Some(Open {
            subscriber: subscriber_of(&command),
            command,
            part,
        })),
    }))
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

/// Runs something in a span, on whatever thread, and ends the span.
pub(crate) fn within<T>(span: Span, run: impl FnOnce() -> T) -> T {
    let subscriber = subscriber_of(&span);
    under(subscriber.as_ref(), move || {
        let made = span.in_scope(run);
        drop(span);
        made
    })
}

fn subscriber_of(span: &Span) -> Option<Dispatch> {
    span.with_subscriber(|(_, subscriber)| subscriber.clone())
}

/// With a span's subscriber as the thread's: a registry looks for itself there when a span is left, and when it closes.
fn under<T>(subscriber: Option<&Dispatch>, run: impl FnOnce() -> T) -> T {
    match subscriber {
        Some(subscriber) => tracing::dispatcher::with_default(subscriber, run),
        None => run(),
    }
}
