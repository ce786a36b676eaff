//! The value of a `streams` row: one or more commits of one stream, oldest first. Numbers are little-endian.
//!
//! Each is the offset of its first event (8), its time in µs (8), a CRC32C of these two and of the record's own
//! checksum (4), and its record, which begins with its length.

use dormouse_domain::{Offset, Timestamp};

use super::record::{self, Record};
use super::{Malformed, Reader};

/// A row grows by whole commits until it holds this many bytes; the next commit begins another row. Bounds what
/// a reader loads to get at one commit.
pub(crate) const ROW_BYTES_MAX: usize = 64 * 1024;
/// What precedes each record.
pub(crate) const ENTRY_HEADER_BYTES: usize = 20;

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
    let crc = entry_crc(&row[row.len() - 16..], record_crc);
    row.extend_from_slice(&crc.to_le_bytes());
    row.extend_from_slice(record);
}

/// The commits of a row, each checked before it is given out; ends with the first error.
pub(crate) fn entries(row: &[u8]) -> impl Iterator<Item = Result<RowEntry<'_>, Malformed>> {
    let mut reader = Reader::new(row);
    let mut failed = false;
    std::iter::from_fn(move || {
        if failed || reader.is_empty() {
            return None;
        }
        let entry = next(&mut reader);
        failed = entry.is_err();
        Some(entry)
    })
}

fn next<'a>(reader: &mut Reader<'a>) -> Result<RowEntry<'a>, Malformed> {
    let place = reader.rest();
    let first = reader.u64("a row")?;
    let time = Timestamp::from_micros(reader.u64("a row")?);
    let stored = reader.u32("a row")?;
    let bytes = record::take(reader)?;
    let computed = entry_crc(&place[..16], record::stored_crc(bytes)?);
    if computed != stored {
        return Err(Malformed::Checksum { stored, computed });
    }
    let record = Record::decode(bytes)?;
    if first == 0 || first.checked_add(record.events.into()).is_none() {
        return Err(Malformed::Value("a commit's offset"));
    }
    Ok(RowEntry {
        first: Offset::new(first),
        time,
        record,
    })
}

fn entry_crc(place: &[u8], record_crc: u32) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(place), &record_crc.to_le_bytes())
}
