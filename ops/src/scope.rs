//! What a token allows.

use std::fmt;

/// What whoever holds a token may do. Each includes the ones before it: a token for [`Act`](Self::Act) reads, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// `GET /metrics`, nothing else.
    Metrics,
    /// Whatever changes nothing: the console and the admin API's reads. Events and states are shown, so it is as secret
    /// as the data.
    Read,
    /// Passivate, snapshot, checkpoint, compact, drain, cancel.
    Act,
}

impl Scope {
    pub(crate) const ALL: [Self; 3] = [Self::Metrics, Self::Read, Self::Act];

    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Read => "read",
            Self::Act => "act",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
