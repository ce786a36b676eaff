//! Commits on their way out: views into bytes that were checked.

use dormouse_domain::{
    AggregateId, AggregateType, Codec, CodecError, CommandFingerprint, CommandId, EventId, Metadata, Offset,
    Position, SchemaVersion, ShardId, StreamId, Timestamp, Version,
};
use uuid::Uuid;
#[cfg(feature = "rocksdb")]
use xxhash_rust::xxh3::Xxh3;

use crate::format::record::Record;

/// A commit as it is stored. Lengths and checksums were checked; payloads are not decoded yet.
#[derive(Clone, Copy, Debug)]
pub struct StoredCommit<'a> {
    record: Record<'a>,
    shard: ShardId,
    first_offset: Offset,
    time: Timestamp,
}

/// The command that caused a commit, and its reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredCommand<'a> {
    /// Its id.
    pub id: CommandId,
    /// Tells a retry from another command with the same id; carries the command's schema version.
    pub fingerprint: CommandFingerprint,
    /// How the reply is encoded.
    pub codec: Codec,
    /// The encoded reply.
    pub reply: &'a [u8],
}

/// One stored event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredEvent<'a> {
    /// Its number in its stream.
    pub version: Version,
    /// Its number in its shard's log.
    pub offset: Offset,
    /// Its variant's stored name.
    pub name: &'a str,
    /// The schema version it was stored with.
    pub schema: SchemaVersion,
    /// How the payload is encoded.
    pub codec: Codec,
    /// Whether it is the runtime's own: `apply` never sees it.
    pub system: bool,
    /// The encoded fields.
    pub payload: &'a [u8],
}

impl<'a> StoredCommit<'a> {
    pub(crate) fn new(record: Record<'a>, shard: ShardId, first_offset: Offset, time: Timestamp) -> Self {
        StoredCommit {
            record,
            shard,
            first_offset,
            time,
        }
    }

    /// A hash of all there is to it, place and time included.
    #[cfg(feature = "rocksdb")]
    pub(crate) fn digest(&self) -> u64 {
        let mut hash = Xxh3::new();
        for number in [
            self.first_offset.get(),
            self.time.as_micros(),
            self.first_version().get(),
        ] {
            hash.update(&number.to_le_bytes());
        }
        for part in self.record.content() {
            hash.update(&(part.len() as u64).to_le_bytes());
            hash.update(part);
        }
        hash.digest()
    }

    /// The stream it belongs to. Allocates; [`StoredCommit::aggregate_type`] and [`StoredCommit::id`] don't.
    ///
    /// # Panics
    /// Never: both parts were checked when the record was read.
    #[must_use]
    pub fn stream(&self) -> StreamId {
        let aggregate_type = AggregateType::new(self.record.aggregate_type.to_owned());
        let id = AggregateId::try_from(self.record.id);
        StreamId::new(
            aggregate_type.expect("types are checked when a record is read"),
            id.expect("ids are checked when a record is read"),
        )
    }

    /// The stream's aggregate type.
    #[must_use]
    pub fn aggregate_type(&self) -> &'a str {
        self.record.aggregate_type
    }

    /// The stream's aggregate id.
    #[must_use]
    pub fn id(&self) -> &'a str {
        self.record.id
    }

    /// The version of its first event.
    #[must_use]
    pub fn first_version(&self) -> Version {
        self.record.first_version
    }

    /// The version of its last event.
    #[must_use]
    pub fn last_version(&self) -> Version {
        self.record.last_version()
    }

    /// The offset of its first event.
    #[must_use]
    pub fn first_offset(&self) -> Offset {
        self.first_offset
    }

    /// The offset of its last event.
    #[must_use]
    pub fn last_offset(&self) -> Offset {
        Offset::new(self.first_offset.get() + u64::from(self.record.events) - 1)
    }

    /// The position of its first event.
    #[must_use]
    pub fn position(&self) -> Position {
        Position::new(self.shard, self.first_offset)
    }

    /// The time of the batch it was written in. Never steps back along a log.
    #[must_use]
    pub fn time(&self) -> Timestamp {
        self.time
    }

    /// The command that caused it, if there was one with an id.
    #[must_use]
    pub fn command(&self) -> Option<StoredCommand<'a>> {
        self.record.command().map(|section| StoredCommand {
            id: CommandId::from(Uuid::from_u128(section.id)),
            fingerprint: CommandFingerprint {
                name: section.name,
                version: SchemaVersion::new(section.version),
                fields: section.fields,
            },
            codec: section.codec,
            reply: section.reply,
        })
    }

    /// What was stored with its events.
    ///
    /// # Errors
    /// When a later version wrote metadata this one can't read.
    pub fn metadata(&self) -> Result<Metadata, CodecError> {
        if self.record.metadata.is_empty() {
            return Ok(Metadata::default());
        }
        Metadata::decode(self.record.metadata)
    }

    /// How many events it holds, at least one.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.record.events as usize
    }

    /// Its events, in order.
    pub fn events(&self) -> impl Iterator<Item = StoredEvent<'a>> + use<'a> {
        let (version, offset) = (self.record.first_version.get(), self.first_offset.get());
        self.record.events().zip(0..).map(move |(event, i)| StoredEvent {
            version: Version::new(version + i),
            offset: Offset::new(offset + i),
            name: event.name,
            schema: event.schema,
            codec: event.codec,
            system: event.system,
            payload: event.payload,
        })
    }

    /// The id of one of its events, as the outside world knows it: derived, the same at every reading.
    #[must_use]
    pub fn event_id(&self, event: &StoredEvent<'_>) -> EventId {
        EventId::derive(self.time, Position::new(self.shard, event.offset))
    }
}
