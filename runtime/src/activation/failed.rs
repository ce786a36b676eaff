//! Why an aggregate can't be woken, and where in its stream.

use std::any::Any;
use std::fmt;
use std::sync::Arc;

use dormouse_domain::{StreamId, Version};
use dormouse_persistence::StoreError;

use crate::entity_core::panic_message;

/// Why an aggregate can't be woken: what a user is told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadFailed {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The domain's code can't take what is stored. What a codec or a panic said may repeat a payload.
    #[error("{place}: {reason}")]
    Domain { place: Place, reason: Arc<str> },
    #[error("nobody waits for it any more")]
    NotWanted,
    #[error("the runtime is shutting down")]
    ShuttingDown,
}

/// Where the domain's code failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) stream: StreamId,
    /// None before the first event.
    pub(crate) version: Option<Version>,
}

impl LoadFailed {
    /// While `doing` something the domain's code panicked.
    pub(crate) fn panicked(place: Place, doing: &str, panic: &(dyn Any + Send)) -> Self {
        Self::Domain {
            place,
            reason: format!("{doing} panicked: {}", panic_message(panic)).into(),
        }
    }

    /// The domain's code can't take it.
    pub(crate) fn refused(place: Place, error: &dyn fmt::Display) -> Self {
        Self::Domain {
            place,
            reason: error.to_string().into(),
        }
    }

    /// For the log: where it failed, without what a panic or a codec said. The caller is told all.
    pub(crate) fn place(&self) -> &dyn fmt::Display {
        match self {
            Self::Domain { place, .. } => place,
            other => other,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.version {
            Some(version) => write!(f, "event {version} of {}", self.stream),
            None => self.stream.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_domain::AggregateType;

    /// An id may hold whatever separates the parts of a message.
    #[test]
    fn the_place_is_whole_and_says_nothing_of_the_reason() {
        let id = "parcel: 7".try_into().unwrap();
        let place = |version| Place {
            stream: StreamId::new(AggregateType::from_static("parcel"), id),
            version,
        };
        let failed = LoadFailed::panicked(place(Some(Version::new(3))), "applying it", &"a secret: 12");
        assert_eq!(failed.place().to_string(), "event 3 of parcel/parcel: 7");
        assert_eq!(
            failed.to_string(),
            "event 3 of parcel/parcel: 7: applying it panicked: a secret: 12"
        );
    }
}
