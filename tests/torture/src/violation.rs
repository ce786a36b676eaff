//! A promise that was broken.

use serde::Serialize;

/// Which promise, and how it shows.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Violation {
    /// `P1` to `P14`, as `docs/guarantees.md` numbers them; or, in a word, what else was to hold.
    pub(crate) promise: &'static str,
    pub(crate) what: String,
}

impl Violation {
    pub(crate) fn new(promise: &'static str, what: impl Into<String>) -> Self {
        let what = what.into();
        Self { promise, what }
    }
}
