//! Commits on their way in: encoded on the caller's thread, so that the journal only copies bytes.

use std::sync::Arc;

use dormouse_domain::limits::{
    COMMIT_BYTES_MAX, EVENT_NAME_BYTES_MAX, EVENTS_PER_COMMIT_MAX, PAYLOAD_BYTES_MAX, REPLY_BYTES_MAX,
};
use serde::Serialize;

use dormouse_domain::{
    AggregateId, AggregateType, Codec, CodecError, CommandFingerprint, CommandId, Event, EventType, Metadata,
    SchemaVersion, SizeLimit, StreamId, Version,
};

use crate::format::record::{
    self, CommandSection, EVENT_HEADER_BYTES, FORMAT, HEADER_BYTES, SECTION_COMMAND, SECTION_EVENTS,
    SECTION_HEADER_BYTES, SECTION_METADATA, SYSTEM_EVENT,
};

/// The codec byte of a system event: its payload is the runtime's own.
const SYSTEM_CODEC: Codec = Codec::Bincode;
/// What a typical commit takes, so that encoding one allocates once.
const TYPICAL_BYTES: usize = 256;

/// Builds the record of one commit: the events of one command, then what is stored with them.
///
/// ```
/// use dormouse_domain::{AggregateType, StreamId, Version};
/// use dormouse_persistence::CommitBuilder;
///
/// let stream = StreamId::new(AggregateType::from_static("account"), "acc-1".try_into()?);
/// let mut commit = CommitBuilder::new(&stream, Version::new(1));
/// commit.system_event("timer set", b"at noon")?;
/// assert_eq!(commit.last_version(), Version::new(1));
/// let commit = commit.finish()?;
/// assert_eq!(commit.events(), 1);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct CommitBuilder {
    /// Header (its length and checksum still open), type, id, the sections so far.
    bytes: Vec<u8>,
    /// Where the newest section begins. Its length is written when it ends.
    section_at: usize,
    first_version: Version,
    events: u32,
    command: Option<u128>,
}

/// A finished commit: one to 10,000 events of one stream, at most 4 MiB. All of it is stored, or nothing.
#[derive(Clone, Debug)]
pub struct Commit {
    pub(crate) bytes: Vec<u8>,
    pub(crate) first_version: Version,
    pub(crate) events: u32,
    pub(crate) command: Option<u128>,
}

/// Why something can't be part of a commit. The builder is as it was before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommitError {
    /// A part, or the whole, is over its bound.
    #[error("{field} has {bytes} bytes when encoded; the limit is {limit}")]
    TooLarge {
        /// What is too large.
        field: &'static str,
        /// Its size.
        bytes: usize,
        /// The bound.
        limit: usize,
    },
    /// A command decided on more events than one commit takes.
    #[error("a commit takes at most {limit} events")]
    TooManyEvents {
        /// The bound.
        limit: usize,
    },
    /// A value can't be encoded.
    #[error("{field} can't be encoded: {reason}")]
    Unencodable {
        /// What it is.
        field: &'static str,
        /// What the codec said.
        reason: Arc<str>,
    },
    /// A commit without events: there is nothing to store.
    #[error("a commit needs at least one event")]
    NoEvents,
}

impl CommitBuilder {
    /// Begins the commit whose first event has `first_version`: the writer's head and one.
    #[must_use]
    pub fn new(stream: &StreamId, first_version: Version) -> CommitBuilder {
        CommitBuilder::of(&stream.aggregate_type, &stream.id, first_version)
    }

    /// As [`CommitBuilder::new`], for who has the stream's name in two parts.
    #[must_use]
    pub fn of(aggregate_type: &AggregateType, id: &AggregateId, first_version: Version) -> CommitBuilder {
        let (aggregate_type, id) = (aggregate_type.as_str(), id.as_str());
        let mut bytes = Vec::with_capacity(HEADER_BYTES + aggregate_type.len() + id.len() + TYPICAL_BYTES);
        bytes.extend_from_slice(&[0; 8]);
        bytes.extend_from_slice(&first_version.get().to_le_bytes());
        bytes.extend_from_slice(&0_u32.to_le_bytes());
        let id_bytes = u16::try_from(id.len()).expect("an aggregate id is bounded");
        bytes.extend_from_slice(&id_bytes.to_le_bytes());
        bytes.push(u8::try_from(aggregate_type.len()).expect("an aggregate type is bounded"));
        bytes.push(FORMAT);
        bytes.extend_from_slice(aggregate_type.as_bytes());
        bytes.extend_from_slice(id.as_bytes());
        let section_at = bytes.len();
        bytes.extend_from_slice(&[SECTION_EVENTS, 0, 0, 0, 0]);
        CommitBuilder {
            bytes,
            section_at,
            first_version,
            events: 0,
            command: None,
        }
    }

    /// Adds an event. Events come before everything else.
    ///
    /// # Errors
    /// `TooLarge` if its payload is over 1 MiB or the commit would be over 4 MiB, `TooManyEvents` after 10,000,
    /// `Unencodable` if the codec can't write it. Nothing was added then.
    ///
    /// # Panics
    /// After [`command`](Self::command) or [`metadata`](Self::metadata).
    pub fn event<E: Event>(&mut self, event: &E, codec: Codec) -> Result<(), CommitError> {
        let EventType { name, version } = event.event_type();
        let limit = SizeLimit {
            field: "event payload",
            bytes_max: PAYLOAD_BYTES_MAX,
        };
        self.add(name, version, codec.tag(), |out| {
            event
                .encode(codec, out, limit)
                .map_err(|error| unencodable(limit.field, error))
        })
    }

    /// Adds an event of the runtime's own: it takes a version and an offset, and never reaches `apply`.
    ///
    /// # Errors
    /// As [`CommitBuilder::event`]. It panics when that does.
    pub fn system_event(&mut self, name: &'static str, payload: &[u8]) -> Result<(), CommitError> {
        self.add(
            name,
            SchemaVersion::FIRST,
            SYSTEM_CODEC.tag() | SYSTEM_EVENT,
            |out| {
                within("event payload", payload.len(), PAYLOAD_BYTES_MAX)?;
                out.extend_from_slice(payload);
                Ok(())
            },
        )
    }

    fn add(
        &mut self,
        name: &'static str,
        schema: SchemaVersion,
        codec: u8,
        payload: impl FnOnce(&mut Vec<u8>) -> Result<(), CommitError>,
    ) -> Result<(), CommitError> {
        assert_eq!(
            self.section(),
            SECTION_EVENTS,
            "events come before command and metadata"
        );
        if self.events() == EVENTS_PER_COMMIT_MAX {
            return Err(CommitError::TooManyEvents {
                limit: EVENTS_PER_COMMIT_MAX,
            });
        }
        if name.is_empty() {
            return Err(CommitError::Unencodable {
                field: "event name",
                reason: "it is empty".into(),
            });
        }
        within("event name", name.len(), EVENT_NAME_BYTES_MAX)?;
        // A reader refuses it, and a log with one could not be opened again.
        if name.contains(char::is_control) {
            return Err(CommitError::Unencodable {
                field: "event name",
                reason: "it has a control character".into(),
            });
        }
        let start = self.bytes.len();
        self.bytes.push(codec);
        self.bytes.push(u8::try_from(name.len()).expect("checked above"));
        self.bytes.extend_from_slice(&schema.get().to_le_bytes());
        self.bytes.extend_from_slice(&[0; 4]);
        self.bytes.extend_from_slice(name.as_bytes());
        let payload_at = self.bytes.len();
        let added = payload(&mut self.bytes).and_then(|()| within("commit", self.bytes(), COMMIT_BYTES_MAX));
        if added.is_err() {
            self.bytes.truncate(start);
            return added;
        }
        let len = self.bytes.len() - payload_at;
        put_len(&mut self.bytes[start + EVENT_HEADER_BYTES - 4..], len);
        self.events += 1;
        Ok(())
    }

    /// Says which command decided these events, and the reply it gets, also when it is sent again. After the events.
    ///
    /// # Errors
    /// `TooLarge` if the reply takes over 64 KiB, `Unencodable` if the codec can't write it. Nothing was added then.
    ///
    /// # Panics
    /// The second time, and after [`metadata`](Self::metadata).
    pub fn command<R: Serialize + ?Sized>(
        &mut self,
        id: CommandId,
        fingerprint: CommandFingerprint,
        codec: Codec,
        reply: &R,
    ) -> Result<(), CommitError> {
        let section = CommandSection {
            id: id.as_u128(),
            name: fingerprint.name,
            version: fingerprint.version.get(),
            fields: fingerprint.fields,
            codec,
            reply: &[],
        };
        let limit = SizeLimit {
            field: "reply",
            bytes_max: REPLY_BYTES_MAX,
        };
        let before = (self.bytes.len(), self.section_at);
        self.begin(SECTION_COMMAND);
        section.encode_into(&mut self.bytes);
        if let Err(error) = codec.encode(reply, &mut self.bytes, limit) {
            self.bytes.truncate(before.0);
            self.section_at = before.1;
            return Err(unencodable(limit.field, error));
        }
        self.command = Some(section.id);
        Ok(())
    }

    /// Stores `metadata` with the events, unless it is empty. It should have been validated. Last.
    ///
    /// # Panics
    /// The second time.
    pub fn metadata(&mut self, metadata: &Metadata) {
        if !metadata.is_empty() {
            self.begin(SECTION_METADATA);
            metadata.encode_into(&mut self.bytes);
        }
    }

    /// The newest section's tag.
    fn section(&self) -> u8 {
        self.bytes[self.section_at]
    }

    /// Begins the next section. They are stored in the order of their tags.
    fn begin(&mut self, section: u8) {
        assert!(self.section() < section, "events, then command, then metadata");
        self.end_section();
        self.section_at = self.bytes.len();
        self.bytes.extend_from_slice(&[section, 0, 0, 0, 0]);
    }

    fn end_section(&mut self) {
        let len = self.bytes.len() - self.section_at - SECTION_HEADER_BYTES;
        put_len(&mut self.bytes[self.section_at + 1..], len);
    }

    /// How many events it holds.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events as usize
    }

    /// How many bytes its record takes, as far as it is built.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The version of its last event; one below the first if it holds none.
    #[must_use]
    pub fn last_version(&self) -> Version {
        Version::new((self.first_version.get() + u64::from(self.events)).saturating_sub(1))
    }

    /// Closes the record.
    ///
    /// # Errors
    /// `NoEvents`; `TooLarge` if the whole is over 4 MiB.
    pub fn finish(mut self) -> Result<Commit, CommitError> {
        if self.events == 0 {
            return Err(CommitError::NoEvents);
        }
        within("commit", self.bytes(), COMMIT_BYTES_MAX)?;
        self.end_section();
        let len = self.bytes.len();
        put_len(&mut self.bytes, len);
        self.bytes[16..20].copy_from_slice(&self.events.to_le_bytes());
        let crc = crc32c::crc32c(&self.bytes[8..]);
        self.bytes[4..8].copy_from_slice(&crc.to_le_bytes());
        Ok(Commit {
            bytes: self.bytes,
            first_version: self.first_version,
            events: self.events,
            command: self.command,
        })
    }
}

impl Commit {
    /// How many events it holds.
    #[must_use]
    pub fn events(&self) -> usize {
        self.events as usize
    }

    /// How many bytes its record takes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn is_of(&self, stream: &StreamId) -> bool {
        let names = (
            stream.aggregate_type.as_str().as_bytes(),
            stream.id.as_str().as_bytes(),
        );
        record::names(&self.bytes) == names
    }

    /// The version of its first event.
    #[must_use]
    pub fn first_version(&self) -> Version {
        self.first_version
    }

    /// The version of its last event.
    #[must_use]
    pub fn last_version(&self) -> Version {
        Version::new((self.first_version.get() + u64::from(self.events)).saturating_sub(1))
    }
}

/// Writes a length into the first four bytes.
fn put_len(out: &mut [u8], len: usize) {
    let len = u32::try_from(len).expect("a commit is bounded far below 4 GiB");
    out[..4].copy_from_slice(&len.to_le_bytes());
}

fn within(field: &'static str, bytes: usize, limit: usize) -> Result<(), CommitError> {
    if bytes <= limit {
        Ok(())
    } else {
        Err(CommitError::TooLarge { field, bytes, limit })
    }
}

fn unencodable(field: &'static str, error: CodecError) -> CommitError {
    match error {
        CodecError::TooLarge { field, bytes, limit } => CommitError::TooLarge { field, bytes, limit },
        other => CommitError::Unencodable {
            field,
            reason: other.to_string().into(),
        },
    }
}

#[cfg(test)]
mod tests;
