//! Who may write to a stream: one writer each, whose head the queue compares and advances without a look-up.

use std::fmt;
use std::sync::Arc;

use dormouse_domain::{Offset, StreamId, Version};

use crate::error::StoreError;
use crate::registry::Registry;
use crate::stream_state::StreamState;
use crate::sync::atomic::Ordering;

/// How far a stream was read: what [`Store::open_stream`](crate::Store::open_stream) needs to know that nothing
/// was written since.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    pub(crate) version: Version,
    /// The hash of the stream's name: what was read of one opens no other.
    pub(crate) stream: u64,
    /// Everything up to this offset was seen.
    pub(crate) as_of: Offset,
    /// The session that was read: what came after a reopening it knows nothing of.
    pub(crate) generation: u64,
}

impl Reached {
    /// The stream's head as it was read; `Version::NONE` if nothing is stored.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }
}

/// The right to write to a stream, until it is dropped: a second one is refused.
///
/// Dropping it closes the stream before `drop` returns. Commits still on their way are settled all the same; until
/// then the stream can't be opened again.
pub struct StreamWriter {
    state: Arc<StreamState>,
    registry: Arc<Registry>,
}

impl StreamWriter {
    /// Holds the stream in the registry; `StreamHeld` if another writer does.
    pub(crate) fn open(
        registry: &Arc<Registry>,
        stream: &StreamId,
        head: Version,
    ) -> Result<StreamWriter, StoreError> {
        Ok(StreamWriter {
            state: registry.open(stream, head)?,
            registry: Arc::clone(registry),
        })
    }

    pub(crate) fn state(&self) -> &StreamState {
        &self.state
    }

    /// Whether the session of this registry opened it.
    pub(crate) fn is_of(&self, registry: &Arc<Registry>) -> bool {
        Arc::ptr_eq(&self.registry, registry)
    }

    /// The stream it writes to.
    #[must_use]
    pub fn stream(&self) -> &StreamId {
        &self.state.stream
    }

    /// The last version that was submitted through it: the next commit begins one above. Not all of it need be
    /// durable yet.
    #[must_use]
    pub fn head(&self) -> Version {
        Version::new(self.state.head.load(Ordering::Acquire))
    }
}

impl Drop for StreamWriter {
    fn drop(&mut self) {
        self.registry.close(&self.state);
    }
}

impl fmt::Debug for StreamWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamWriter")
            .field("stream", self.stream())
            .field("head", &self.head())
            .finish()
    }
}
