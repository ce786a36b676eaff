//! A durable state, now or in the past.

use dormouse_domain::{StreamId, Timestamp, Version};
use dormouse_persistence::Store;

use super::AdminError;
use super::administered::Administered;
use crate::activation::{Until, time_of};
use crate::readers::IsWanted;

/// Which state is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AsOf {
    /// After all events that are durable.
    Latest,
    /// After this version. [`Version::NONE`] is the state before the first event.
    Version(Version),
    /// After the last event that was stored at this time or before.
    Time(Timestamp),
}

/// A state as JSON.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct StateRecord {
    /// The version of the last event in it; [`Version::NONE`] if there is none.
    pub version: Version,
    /// When that event was stored.
    pub time: Option<Timestamp>,
    /// The state, as its `Serialize` writes it.
    pub json: String,
    /// The stream's durable head.
    pub head: Version,
}

/// Folds a state. Blocks on the disk.
pub(super) fn read(
    store: &Store,
    known: &dyn Administered,
    stream: &StreamId,
    as_of: AsOf,
    is_wanted: IsWanted<'_>,
) -> Result<StateRecord, AdminError> {
    if let AsOf::Version(version) = as_of {
        // before anything is folded for nothing
        let head = store.head(stream)?;
        if version > head {
            return Err(AdminError::NoSuchVersion {
                stream: stream.clone(),
                version,
                head,
            });
        }
    }
    let until = match as_of {
        AsOf::Latest => Until::End,
        AsOf::Version(version) => Until::Version(version),
        AsOf::Time(time) => Until::Time(time),
    };
    let (version, json) = known.state_json(stream, until, is_wanted)?;
    Ok(StateRecord {
        version,
        time: time_of(store, stream, version)?,
        json,
        head: store.head(stream)?,
    })
}
