//! What callers are told when something can't be done, other than by a command: that is
//! [`CommandError`](dormouse_domain::CommandError).

use std::convert::Infallible;
use std::io;
use std::sync::Arc;

use dormouse_domain::{CommandError, InvalidId, Version};
use dormouse_persistence::StoreError;

/// Why a runtime did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StartError {
    /// Two aggregates share one stored type name. Give one of them another.
    #[error("two aggregates are registered as {aggregate_type:?}; each needs a TYPE of its own")]
    DuplicateType {
        /// The name.
        aggregate_type: &'static str,
    },
    /// An aggregate's type name can't be stored.
    #[error("an aggregate's TYPE is not valid: {0}")]
    InvalidType(InvalidId),
    /// The store has stopped writing, or is closed. Reopen it, or open it anew.
    #[error("the store has stopped ({reason}): reopen it, or open it anew")]
    Stopped {
        /// Why.
        reason: Arc<str>,
    },
    /// A thread could not be started.
    #[error("the runtime's threads could not be started: {0}")]
    Threads(io::Error),
}

impl From<io::Error> for StartError {
    fn from(reason: io::Error) -> Self {
        Self::Threads(reason)
    }
}

/// Why there is no [`Entity`](crate::Entity).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EntityError {
    /// The id can't be stored.
    #[error(transparent)]
    InvalidId(#[from] InvalidId),
    /// The builder was not told of this aggregate.
    #[error(
        "aggregate {aggregate_type:?} is not registered; start the runtime with `.aggregate::<…>()` for it"
    )]
    NotRegistered {
        /// Its type name.
        aggregate_type: &'static str,
    },
}

/// What a shutdown could not do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ShutdownError {
    /// The limit passed with commands still in flight: their callers were told *unknown*. What was acknowledged is safe.
    #[error("{commands} commands were still in flight when the shutdown's limit passed")]
    Unfinished {
        /// How many.
        commands: usize,
    },
    /// The store did not close cleanly. What was acknowledged is safe.
    #[error("the store did not close: {0}")]
    Store(StoreError),
}

/// Why a query has no answer. A query is never refused and changes nothing, so it may always be repeated.
pub type QueryError = CommandError<Infallible>;

/// Why a past state can't be told.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// The stream has fewer events. Ask for a version up to its head.
    #[error("version {asked} was asked for, but the stream ends at version {head}")]
    NoSuchVersion {
        /// The version asked for.
        asked: Version,
        /// The stream's durable head.
        head: Version,
    },
    /// The stream can't be read or folded. The reason says where.
    #[error("the stream can't be read: {reason}")]
    Unreadable {
        /// What went wrong.
        reason: Arc<str>,
    },
    /// The runtime is shutting down.
    #[error("the runtime is shutting down")]
    ShuttingDown,
}

#[cfg(test)]
mod tests {
    use std::error::Error;

    use super::*;

    /// What is in the message is no source, too: a chain of errors would tell it twice.
    #[test]
    fn a_reason_is_told_once() {
        let reason = io::Error::other("no more threads");
        let invalid = dormouse_domain::AggregateType::new("").unwrap_err();
        let errors: [Box<dyn Error>; 3] = [
            Box::new(StartError::from(reason)),
            Box::new(StartError::InvalidType(invalid)),
            Box::new(ShutdownError::Store(StoreError::Closed)),
        ];
        for error in errors {
            assert!(error.source().is_none(), "{error}");
        }
    }
}
