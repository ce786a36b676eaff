//! What engines answer.

use std::sync::Arc;

/// What went wrong in an engine.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum EngineError {
    /// [`Engine::close`](super::Engine::close) was called.
    #[error("the store is closed")]
    Closed,
    /// An operation failed; nothing is known about its cause but the text.
    #[error("{context}: {reason}")]
    Failed {
        /// What was being done, such as "append to the log".
        context: &'static str,
        /// What the engine said.
        reason: Arc<str>,
    },
    /// Stored bytes are damaged.
    #[allow(dead_code, reason = "a memory engine's bytes are judged by the store alone")]
    #[error("{context}: damaged: {reason}")]
    Corrupt {
        /// What was being read.
        context: &'static str,
        /// What the engine said.
        reason: Arc<str>,
    },
}
