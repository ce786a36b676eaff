//! How it stands, in a word and a sentence.

use crate::readiness::{Readiness, Status};

/// From a stopped store: see `docs/operations.md`.
const WAY_ON: &str = " Nothing more is stored until the service is restarted or reopens the store.";

/// Shown on every page.
#[derive(Clone, Default)]
pub(crate) struct Standing {
    /// For the styles: `good`, `busy` or `bad`.
    pub(crate) kind: &'static str,
    pub(crate) word: &'static str,
    pub(crate) reason: String,
}

impl From<Readiness> for Standing {
    fn from(readiness: Readiness) -> Self {
        let (kind, word) = match readiness.status {
            Status::Opening => ("busy", "Opening"),
            Status::Recovering => ("busy", "Recovering"),
            Status::Ready => ("good", "Ready"),
            Status::Stopped => ("bad", "Stopped"),
            Status::Draining => ("busy", "Draining"),
            Status::Overloaded => ("busy", "Overloaded"),
            Status::ShutDown => ("bad", "Shut down"),
        };
        let reason = sentence(&readiness.reason);
        Self {
            kind,
            word,
            reason: match readiness.status {
                Status::Stopped => reason + WAY_ON,
                _ => reason,
            },
        }
    }
}

/// With a capital and a full stop.
pub(crate) fn sentence(reason: &str) -> String {
    let mut chars = reason.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    format!(
        "{}{}.",
        first.unwrap_or_default(),
        chars.as_str().trim_end_matches('.')
    )
}
