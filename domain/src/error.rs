use std::fmt;
use std::sync::Arc;

use crate::{CodecError, CommandId, Expected, InvalidMetadata, Version};

/// Why a command has no reply, and above all: whether it had an effect.
///
/// | | effect | what to do |
/// |---|---|---|
/// | `Refused` | none | the domain's answer; show it |
/// | `NotDone` | none, by this attempt | fix the request, or retry later |
/// | `Unknown` | unknown | retry with the same command id, which settles it |
/// | `ReplyUnreadable` | done | read the state; the events are stored |
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError<E> {
    /// The domain said no. Nothing happened, and a retry is decided afresh.
    #[error(transparent)]
    Refused(E),
    /// Dormouse said no. Nothing happened.
    #[error(transparent)]
    NotDone(#[from] NotDone),
    /// It may have happened. A retry with the same command id gets the answer.
    #[error(transparent)]
    Unknown(#[from] Unknown),
    /// A retry of a command that was done before; its stored reply can't be read by this program.
    #[error("done at version {version}, but the stored reply can't be read: {reason}")]
    ReplyUnreadable {
        /// The version of the commit's last event.
        version: Version,
        /// What is wrong with it.
        reason: Arc<str>,
    },
}

impl<E> CommandError<E> {
    /// Whether the domain refused it.
    #[must_use]
    pub const fn is_refused(&self) -> bool {
        matches!(self, Self::Refused(_))
    }

    /// Whether it surely had no effect, for another reason than the domain's.
    #[must_use]
    pub const fn is_not_done(&self) -> bool {
        matches!(self, Self::NotDone(_))
    }

    /// Whether it may have had an effect.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown(_))
    }

    /// Changes the domain's refusal, and leaves everything else.
    #[must_use]
    pub fn map_refused<F>(self, change: impl FnOnce(E) -> F) -> CommandError<F> {
        match self {
            Self::Refused(error) => CommandError::Refused(change(error)),
            Self::NotDone(reason) => CommandError::NotDone(reason),
            Self::Unknown(reason) => CommandError::Unknown(reason),
            Self::ReplyUnreadable { version, reason } => CommandError::ReplyUnreadable { version, reason },
        }
    }
}

/// Why a command was not done. It had no effect, and none of its events is stored. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotDone {
    /// Too many commands wait. Retry later, or allow a longer wait.
    #[error("not done: {bound} is full, with {limit} commands waiting; retry later or allow a longer wait")]
    Overloaded {
        /// What is full.
        bound: Bound,
        /// How many commands it holds.
        limit: usize,
    },
    /// Its time was up before it was handled. Retry, or allow more time.
    #[error("not done: its deadline passed before it was handled; retry or allow more time")]
    DeadlinePassed,
    /// The stream is not as the caller expected. Read the state, then decide again.
    #[error("not done: expected {expected}, but {}; read it and decide again", standing(*actual))]
    VersionConflict {
        /// What the caller expected.
        expected: Expected,
        /// The stream's version.
        actual: Version,
    },
    /// The command id belongs to another command of this aggregate. Use a new id for a new command.
    #[error(
        "not done: command id {id} was used by another command, at version {first_version}; use a new id"
    )]
    CommandIdReused {
        /// The id.
        id: CommandId,
        /// The first version that the other command stored.
        first_version: Version,
    },
    /// The time in the command id is too far ahead. Set the clock of the machine that made it.
    #[error(
        "not done: the time in command id {id} is {ahead_ms} ms ahead; the limit is {limit_ms} ms, so set the clock \
         of the machine that made it"
    )]
    CommandIdInFuture {
        /// The id.
        id: CommandId,
        /// How far ahead it is.
        ahead_ms: u64,
        /// How far ahead it may be.
        limit_ms: u64,
    },
    /// Something to be stored is larger than its limit. Store less in one command.
    #[error(
        "not done: {field} has {bytes} bytes when encoded; the limit is {limit}, so store less in one command"
    )]
    TooLarge {
        /// What is too large.
        field: &'static str,
        /// The bytes it takes.
        bytes: usize,
        /// The bytes it may take.
        limit: usize,
    },
    /// The handler decided on too many events. Split the command.
    #[error("not done: the decision has {events} events; the limit is {limit}, so split the command")]
    TooManyEvents {
        /// How many it decided on.
        events: usize,
        /// How many it may decide on.
        limit: usize,
    },
    /// Something to be stored can't be encoded. Its type's `Serialize` must be mended.
    #[error("not done: {field} can't be encoded: {reason}; mend its type's Serialize")]
    Unencodable {
        /// What can't be encoded.
        field: &'static str,
        /// What serde said.
        reason: Arc<str>,
    },
    /// The metadata is beyond its bounds. Send less of it.
    #[error("not done: {0}")]
    InvalidMetadata(InvalidMetadata),
    /// The runtime is stopping. Retry once it has started again.
    #[error("not done: the runtime is shutting down; retry once it has started again")]
    ShuttingDown,
    /// The store stopped after an error, and writes nothing until it is reopened. Retry after that.
    #[error("not done: the store stopped ({reason}); retry once it has been reopened")]
    Stopped {
        /// The error that stopped it.
        reason: Arc<str>,
    },
    /// Domain code panicked. Its message says where to look; a retry would most likely panic again.
    #[error("not done: {place} panicked: {message}; mend it, a retry would panic again")]
    Panicked {
        /// Which function it was, such as `handle` or `apply`.
        place: &'static str,
        /// The panic's message.
        message: Arc<str>,
    },
    /// The aggregate could not be loaded. Mend what the reason names, then retry.
    #[error("not done: the aggregate could not be loaded: {reason}; mend that and retry")]
    ActivationFailed {
        /// What went wrong.
        reason: Arc<str>,
    },
    /// Another writer had stored events in the meantime; the aggregate is being loaded again. Retry.
    #[error("not done: the state was out of date, the stream is at version {head}; retry")]
    Stale {
        /// The stream's version.
        head: Version,
    },
}

/// How far a stream is, for a message.
fn standing(version: Version) -> String {
    if version == Version::NONE {
        "the aggregate has no events yet".to_owned()
    } else {
        format!("the stream is at version {version}")
    }
}

impl NotDone {
    /// Whether this also settles what became of *earlier* attempts with the same command id.
    ///
    /// A reason speaks of the attempt it answers. After an *unknown* one, a retry that was turned away before its id was
    /// judged (overloaded, too late, stopped, shutting down, not loaded) leaves the earlier attempt as unknown as it was:
    /// send it again with the same id until it gets a reply, a refusal, or a reason for which this is `true`.
    #[must_use]
    pub const fn settles_earlier_attempts(&self) -> bool {
        match self {
            Self::VersionConflict { .. }
            | Self::CommandIdReused { .. }
            | Self::CommandIdInFuture { .. }
            | Self::TooLarge { .. }
            | Self::TooManyEvents { .. }
            | Self::Panicked { .. } => true,
            Self::Overloaded { .. }
            | Self::DeadlinePassed
            | Self::Unencodable { .. }
            | Self::InvalidMetadata(_)
            | Self::ShuttingDown
            | Self::Stopped { .. }
            | Self::ActivationFailed { .. }
            | Self::Stale { .. } => false,
        }
    }

    /// What a failure to encode `field` means for the command.
    #[must_use]
    pub fn from_codec(field: &'static str, error: CodecError) -> Self {
        match error {
            CodecError::TooLarge { field, bytes, limit } => Self::TooLarge { field, bytes, limit },
            CodecError::Encode { reason } | CodecError::Decode { reason } => {
                Self::Unencodable { field, reason }
            }
            CodecError::TrailingBytes { .. } => Self::Unencodable {
                field,
                reason: error.to_string().into(),
            },
        }
    }
}

/// What was full when a command was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Bound {
    /// The queue of one aggregate.
    Mailbox,
    /// All queues of the runtime together.
    Runtime,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Mailbox => "the aggregate's mailbox",
            Self::Runtime => "the runtime",
        })
    }
}

/// Why it is unknown whether a command had an effect. A retry with the same command id settles it. Cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unknown {
    /// Its events were handed to a write that failed.
    #[error(
        "unknown whether done: writing its events failed ({reason}); a retry with the same command id settles it"
    )]
    WriteFailed {
        /// The error.
        reason: Arc<str>,
    },
    /// It was handled, and its events were not yet durable when the caller's time was up. It may still be done.
    #[error(
        "unknown whether done: the wait ended after it was handled; a retry with the same command id settles it"
    )]
    WaitEnded,
    /// The runtime went away before it answered.
    #[error(
        "unknown whether done: the runtime ended before it answered; a retry with the same command id settles it"
    )]
    Abandoned,
}
