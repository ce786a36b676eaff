//! What the writer, the registry and the queue share of an open stream.

use dormouse_domain::{StreamId, Version};

use crate::hash;
use crate::sync::atomic::{AtomicBool, AtomicU64};

/// What the writer, the registry and the queue share of an open stream.
pub(crate) struct StreamState {
    pub(crate) stream: StreamId,
    pub(crate) hash: u64,
    /// The last version submitted. Changed under the queue's lock only.
    pub(crate) head: AtomicU64,
    /// The number of the writer's last submission. Changed under the queue's lock only.
    pub(crate) last_submission: AtomicU64,
    /// Whether its writer lives. Changed under the registry's lock only.
    pub(crate) open: AtomicBool,
}

impl StreamState {
    pub(crate) fn new(stream: StreamId, head: Version) -> StreamState {
        StreamState {
            hash: hash::stream(stream.aggregate_type.as_str(), stream.id.as_str()),
            stream,
            head: AtomicU64::new(head.get()),
            last_submission: AtomicU64::new(0),
            open: AtomicBool::new(true),
        }
    }
}
