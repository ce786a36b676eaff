//! A commit record: all events of one command, as the log and the `streams` rows hold them. Self-contained;
//! what depends on its place in the log (offset, time) stands outside. Numbers are little-endian.
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 4 | length of the whole record |
//! | 4 | 4 | CRC32C of everything after it |
//! | 8 | 8 | version of the first event |
//! | 16 | 4 | events |
//! | 20 | 2 | length of the id |
//! | 22 | 1 | length of the type |
//! | 23 | 1 | format, 1 |
//! | 24 | | type, id |
//! | | | sections: tag (1), length (4), body; by ascending tag |
//!
//! Sections: 1 events (always there), 2 command, 3 metadata. A tag this version does not know is refused.
//!
//! An event: codec tag (1; the highest bit marks a system event), length of the name (1), schema version (2),
//! length of the payload (4), name, payload. A command: its id (16, big-endian), the name's fingerprint (4),
//! schema version (2), the fields' fingerprint (8), the reply's codec tag (1), the reply. Metadata: as
//! `Metadata::encode_into` writes it.

use dormouse_domain::limits::{COMMIT_BYTES_MAX, EVENTS_PER_COMMIT_MAX};
use dormouse_domain::{AggregateId, AggregateType, Codec, SchemaVersion, Version};

use super::{Malformed, Reader};

pub(crate) const FORMAT: u8 = 1;
/// Bytes before the type and the id.
pub(crate) const HEADER_BYTES: usize = 24;
/// Tag and length of a section.
pub(crate) const SECTION_HEADER_BYTES: usize = 5;
/// What precedes an event's name.
pub(crate) const EVENT_HEADER_BYTES: usize = 8;
/// Set in an event's codec byte: it belongs to the runtime, `apply` never sees it.
pub(crate) const SYSTEM_EVENT: u8 = 0x80;

pub(crate) const SECTION_EVENTS: u8 = 1;
pub(crate) const SECTION_COMMAND: u8 = 2;
pub(crate) const SECTION_METADATA: u8 = 3;

const _: () = assert!(COMMIT_BYTES_MAX < u32::MAX as usize);
const _: () = assert!(EVENTS_PER_COMMIT_MAX < u32::MAX as usize);
const _: () = assert!(AggregateId::BYTES_MAX <= u16::MAX as usize);
const _: () = assert!(AggregateType::BYTES_MAX <= u8::MAX as usize);

/// A record whose lengths, names and sections are all known to be sound. Kept small: it is moved about for every commit
/// that is read.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Record<'a> {
    pub(crate) aggregate_type: &'a str,
    pub(crate) id: &'a str,
    pub(crate) first_version: Version,
    pub(crate) events: u32,
    /// Not decoded; empty if there is none.
    pub(crate) metadata: &'a [u8],
    /// Empty if there is none.
    command: &'a [u8],
    event_bytes: &'a [u8],
    /// The name of its first event: often the other events' and the next record's, too.
    pub(crate) event_name: &'a str,
}

/// Names that were judged before. Bytes that equal one of them are sound: to compare costs a tenth of judging.
#[derive(Clone, Copy, Default)]
pub(crate) struct Known<'a> {
    pub(crate) aggregate_type: &'a str,
    pub(crate) id: &'a str,
    pub(crate) event: &'a str,
}

/// Who caused a commit, and what it was answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CommandSection<'a> {
    pub(crate) id: u128,
    pub(crate) name: u32,
    pub(crate) version: u16,
    pub(crate) fields: u64,
    pub(crate) codec: Codec,
    pub(crate) reply: &'a [u8],
}

/// One event of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct EventPart<'a> {
    pub(crate) codec: Codec,
    pub(crate) system: bool,
    pub(crate) schema: SchemaVersion,
    pub(crate) name: &'a str,
    pub(crate) payload: &'a [u8],
}

/// Takes the bytes of one record off the front, by the length it begins with.
pub(crate) fn take<'a>(reader: &mut Reader<'a>) -> Result<&'a [u8], Malformed> {
    let mut ahead = *reader;
    let len = ahead.u32("a record's length")? as usize;
    if len < HEADER_BYTES {
        return Err(Malformed::Value("a record's length"));
    }
    reader.bytes(len, "a record")
}

/// The record's stored checksum. `record` has its header.
pub(crate) fn stored_crc(record: &[u8]) -> Result<u32, Malformed> {
    let mut reader = Reader::new(record);
    reader.u32("a record's length")?;
    reader.u32("a record's checksum")
}

/// The bytes of the type and the id of a record that is known to be sound.
pub(crate) fn names(record: &[u8]) -> (&[u8], &[u8]) {
    let id_bytes = usize::from(u16::from_le_bytes([record[20], record[21]]));
    let type_end = HEADER_BYTES + usize::from(record[22]);
    (
        &record[HEADER_BYTES..type_end],
        &record[type_end..type_end + id_bytes],
    )
}

/// The id of the command in a record that is known to be sound.
pub(crate) fn command_id(record: &[u8]) -> Option<u128> {
    let (aggregate_type, id) = names(record);
    let mut reader = Reader::new(&record[HEADER_BYTES + aggregate_type.len() + id.len()..]);
    while !reader.is_empty() {
        let tag = reader.u8("a section's header").ok()?;
        let len = reader.u32("a section's header").ok()? as usize;
        let body = reader.bytes(len, "a section").ok()?;
        if tag == SECTION_COMMAND {
            return body.first_chunk().map(|id| u128::from_be_bytes(*id));
        }
    }
    None
}

impl<'a> Record<'a> {
    /// All that it holds beyond its names and versions: events, command, metadata.
    #[cfg(feature = "rocksdb")]
    pub(crate) fn content(&self) -> [&'a [u8]; 3] {
        [self.event_bytes, self.command, self.metadata]
    }

    /// Checks length, checksum and every part of the bytes of one whole record.
    pub(crate) fn decode(bytes: &'a [u8], known: &Known<'a>) -> Result<Record<'a>, Malformed> {
        let stored = stored_crc(bytes)?;
        let computed = crc32c::crc32c(&bytes[8..]);
        if computed != stored {
            return Err(Malformed::Checksum { stored, computed });
        }
        Record::parse_knowing(bytes, known)
    }

    /// The same without the checksum, for bytes that are covered by a segment's, or never left the memory.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Record<'a>, Malformed> {
        Record::parse_knowing(bytes, &Known::default())
    }

    /// The same for who expects certain names. Others are sound, too.
    #[inline]
    pub(crate) fn parse_knowing(bytes: &'a [u8], known: &Known<'a>) -> Result<Record<'a>, Malformed> {
        let mut reader = Reader::new(bytes);
        if reader.u32("a record's length")? as usize != bytes.len() {
            return Err(Malformed::Value("a record's length"));
        }
        reader.u32("a record's header")?;
        let first_version = reader.u64("a record's header")?;
        let events = reader.u32("a record's header")?;
        let id_bytes = reader.u16("a record's header")?;
        let type_bytes = reader.u8("a record's header")?;
        let format = reader.u8("a record's header")?;
        if format != FORMAT {
            return Err(Malformed::Format {
                what: "a record",
                found: format.into(),
                supported: FORMAT.into(),
            });
        }
        if first_version == 0 || events == 0 || first_version.checked_add(events.into()).is_none() {
            return Err(Malformed::Value("a record's versions"));
        }
        let aggregate_type = name(
            reader.bytes(type_bytes.into(), "a record's type")?,
            AggregateType::BYTES_MAX,
            known.aggregate_type,
        )
        .ok_or(Malformed::Value("a record's type"))?;
        let id = name(
            reader.bytes(id_bytes.into(), "a record's id")?,
            AggregateId::BYTES_MAX,
            known.id,
        )
        .ok_or(Malformed::Value("a record's id"))?;
        let sections = Sections::parse(reader)?;
        let event_name = check_events(sections.events, events, known.event)?;
        if let Some(command) = sections.command {
            CommandSection::parse(command)?;
        }
        Ok(Record {
            aggregate_type,
            id,
            first_version: Version::new(first_version),
            events,
            metadata: sections.metadata,
            command: sections.command.unwrap_or_default(),
            event_bytes: sections.events,
            event_name,
        })
    }

    /// The version of the record's last event.
    pub(crate) fn last_version(&self) -> Version {
        Version::new(self.first_version.get() + u64::from(self.events) - 1)
    }

    /// The record's events, in order.
    pub(crate) fn events(&self) -> impl Iterator<Item = EventPart<'a>> + use<'a> {
        let mut reader = Reader::new(self.event_bytes);
        let mut known = self.event_name;
        std::iter::from_fn(move || {
            if reader.is_empty() {
                return None;
            }
            let event = next_event(&mut reader, known);
            let event = event.expect("every event was checked when the record was parsed");
            known = event.name;
            Some(event)
        })
    }

    /// Who caused it, if it was a command with an id.
    pub(crate) fn command(&self) -> Option<CommandSection<'a>> {
        if self.command.is_empty() {
            return None;
        }
        let section = CommandSection::parse(self.command);
        Some(section.expect("the command was checked when the record was parsed"))
    }
}

struct Sections<'a> {
    events: &'a [u8],
    command: Option<&'a [u8]>,
    metadata: &'a [u8],
}

impl<'a> Sections<'a> {
    fn parse(mut reader: Reader<'a>) -> Result<Sections<'a>, Malformed> {
        let (mut events, mut command, mut metadata) = (None, None, None);
        let mut last_tag = 0;
        while !reader.is_empty() {
            let tag = reader.u8("a section's header")?;
            let len = reader.u32("a section's header")? as usize;
            let body = reader.bytes(len, "a section")?;
            if tag <= last_tag {
                return Err(Malformed::Value("the order of a record's sections"));
            }
            last_tag = tag;
            match tag {
                SECTION_EVENTS => events = Some(body),
                SECTION_COMMAND => command = Some(body),
                SECTION_METADATA => metadata = Some(body),
                unknown => return Err(Malformed::Section(unknown)),
            }
        }
        let events = events.ok_or(Malformed::Short("a record's events"))?;
        Ok(Sections {
            events,
            command,
            metadata: metadata.unwrap_or_default(),
        })
    }
}

impl<'a> CommandSection<'a> {
    fn parse(body: &'a [u8]) -> Result<CommandSection<'a>, Malformed> {
        let mut reader = Reader::new(body);
        let (id, rest) = reader
            .rest()
            .split_first_chunk()
            .ok_or(Malformed::Short("a record's command"))?;
        reader = Reader::new(rest);
        let name = reader.u32("a record's command")?;
        let version = reader.u16("a record's command")?;
        let fields = reader.u64("a record's command")?;
        let codec = Codec::from_tag(reader.u8("a record's command")?)
            .ok_or(Malformed::Value("the codec of a record's reply"))?;
        Ok(CommandSection {
            id: u128::from_be_bytes(*id),
            name,
            version,
            fields,
            codec,
            reply: reader.rest(),
        })
    }

    /// Appends the section's body.
    pub(crate) fn encode_into(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.id.to_be_bytes());
        out.extend_from_slice(&self.name.to_le_bytes());
        out.extend_from_slice(&self.version.to_le_bytes());
        out.extend_from_slice(&self.fields.to_le_bytes());
        out.push(self.codec.tag());
        out.extend_from_slice(self.reply);
    }
}

/// The first event's name, once all events are known to be sound.
fn check_events<'a>(bytes: &'a [u8], expected: u32, known: &'a str) -> Result<&'a str, Malformed> {
    let mut reader = Reader::new(bytes);
    let first = next_event(&mut reader, known)?.name;
    let (mut known, mut found) = (first, 1_u32);
    while !reader.is_empty() {
        known = next_event(&mut reader, known)?.name;
        found = found
            .checked_add(1)
            .ok_or(Malformed::Value("a record's number of events"))?;
    }
    if found == expected {
        Ok(first)
    } else {
        Err(Malformed::Value("a record's number of events"))
    }
}

#[inline]
fn next_event<'a>(reader: &mut Reader<'a>, known: &'a str) -> Result<EventPart<'a>, Malformed> {
    let codec = reader.u8("an event's header")?;
    let name_bytes = reader.u8("an event's header")?;
    let schema = reader.u16("an event's header")?;
    let payload_bytes = reader.u32("an event's header")? as usize;
    let name_bytes = reader.bytes(name_bytes.into(), "an event's name")?;
    let payload = reader.bytes(payload_bytes, "an event's payload")?;
    Ok(EventPart {
        codec: Codec::from_tag(codec & !SYSTEM_EVENT).ok_or(Malformed::Value("an event's codec"))?,
        system: codec & SYSTEM_EVENT != 0,
        schema: SchemaVersion::new(schema),
        name: name(name_bytes, u8::MAX.into(), known).ok_or(Malformed::Value("an event's name"))?,
        payload,
    })
}

/// Bytes as a type, an id or a name: not empty, not too long, UTF-8, no control characters.
fn name<'a>(bytes: &'a [u8], bytes_max: usize, known: &'a str) -> Option<&'a str> {
    if bytes.is_empty() || bytes.len() > bytes_max {
        return None;
    }
    if bytes == known.as_bytes() {
        return Some(known);
    }
    let text = std::str::from_utf8(bytes).ok()?;
    // of all bytes, without an early end: so the compiler looks at many at once
    let plain = bytes
        .iter()
        .fold(true, |plain, byte| plain & (b' '..=b'~').contains(byte));
    let control = !plain && text.chars().any(char::is_control);
    (!control).then_some(text)
}

#[cfg(test)]
mod tests;
