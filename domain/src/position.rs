use std::fmt;

use serde::{Deserialize, Serialize};

/// Numbers without gaps from 1, with 0 for "none yet". Version and offset must never be mixed up, so each is a
/// type of its own with the same few methods.
macro_rules! counter {
    ($(#[$docs:meta])* $name:ident, none: $none:literal) => {
        $(#[$docs])*
        #[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(u64);

        impl $name {
            #[doc = $none]
            pub const NONE: Self = Self(0);

            /// From the bare number.
            #[must_use]
            pub const fn new(number: u64) -> Self {
                Self(number)
            }

            /// The bare number.
            #[must_use]
            pub const fn get(self) -> u64 {
                self.0
            }

            /// The one that follows.
            #[must_use]
            pub const fn next(self) -> Self {
                self.plus(1)
            }

            /// The `n`th that follows; the highest number is never passed.
            #[must_use]
            pub const fn plus(self, n: u64) -> Self {
                Self(self.0.saturating_add(n))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0, f)
            }
        }
    };
}

counter! {
    /// An event's number in its stream: the first is 1, without gaps. As a stream's version: that of its newest event.
    Version, none: "The version of a stream that has no event yet."
}

counter! {
    /// An event's number in its shard's log: the first is 1, without gaps.
    Offset, none: "Before the first event."
}

/// A share of all streams with a log of its own. A store on one machine has one, [`ShardId::FIRST`].
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ShardId(u16);

impl ShardId {
    /// The only shard of a store on one machine.
    pub const FIRST: Self = Self(0);

    /// From the bare number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl fmt::Display for ShardId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// Where an event stands in the order in which its shard committed it. Displayed as `0:17`.
///
/// Positions of different shards are ordered by shard first; that says nothing about time.
#[derive(Default, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position {
    /// The shard whose log holds the event.
    pub shard: ShardId,
    /// The event's offset in that log.
    pub offset: Offset,
}

impl Position {
    /// Puts the two parts together.
    #[must_use]
    pub const fn new(shard: ShardId, offset: Offset) -> Self {
        Self { shard, offset }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.shard, self.offset)
    }
}

impl fmt::Debug for Position {
    /// As it is displayed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The version of an event's or a command's schema: the first is 1. No type knows a version 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SchemaVersion(u16);

impl SchemaVersion {
    /// The version of a schema that was never changed.
    pub const FIRST: Self = Self(1);

    /// From the bare number.
    #[must_use]
    pub const fn new(number: u16) -> Self {
        Self(number)
    }

    /// The bare number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

impl Default for SchemaVersion {
    fn default() -> Self {
        Self::FIRST
    }
}

impl fmt::Display for SchemaVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// What a caller expects of a stream before its command is handled; a stream that differs is left as it is.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// Anything.
    #[default]
    Any,
    /// No event yet.
    Absent,
    /// At least one event.
    Exists,
    /// Exactly this version.
    At(Version),
}

impl Expected {
    /// Whether a stream at version `actual` is as expected.
    #[must_use]
    pub fn allows(self, actual: Version) -> bool {
        match self {
            Self::Any => true,
            Self::Absent => actual == Version::NONE,
            Self::Exists => actual > Version::NONE,
            Self::At(version) => actual == version,
        }
    }
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any => f.write_str("any version"),
            Self::Absent => f.write_str("no event yet"),
            Self::Exists => f.write_str("at least one event"),
            Self::At(version) => write!(f, "version {version}"),
        }
    }
}
