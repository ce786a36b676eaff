//! How a command ended, as its span tells it.

use dormouse_domain::{CommandError, NotDone, Position, Version};
use tracing::Span;

/// In a word each, without any text.
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

    pub(super) fn record(&self, command: &Span) {
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
