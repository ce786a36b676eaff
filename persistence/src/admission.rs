//! What a commit may expect before it is decided.

use std::sync::Arc;

/// What a commit may expect now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It would be taken.
    Open,
    /// Queue or tail are at their bounds: wait for [`Store::space`](crate::Store::space) before deciding.
    Full,
    /// The store was reopened since its stream was read: read it again.
    Outdated,
    /// The store takes no commits.
    Stopped {
        /// Why.
        reason: Arc<str>,
    },
}
