//! What stands at a place of the log: how the link from an event to its cause is followed.

use std::ops::ControlFlow;

use dormouse_domain::{EventId, Position, StreamId, Timestamp, Version};
use dormouse_persistence::{Store, StoredCommit};

use super::AdminError;

/// Where an event is found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventPlace {
    /// Its stream.
    pub stream: StreamId,
    /// Its version there.
    pub version: Version,
    /// Its id.
    pub id: EventId,
    /// The name it is stored under.
    pub name: String,
    /// When it was stored.
    pub time: Timestamp,
}

/// The event at `position`; `None` if there is none. Blocks on the disk.
pub(super) fn find(store: &Store, position: Position) -> Result<Option<EventPlace>, AdminError> {
    let mut place = None;
    store.read_log(position.offset, &mut |commit| {
        place = in_commit(commit, position);
        ControlFlow::Break(())
    })?;
    Ok(place)
}

fn in_commit(commit: &StoredCommit<'_>, position: Position) -> Option<EventPlace> {
    if commit.position().shard != position.shard {
        return None;
    }
    let event = commit.events().find(|event| event.offset == position.offset)?;
    Some(EventPlace {
        stream: commit.stream(),
        version: event.version,
        id: commit.event_id(&event),
        name: event.name.to_owned(),
        time: commit.time(),
    })
}
