//! How it stands, in a word and a sentence.

use std::borrow::Cow;

use dormouse_persistence::Health;
use dormouse_runtime::Dormouse;

/// Shown on every page.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    /// For the styles: `good`, `busy` or `bad`.
    pub(crate) kind: &'static str,
    pub(crate) word: &'static str,
    pub(crate) reason: Cow<'static, str>,
}

impl Default for Standing {
    fn default() -> Self {
        Self {
            kind: "busy",
            word: "Opening",
            reason: "The store is being opened; no command is taken yet.".into(),
        }
    }
}

impl Standing {
    pub(crate) fn of(runtime: Option<&Dormouse>) -> Self {
        let Some(runtime) = runtime else {
            return Self::default();
        };
        let (kind, word, reason) = match runtime.health() {
            _ if runtime.is_shutting_down() => ("busy", "Stopping", "It takes no more commands.".into()),
            Health::Stopped { reason } => ("bad", "Stopped", format!("No command is taken: {reason}").into()),
            Health::Healthy => ("good", "Ready", "It takes commands.".into()),
        };
        Self { kind, word, reason }
    }
}
