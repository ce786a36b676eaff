//! The value of a `streams` row: one or more commits of one stream, oldest first. Numbers are little-endian.
//!
//! Each is the offset of its first event (8), its time in µs (8), a CRC32C of these two and of the record's own
//! checksum (4), and its record, which begins with its length.

use dormouse_domain::{Offset, Timestamp};

use super::record::{self, Known, Record};
use super::{Malformed, Reader};

/// A row grows by whole commits until it holds this many bytes; the next commit begins another row. Bounds what
/// a reader loads to get at one commit.
pub(crate) const ROW_BYTES_MAX: usize = 64 * 1024;
/// What precedes each record.
pub(crate) const ENTRY_HEADER_BYTES: usize = 20;

/// A commit's place in the log: its first offset and its time.
const PLACE_BYTES: usize = 16;

/// One commit in a row.
pub(crate) struct RowEntry<'a> {
    pub(crate) first: Offset,
    pub(crate) time: Timestamp,
    pub(crate) record: Record<'a>,
}

/// Appends one commit to a row.
///
/// # Panics
/// If `record` is shorter than a record's header.
pub(crate) fn push(row: &mut Vec<u8>, first: Offset, time: Timestamp, record: &[u8]) {
    let record_crc = record::stored_crc(record).expect("a whole record");
    row.extend_from_slice(&first.get().to_le_bytes());
    row.extend_from_slice(&time.as_micros().to_le_bytes());
    let crc = entry_crc(&row[row.len() - PLACE_BYTES..], record_crc);
    row.extend_from_slice(&crc.to_le_bytes());
    row.extend_from_slice(record);
}

/// The commits of a row, each checked before it is given out; ends with the first error. `known`: names that they
/// are likely to hold.
pub(crate) fn entries<'a>(
    row: &'a [u8],
    mut known: Known<'a>,
) -> impl Iterator<Item = Result<RowEntry<'a>, Malformed>> {
    let mut reader = Reader::new(row);
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed || reader.is_empty() {
            return None;
        }
        let entry = next(&mut reader, &known);
        match &entry {
            Ok(entry) => known.event = entry.record.event_name,
            Err(_) => failed = true,
        }
        Some(entry)
    })
}

#[inline]
fn next<'a>(reader: &mut Reader<'a>, known: &Known<'a>) -> Result<RowEntry<'a>, Malformed> {
    let mut ahead = *reader;
    let place = ahead.bytes(PLACE_BYTES, "a row")?;
    let first = reader.u64("a row")?;
    let time = Timestamp::from_micros(reader.u64("a row")?);
    let stored = reader.u32("a row")?;
    let bytes = record::take(reader)?;
    let computed = entry_crc(place, record::stored_crc(bytes)?);
    if computed != stored {
        return Err(Malformed::Checksum { stored, computed });
    }
    let record = Record::decode(bytes, known)?;
    if first == 0 || first.checked_add(record.events.into()).is_none() {
        return Err(Malformed::Value("a commit's offset"));
    }
    Ok(RowEntry {
        first: Offset::new(first),
        time,
        record,
    })
}

/// Both parts in one aligned piece: this is computed for every commit that is read, and the checksum is a third as fast
/// in pieces.
fn entry_crc(place: &[u8], record_crc: u32) -> u32 {
    #[repr(align(8))]
    struct Aligned([u8; PLACE_BYTES + size_of::<u32>()]);
    let mut both = Aligned([0; _]);
    both.0[..PLACE_BYTES].copy_from_slice(place);
    both.0[PLACE_BYTES..].copy_from_slice(&record_crc.to_le_bytes());
    crc32c::crc32c(&both.0)
}
