//! A segment: the commits of one batch, as one log row holds them. Numbers are little-endian.
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 4 | magic `DMSG` |
//! | 4 | 2 | format, 1 |
//! | 6 | 2 | shard |
//! | 8 | 1 | compression: 0 none, 1 one LZ4 block |
//! | 9 | 3 | zero |
//! | 12 | 4 | CRC32C of everything before and after it |
//! | 16 | 8 | epoch |
//! | 24 | 8 | batch number, from 1 |
//! | 32 | 8 | first offset |
//! | 40 | 8 | time, µs since the Unix epoch |
//! | 48 | 16 | xxh3-128 of the segment before; zero for the first |
//! | 64 | 4 | events |
//! | 68 | 4 | commits |
//! | 72 | 4 | length of what follows the header, as stored |
//! | 76 | 4 | the same before compression |
//! | 80 | | commit records, one after another |

use std::borrow::Cow;

use dormouse_domain::{Offset, ShardId, Timestamp};
use xxhash_rust::xxh3::xxh3_128;

use super::{Malformed, Reader};

/// Bytes before the records.
pub(crate) const HEADER_BYTES: usize = 80;
/// The first four bytes of every segment.
pub(crate) const MAGIC: [u8; 4] = *b"DMSG";
const FORMAT: u16 = 1;
const CRC_AT: usize = 12;
#[cfg(any(feature = "rocksdb", fuzzing))]
const STORED_BYTES_AT: usize = 72;
/// LZ4 expands no byte to more: what a length may claim is bounded by what is there.
const LZ4_RATIO_MAX: usize = 255;
/// More records than any batch holds: the largest that can be asked for, and one commit more.
pub(crate) const RECORDS_BYTES_MAX: usize = 32 * 1024 * 1024;

/// How a segment's records are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    None = 0,
    Lz4 = 1,
}

/// What a segment says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) shard: ShardId,
    /// Who wrote it, in a cluster; 1 on a single node.
    pub(crate) epoch: u64,
    /// Counts a shard's segments from 1, without gaps.
    pub(crate) batch: u64,
    pub(crate) first: Offset,
    pub(crate) time: Timestamp,
    /// [`hash`] of the segment before, 0 for the first.
    pub(crate) previous: u128,
    pub(crate) events: u32,
    pub(crate) commits: u32,
}

impl Header {
    /// The offset of the segment's last event.
    pub(crate) fn last(&self) -> Offset {
        Offset::new(self.first.get() + u64::from(self.events) - 1)
    }
}

/// What the next segment's header says of this one.
pub(crate) fn hash(segment: &[u8]) -> u128 {
    xxh3_128(segment)
}

/// Fills in the header of a segment whose first [`HEADER_BYTES`] bytes are reserved and whose records follow.
///
/// # Panics
/// If the buffer is shorter than a header or longer than 4 GiB; the journal's bounds are far below.
pub(crate) fn seal(segment: &mut [u8], header: &Header) {
    let records = segment.len() - HEADER_BYTES;
    seal_as(segment, header, Compression::None, records);
}

/// The same where what follows is stored otherwise, and takes `records` bytes as it was.
pub(crate) fn seal_as(segment: &mut [u8], header: &Header, compression: Compression, records: usize) {
    let len = |bytes: usize| u32::try_from(bytes).expect("a batch is bounded far below 4 GiB");
    let (stored, records) = (len(segment.len() - HEADER_BYTES), len(records));
    let bytes = &mut segment[..HEADER_BYTES];
    bytes[0..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&FORMAT.to_le_bytes());
    bytes[6..8].copy_from_slice(&header.shard.get().to_le_bytes());
    bytes[8..CRC_AT].copy_from_slice(&[compression as u8, 0, 0, 0]);
    bytes[16..24].copy_from_slice(&header.epoch.to_le_bytes());
    bytes[24..32].copy_from_slice(&header.batch.to_le_bytes());
    bytes[32..40].copy_from_slice(&header.first.get().to_le_bytes());
    bytes[40..48].copy_from_slice(&header.time.as_micros().to_le_bytes());
    bytes[48..64].copy_from_slice(&header.previous.to_le_bytes());
    bytes[64..68].copy_from_slice(&header.events.to_le_bytes());
    bytes[68..72].copy_from_slice(&header.commits.to_le_bytes());
    bytes[72..76].copy_from_slice(&stored.to_le_bytes());
    bytes[76..80].copy_from_slice(&records.to_le_bytes());
    let crc = checksum(segment);
    segment[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
}

fn checksum(segment: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&segment[..CRC_AT]), &segment[CRC_AT + 4..])
}

/// Checks a whole segment's lengths and checksum; its header and its records' bytes.
pub(crate) fn decode(segment: &[u8]) -> Result<(Header, Cow<'_, [u8]>), Malformed> {
    let (header, stored) = check(segment)?;
    let records = match stored.compression {
        Compression::None => Cow::Borrowed(stored.bytes),
        Compression::Lz4 => Cow::Owned(unpack(&stored)?),
    };
    Ok((header, records))
}

/// Checks a whole segment's lengths and checksum; its header.
#[cfg(any(feature = "rocksdb", test, fuzzing))]
pub(crate) fn decode_header(segment: &[u8]) -> Result<Header, Malformed> {
    check(segment).map(|(header, _)| header)
}

/// How many bytes a segment has, as its header says; `None` if that is not there. No checksum is looked at.
#[cfg(any(feature = "rocksdb", fuzzing))]
pub(crate) fn declared_bytes(beginning: &[u8]) -> Option<usize> {
    let stored = beginning.get(STORED_BYTES_AT..STORED_BYTES_AT + 4)?;
    let stored = u32::from_le_bytes(stored.try_into().ok()?);
    let whole = HEADER_BYTES.checked_add(usize::try_from(stored).ok()?)?;
    beginning.starts_with(&MAGIC).then_some(whole)
}

/// What follows a segment's header.
struct Stored<'a> {
    compression: Compression,
    bytes: &'a [u8],
    /// What the records take unpacked.
    records: usize,
}

fn check(segment: &[u8]) -> Result<(Header, Stored<'_>), Malformed> {
    let mut reader = Reader::new(segment);
    if reader.bytes(4, "a segment's header")? != MAGIC {
        return Err(Malformed::Value("a segment's magic"));
    }
    let format = reader.u16("a segment's header")?;
    if format != FORMAT {
        return Err(Malformed::Format {
            what: "a segment",
            found: format.into(),
            supported: FORMAT.into(),
        });
    }
    let shard = ShardId::new(reader.u16("a segment's header")?);
    let flags = reader.bytes(4, "a segment's header")?;
    let crc = reader.u32("a segment's header")?;
    let epoch = reader.u64("a segment's header")?;
    let batch = reader.u64("a segment's header")?;
    let first = reader.u64("a segment's header")?;
    let time = reader.u64("a segment's header")?;
    let previous = reader.u128("a segment's header")?;
    let events = reader.u32("a segment's header")?;
    let commits = reader.u32("a segment's header")?;
    let stored_bytes = reader.u32("a segment's header")? as usize;
    let records = reader.u32("a segment's header")? as usize;
    let bytes = reader.bytes(stored_bytes, "a segment")?;
    reader.end("a segment")?;
    let computed = checksum(segment);
    if computed != crc {
        return Err(Malformed::Checksum {
            stored: crc,
            computed,
        });
    }
    let (compression, fits) = match flags {
        [0, 0, 0, 0] => (Compression::None, records == stored_bytes),
        [1, 0, 0, 0] => (Compression::Lz4, records <= unpacked_max(stored_bytes)),
        _ => return Err(Malformed::Value("a segment's compression")),
    };
    if !fits {
        return Err(Malformed::Value("a segment's length before compression"));
    }
    if first == 0 || first.checked_add(events.into()).is_none() {
        return Err(Malformed::Value("a segment's first offset"));
    }
    if commits == 0 || events < commits {
        return Err(Malformed::Value("a segment's number of commits or events"));
    }
    let header = Header {
        shard,
        epoch,
        batch,
        first: Offset::new(first),
        time: Timestamp::from_micros(time),
        previous,
        events,
        commits,
    };
    let stored = Stored {
        compression,
        bytes,
        records,
    };
    Ok((header, stored))
}

/// What so many bytes may unpack to.
fn unpacked_max(stored_bytes: usize) -> usize {
    stored_bytes.saturating_mul(LZ4_RATIO_MAX).min(RECORDS_BYTES_MAX)
}

fn unpack(stored: &Stored<'_>) -> Result<Vec<u8>, Malformed> {
    let mut records = vec![0; stored.records];
    match lz4_flex::block::decompress_into(stored.bytes, &mut records) {
        Ok(bytes) if bytes == records.len() => Ok(records),
        _ => Err(Malformed::Value("a segment's compressed records")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment() -> (Vec<u8>, Header) {
        let header = Header {
            shard: ShardId::new(3),
            epoch: 1,
            batch: 9,
            first: Offset::new(100),
            time: Timestamp::from_micros(77),
            previous: 5,
            events: 4,
            commits: 2,
        };
        let mut bytes = vec![0xff; HEADER_BYTES];
        bytes.extend_from_slice(b"some records");
        seal(&mut bytes, &header);
        (bytes, header)
    }

    fn with(at: usize, part: &[u8]) -> Result<Header, Malformed> {
        let (mut bytes, _) = segment();
        bytes[at..at + part.len()].copy_from_slice(part);
        let crc = checksum(&bytes);
        bytes[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
        decode(&bytes).map(|(header, _)| header)
    }

    #[test]
    fn is_read_as_it_was_written() {
        let (bytes, header) = segment();
        assert_eq!(decode(&bytes), Ok((header, Cow::Borrowed(&b"some records"[..]))));
        assert_eq!(header.last(), Offset::new(103));
    }

    #[test]
    fn a_cut_or_a_flip_anywhere_is_an_error() {
        let (bytes, _) = segment();
        for at in 0..bytes.len() {
            assert!(decode(&bytes[..at]).is_err(), "cut to {at}");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(decode(&flipped).is_err(), "byte {at}, bit {bit}");
            }
        }
        assert_eq!(
            decode(&[&bytes[..], b"x"].concat()),
            Err(Malformed::Long("a segment"))
        );
    }

    #[test]
    fn what_is_not_allowed_is_refused_even_with_a_right_checksum() {
        let not_allowed = |at, part: &[u8], why| assert_eq!(with(at, part), Err(Malformed::Value(why)));
        assert!(with(16, &[1]).is_ok(), "the helper itself");
        assert_eq!(
            with(4, &[2]),
            Err(Malformed::Format {
                what: "a segment",
                found: 2,
                supported: 1
            })
        );
        not_allowed(0, b"X", "a segment's magic");
        not_allowed(8, &[2], "a segment's compression");
        not_allowed(9, &[1], "a segment's compression");
        not_allowed(76, &[0], "a segment's length before compression");
        not_allowed(8, &[1], "a segment's compressed records");
        not_allowed(32, &[0; 8], "a segment's first offset");
        not_allowed(32, &[0xff; 8], "a segment's first offset");
        not_allowed(68, &[0], "a segment's number of commits or events");
        not_allowed(64, &[1], "a segment's number of commits or events");
        assert_eq!(with(72, &[0xff; 4]), Err(Malformed::Short("a segment")));
    }
}
