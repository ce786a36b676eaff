//! Why an operator's question has no answer.

use std::sync::Arc;

use dormouse_domain::{StreamId, Version};
use dormouse_persistence::StoreError;

use crate::readers::ReadersClosed;

/// Why an operator's question has no answer, or an act did not happen. Nothing was changed.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AdminError {
    /// No aggregate is registered under this type name. Its events can still be read, but not decoded.
    #[error("aggregate type {aggregate_type:?} is not registered; this program knows {}", known.join(", "))]
    UnknownType {
        /// The name asked for.
        aggregate_type: String,
        /// All registered names, in order.
        known: Vec<&'static str>,
    },
    /// The stream has fewer events. Ask for a version up to its head.
    #[error("version {version} of {stream} was asked for, but the stream ends at version {head}")]
    NoSuchVersion {
        /// The stream.
        stream: StreamId,
        /// The version asked for.
        version: Version,
        /// The stream's durable head; [`Version::NONE`] if it has no event.
        head: Version,
    },
    /// The store can't be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The domain's code panicked, or can't read what is stored. The reason says at which event.
    #[error("{stream} can't be folded: {reason}")]
    Domain {
        /// The stream.
        stream: StreamId,
        /// What went wrong.
        reason: Arc<str>,
    },
    /// The state can't be shown as JSON: its `Serialize` does something that JSON has no form for.
    #[error("the state of {stream} at version {version} can't be shown as JSON: {reason}")]
    NotJson {
        /// The stream.
        stream: StreamId,
        /// The version of the state.
        version: Version,
        /// What was said.
        reason: Arc<str>,
    },
    /// Something is larger than its limit, or not there at all.
    #[error("{field} is {value_size}; it takes 1 to {limit}")]
    Invalid {
        /// What it is: `limit`, `id_prefix in bytes`, ...
        field: &'static str,
        /// How large it is.
        value_size: usize,
        /// How large it may be.
        limit: usize,
    },
    /// Too many reads wait already. Ask again in a moment.
    #[error("{waiting} reads wait for the thread that reads the past; the limit is {limit}: ask again later")]
    Busy {
        /// How many wait.
        waiting: usize,
        /// How many may.
        limit: usize,
    },
    /// The runtime has shut down.
    #[error("the runtime is shutting down")]
    ShuttingDown,
}

impl From<ReadersClosed> for AdminError {
    fn from(_: ReadersClosed) -> Self {
        Self::ShuttingDown
    }
}
