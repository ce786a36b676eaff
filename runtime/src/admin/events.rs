//! A stream's events, decoded.

use std::ops::ControlFlow;

use dormouse_domain::{
    Codec, CodecError, CommandId, EventId, Metadata, Position, SchemaVersion, StreamId, Timestamp, Version,
};
use dormouse_persistence::{Store, StoredCommit, StoredEvent};

use super::AdminError;
use super::administered::Administered;
use super::limits::EVENTS_PAGE_BYTES_MAX;

/// A part of a stream, in order.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventsPage {
    /// The events, beginning with the version asked for.
    pub events: Vec<EventRecord>,
    /// The stream's durable head; [`Version::NONE`] if nothing is stored.
    pub head: Version,
    /// Whether there are events after these. Go on from the version after the last one.
    pub more: bool,
}

/// One stored event.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct EventRecord {
    /// Its number in its stream.
    pub version: Version,
    /// Its place in the log.
    pub position: Position,
    /// What the outside world knows it by, and what other events' causation names.
    pub id: EventId,
    /// When its batch was written.
    pub time: Timestamp,
    /// The name it is stored under.
    pub name: String,
    /// The schema version it was stored with.
    pub schema: SchemaVersion,
    /// How its fields are stored.
    pub codec: Codec,
    /// Whether it is the runtime's own, which `apply` never sees.
    pub system: bool,
    /// What it says.
    pub payload: Payload,
    /// How many bytes its fields take in the store.
    pub bytes: usize,
    /// The command that caused it, if that had an id.
    pub command: Option<CommandSummary>,
    /// What its command carried beside.
    pub metadata: Metadata,
    /// Why that can't be read, and so is empty here: a newer program wrote it.
    pub metadata_unreadable: Option<String>,
    /// The first and the last version of its commit: all that one command stored.
    pub commit: (Version, Version),
}

/// What an event says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Payload {
    /// Its fields as JSON, as the event would be stored today: decoded through the registered type and its upcasters.
    Json(String),
    /// Its stored bytes, where this program can't show them as JSON.
    Raw {
        /// As they are stored.
        bytes: Vec<u8>,
        /// Why not as JSON.
        reason: String,
    },
}

impl Payload {
    /// How many bytes this takes.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Json(text) => text.len(),
            Self::Raw { bytes, .. } => bytes.len(),
        }
    }

    /// Whether there is nothing in it.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The command that caused a commit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct CommandSummary {
    /// Its id.
    pub id: CommandId,
    /// Its type's name, if this program has handled one since it started: only a hash of the name is stored.
    pub name: Option<&'static str>,
    /// The hash of its type's name.
    pub name_hash: u32,
    /// Its schema version.
    pub schema: SchemaVersion,
}

/// Reads a page. Blocks on the disk. `known`: the stream's type, if it is registered.
pub(super) fn read(
    store: &Store,
    known: Option<&dyn Administered>,
    stream: &StreamId,
    from: Version,
    limit: usize,
) -> Result<EventsPage, AdminError> {
    let from = from.max(Version::new(1));
    let (mut events, mut bytes) = (Vec::new(), 0);
    store.read_stream(stream, from, &mut |commit| {
        let metadata = commit.metadata();
        for event in commit.events().filter(|event| event.version >= from) {
            if events.len() == limit || bytes >= EVENTS_PAGE_BYTES_MAX {
                return ControlFlow::Break(());
            }
            let record = record(commit, &event, &metadata, known);
            bytes += record.payload.len() + record.metadata.encoded_len();
            events.push(record);
        }
        ControlFlow::Continue(())
    })?;
    // after the events: so it is never below them
    let head = store.head(stream)?;
    let more = events
        .last()
        .map_or(from <= head, |last: &EventRecord| last.version < head);
    Ok(EventsPage { events, head, more })
}

fn record(
    commit: &StoredCommit<'_>,
    event: &StoredEvent<'_>,
    metadata: &Result<Metadata, CodecError>,
    known: Option<&dyn Administered>,
) -> EventRecord {
    EventRecord {
        version: event.version,
        position: Position::new(commit.position().shard, event.offset),
        id: commit.event_id(event),
        time: commit.time(),
        name: event.name.to_owned(),
        schema: event.schema,
        codec: event.codec,
        system: event.system,
        payload: payload(event, known),
        bytes: event.payload.len(),
        command: commit.command().map(|command| CommandSummary {
            id: command.id,
            name: known.and_then(|known| known.command_name(command.fingerprint.name)),
            name_hash: command.fingerprint.name,
            schema: command.fingerprint.version,
        }),
        metadata: metadata.clone().unwrap_or_default(),
        metadata_unreadable: metadata.as_ref().err().map(ToString::to_string),
        commit: (commit.first_version(), commit.last_version()),
    }
}

fn payload(event: &StoredEvent<'_>, known: Option<&dyn Administered>) -> Payload {
    let shown = match known {
        _ if event.system => Err("it is the runtime's own".to_owned()),
        None => Err("its aggregate type is not registered".to_owned()),
        Some(known) => known.event_json(event),
    };
    shown.map_or_else(
        |reason| Payload::Raw {
            bytes: event.payload.to_vec(),
            reason,
        },
        Payload::Json,
    )
}
