//! Reads RocksDB's write-ahead log files byte by byte, without RocksDB.
//!
//! RocksDB judges a damaged WAL only while it opens, and what it skips is deleted with the file soon after. So
//! the store looks first: this reader tells whole records from damage, and finds whole records *behind* damage,
//! which RocksDB never looks for. It changes nothing.
//!
//! The layout (RocksDB 11.8, `db/log_format.h`): blocks of 32 KiB; in a block, fragments of
//! `masked crc32c u32 | length u16 | type u8 | bytes`, recyclable types with a `log number u32` in front of the
//! bytes; a tail of under 7 bytes of a block is padding. The checksum covers everything from the type on. A
//! logical record is one full fragment, or first, middle…, last. Each logical record of the kinds 1 to 8 is a
//! write batch (see [`super::wal_batch`]); the other kinds are notes of RocksDB to itself.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes of a block; no fragment crosses its end.
const BLOCK_BYTES: usize = 32 * 1024;
/// Bytes of a fragment's header: checksum, length, type.
const HEADER_BYTES: usize = 7;
/// Bytes of a recyclable fragment's header: the log's number behind the others.
const RECYCLABLE_HEADER_BYTES: usize = 11;
/// Types with this bit may be skipped by readers that don't know them.
const SAFE_TO_IGNORE: u8 = 0x80;

/// What a scan meets, in file order.
pub(crate) enum Found<'a> {
    /// A whole logical record with a good checksum.
    Record {
        /// Byte position of its first fragment in the file.
        at: u64,
        /// The record: a write batch.
        bytes: &'a [u8],
    },
    /// Bytes that belong to no whole record.
    Damage(Damage),
}

/// Damage in a WAL: where it begins and what was seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Damage {
    /// Byte position of the record that is hit; everything before it is whole.
    pub(crate) at: u64,
    /// What was seen.
    pub(crate) kind: DamageKind,
}

/// What damage looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DamageKind {
    /// The file ends inside a record: what a crash during a write leaves. RocksDB drops such a tail itself.
    Cut,
    /// Zeroes where a record should begin.
    Zeroes,
    /// The checksum does not match.
    Checksum,
    /// A length that leaves its block.
    Length,
    /// A type that RocksDB 11.8 does not write into a log.
    UnknownType(u8),
    /// A part of a record whose beginning or end is missing.
    Fragment,
}

impl std::fmt::Display for DamageKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Cut => f.write_str("the file ends inside a record"),
            Self::Zeroes => f.write_str("zeroes where a record should begin"),
            Self::Checksum => f.write_str("a checksum does not match"),
            Self::Length => f.write_str("a record's length leaves its block"),
            Self::UnknownType(tag) => write!(f, "unknown record type {tag}"),
            Self::Fragment => f.write_str("part of a record is missing"),
        }
    }
}

/// Scans the file and calls `visit` for every whole record and every damage. Returns the file's length.
///
/// Reads the file once, in blocks; holds one record in memory. Only around damage it looks at every byte.
pub(crate) fn scan(path: &Path, visit: &mut dyn FnMut(Found<'_>)) -> io::Result<u64> {
    scan_bytes(
        &mut io::BufReader::with_capacity(32 * BLOCK_BYTES, File::open(path)?),
        visit,
    )
}

pub(crate) fn scan_bytes(log: &mut impl Read, visit: &mut dyn FnMut(Found<'_>)) -> io::Result<u64> {
    let mut block = vec![0; BLOCK_BYTES];
    let mut assembly = Assembly::default();
    let mut block_at = 0;
    loop {
        let filled = read_block(log, &mut block)?;
        scan_block(&block[..filled], block_at, &mut assembly, visit);
        block_at += filled as u64;
        if filled < BLOCK_BYTES {
            break;
        }
    }
    assembly.end(visit);
    Ok(block_at)
}

fn read_block(log: &mut impl Read, block: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match log.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(read) => filled += read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

/// Reads all fragments of one block. A block shorter than 32 KiB is the file's last.
fn scan_block(block: &[u8], block_at: u64, assembly: &mut Assembly, visit: &mut dyn FnMut(Found<'_>)) {
    let mut position = 0;
    while position < block.len() {
        let at = block_at + position as u64;
        match parse_fragment(block, position) {
            Ok(Some(fragment)) => {
                assembly.take(at, &fragment, visit);
                position = fragment.end;
            }
            Ok(None) => return,
            Err(kind) => {
                assembly.damage(Damage { at, kind }, visit);
                match next_whole(block, position + 1) {
                    Some(next) => position = next,
                    None => return,
                }
            }
        }
    }
}

struct Fragment<'a> {
    tag: u8,
    bytes: &'a [u8],
    end: usize,
}

/// The fragment at `position`; `None` for a block's padding.
fn parse_fragment(block: &[u8], position: usize) -> Result<Option<Fragment<'_>>, DamageKind> {
    let is_last_block = block.len() < BLOCK_BYTES;
    let rest = &block[position..];
    if rest.len() < HEADER_BYTES {
        return if is_last_block {
            Err(DamageKind::Cut)
        } else {
            Ok(None)
        };
    }
    let length = usize::from(u16::from_le_bytes([rest[4], rest[5]]));
    let tag = rest[6];
    if tag == 0 && length == 0 {
        return Err(DamageKind::Zeroes);
    }
    let header_bytes = if is_recyclable(tag) {
        RECYCLABLE_HEADER_BYTES
    } else {
        HEADER_BYTES
    };
    let Some(body) = rest.get(HEADER_BYTES..header_bytes + length) else {
        // A whole block's last fragment never leaves it; in the file's last block, it was cut.
        return Err(if is_last_block {
            DamageKind::Cut
        } else {
            DamageKind::Length
        });
    };
    let stored = unmask(u32::from_le_bytes([rest[0], rest[1], rest[2], rest[3]]));
    let computed = crc32c::crc32c_append(crc32c::crc32c(&[tag]), body);
    if stored != computed {
        return Err(DamageKind::Checksum);
    }
    let bytes = &body[header_bytes - HEADER_BYTES..];
    Ok(Some(Fragment {
        tag,
        bytes,
        end: position + header_bytes + length,
    }))
}

fn is_recyclable(tag: u8) -> bool {
    matches!(tag, 5..=8 | 11 | 131)
}

/// Where RocksDB 11.8 would read the file for ever, if it would: its reader meets a recyclable type behind a record of
/// another type, calls it bad, and never steps over it (`log_reader.cc`, `ReadPhysicalRecord`). One flipped bit in a
/// record's type does it, in a WAL or in a manifest, which has the same layout. Nobody writes such records here.
///
/// # Errors
/// If the file can't be read.
pub(crate) fn read_for_ever(path: &Path) -> io::Result<Option<u64>> {
    let mut log = io::BufReader::with_capacity(32 * BLOCK_BYTES, File::open(path)?);
    let mut block = vec![0; BLOCK_BYTES];
    let mut block_at = 0;
    loop {
        let filled = read_block(&mut log, &mut block)?;
        let mut position = 0;
        // As RocksDB does, which leaves out the rest of a block behind anything else that is damaged.
        while position + HEADER_BYTES <= filled {
            if is_recyclable(block[position + 6]) {
                return Ok(Some(block_at + position as u64));
            }
            match parse_fragment(&block[..filled], position) {
                Ok(Some(fragment)) => position = fragment.end,
                Ok(None) | Err(_) => break,
            }
        }
        block_at += filled as u64;
        if filled < BLOCK_BYTES {
            return Ok(None);
        }
    }
}

/// RocksDB stores checksums rotated and shifted, because it computes checksums of bytes that hold checksums.
fn unmask(masked: u32) -> u32 {
    masked.wrapping_sub(0xa282_ead8).rotate_left(15)
}

/// The next position in the block where a fragment with a good checksum begins, found by trying every byte: a
/// damaged length must not hide what is whole behind it. A false hit has a chance of 2⁻³² a byte.
fn next_whole(block: &[u8], from: usize) -> Option<usize> {
    (from..block.len().saturating_sub(HEADER_BYTES - 1))
        .find(|&position| matches!(parse_fragment(block, position), Ok(Some(_))))
}

/// Joins fragments to logical records.
#[derive(Default)]
struct Assembly {
    open: Option<u64>,
    bytes: Vec<u8>,
}

impl Assembly {
    fn take(&mut self, at: u64, fragment: &Fragment<'_>, visit: &mut dyn FnMut(Found<'_>)) {
        match fragment.tag {
            1 | 5 => {
                self.abandon(visit);
                visit(Found::Record {
                    at,
                    bytes: fragment.bytes,
                });
            }
            2 | 6 => {
                self.abandon(visit);
                self.open = Some(at);
                self.bytes.clear();
                self.bytes.extend_from_slice(fragment.bytes);
            }
            3 | 4 | 7 | 8 => {
                let Some(begun_at) = self.open else {
                    visit(Found::Damage(Damage {
                        at,
                        kind: DamageKind::Fragment,
                    }));
                    return;
                };
                self.bytes.extend_from_slice(fragment.bytes);
                if matches!(fragment.tag, 4 | 8) {
                    self.open = None;
                    visit(Found::Record {
                        at: begun_at,
                        bytes: &self.bytes,
                    });
                }
            }
            // Compression is never switched on; timestamp sizes and the predecessor's description are no data.
            10 | 11 | 130 | 131 => {}
            tag if tag & SAFE_TO_IGNORE != 0 => {}
            tag => self.damage(
                Damage {
                    at,
                    kind: DamageKind::UnknownType(tag),
                },
                visit,
            ),
        }
    }

    /// Damage inside a record is damage of the whole record, from its beginning.
    fn damage(&mut self, damage: Damage, visit: &mut dyn FnMut(Found<'_>)) {
        let at = self.open.take().unwrap_or(damage.at);
        visit(Found::Damage(Damage {
            at,
            kind: damage.kind,
        }));
    }

    fn abandon(&mut self, visit: &mut dyn FnMut(Found<'_>)) {
        if let Some(at) = self.open.take() {
            visit(Found::Damage(Damage {
                at,
                kind: DamageKind::Fragment,
            }));
        }
    }

    fn end(&mut self, visit: &mut dyn FnMut(Found<'_>)) {
        if let Some(at) = self.open.take() {
            visit(Found::Damage(Damage {
                at,
                kind: DamageKind::Cut,
            }));
        }
    }
}

/// Appends a fragment as RocksDB writes it.
#[cfg(any(test, fuzzing))]
pub(crate) fn push_fragment(log: &mut Vec<u8>, tag: u8, part: &[u8]) {
    let crc = crc32c::crc32c_append(crc32c::crc32c(&[tag]), part);
    let masked = crc.rotate_right(15).wrapping_add(0xa282_ead8);
    log.extend_from_slice(&masked.to_le_bytes());
    log.extend_from_slice(
        &u16::try_from(part.len())
            .expect("a fragment fits a block")
            .to_le_bytes(),
    );
    log.push(tag);
    log.extend_from_slice(part);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Writes records as RocksDB's `log::Writer` does.
    fn write_log(records: &[Vec<u8>]) -> Vec<u8> {
        let mut log = Vec::new();
        for record in records {
            let mut rest = record.as_slice();
            let mut first = true;
            loop {
                let left = BLOCK_BYTES - log.len() % BLOCK_BYTES;
                if left < HEADER_BYTES {
                    log.resize(log.len() + left, 0);
                    continue;
                }
                let (part, after) = rest.split_at(rest.len().min(left - HEADER_BYTES));
                let tag = match (first, after.is_empty()) {
                    (true, true) => 1,
                    (true, false) => 2,
                    (false, false) => 3,
                    (false, true) => 4,
                };
                push_fragment(&mut log, tag, part);
                (rest, first) = (after, false);
                if rest.is_empty() {
                    break;
                }
            }
        }
        log
    }

    #[test]
    fn a_recyclable_type_that_rocksdb_would_not_step_over_is_found() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let whole = write_log(&[vec![1; 50], vec![2; 40_000], vec![3; 60]]);
        let found = |bytes: &[u8]| {
            std::fs::write(file.path(), bytes).unwrap();
            read_for_ever(file.path()).unwrap()
        };
        assert_eq!(found(&whole), None);
        let last = whole.len() - 60 - HEADER_BYTES;
        for (at, bit) in [(0, 4), (57, 4), (last, 4)] {
            let mut flipped = whole.clone();
            flipped[at + 6] ^= bit;
            assert_eq!(found(&flipped), Some(at as u64));
        }
        // RocksDB leaves out the rest of the block, and what is in it.
        let mut flipped = whole.clone();
        flipped[10] ^= 1;
        flipped[57 + 6] ^= 4;
        assert_eq!(found(&flipped), None);
    }

    #[derive(Debug, PartialEq)]
    enum Seen {
        Record(u64, usize, u8),
        Damage(u64, DamageKind),
    }

    fn seen(log: &[u8]) -> Vec<Seen> {
        let mut seen = Vec::new();
        let length = scan_bytes(&mut &*log, &mut |found| {
            seen.push(match found {
                Found::Record { at, bytes } => Seen::Record(at, bytes.len(), bytes[0]),
                Found::Damage(damage) => Seen::Damage(damage.at, damage.kind),
            });
        })
        .unwrap();
        assert_eq!(length, log.len() as u64);
        seen
    }

    fn three() -> Vec<Vec<u8>> {
        vec![vec![1; 100], vec![2; 100_000], vec![3; 50]]
    }

    #[test]
    fn whole_records_are_joined_over_blocks() {
        let log = write_log(&three());
        let [
            Seen::Record(0, 100, 1),
            Seen::Record(107, 100_000, 2),
            Seen::Record(_, 50, 3),
        ] = seen(&log)[..]
        else {
            panic!("{:?}", seen(&log))
        };
    }

    #[test]
    fn a_record_that_leaves_no_room_for_a_header_pads_its_block() {
        let log = write_log(&[vec![1; BLOCK_BYTES - HEADER_BYTES - 3], vec![2; 10]]);
        assert_eq!(log.len(), BLOCK_BYTES + 17);
        assert_eq!(seen(&log)[1], Seen::Record(BLOCK_BYTES as u64, 10, 2));
    }

    #[test]
    fn every_cut_is_seen_as_a_cut_or_as_a_shorter_log() {
        let log = write_log(&three());
        let ends = [0, 107, log.len() - 57, log.len()];
        for length in (0..log.len())
            .step_by(331)
            .chain([1, 106, 107, 108, log.len() - 1])
        {
            let seen = seen(&log[..length]);
            let whole = ends.iter().filter(|end| **end > 0 && **end <= length).count();
            let records = seen
                .iter()
                .filter(|item| matches!(item, Seen::Record(..)))
                .count();
            assert_eq!(records, whole, "cut at {length}");
            match seen.last() {
                Some(Seen::Damage(at, DamageKind::Cut)) => assert_eq!(*at, ends[whole] as u64),
                _ => assert!(ends.contains(&length), "cut at {length}: {seen:?}"),
            }
        }
    }

    #[test]
    fn every_flipped_bit_is_seen_and_hides_no_other_record() {
        let records: Vec<Vec<u8>> = (1..=40).map(|n| vec![n; 200]).collect();
        let log = write_log(&records);
        for byte in 0..log.len() {
            let mut damaged = log.clone();
            damaged[byte] ^= 1 << (byte % 8);
            let seen = seen(&damaged);
            let hit = byte / 207;
            let found: Vec<u8> = seen
                .iter()
                .filter_map(|s| {
                    if let Seen::Record(_, _, n) = s {
                        Some(*n)
                    } else {
                        None
                    }
                })
                .collect();
            let expected: Vec<u8> = (1..=40).filter(|n| usize::from(*n) != hit + 1).collect();
            assert_eq!(found, expected, "byte {byte}");
            assert!(
                seen.iter()
                    .any(|s| matches!(s, Seen::Damage(at, _) if *at == hit as u64 * 207)),
                "byte {byte}"
            );
        }
    }

    #[test]
    fn a_zeroed_block_hits_the_record_over_it() {
        let mut log = write_log(&three());
        log[BLOCK_BYTES..2 * BLOCK_BYTES].fill(0);
        let seen = seen(&log);
        assert_eq!(seen[1], Seen::Damage(107, DamageKind::Zeroes));
        assert!(matches!(seen.last(), Some(Seen::Record(_, 50, 3))), "{seen:?}");
    }

    #[test]
    fn notes_of_rocksdb_are_no_records() {
        let mut log = Vec::new();
        push_fragment(&mut log, 130, &[7; 24]);
        push_fragment(&mut log, 10, &[7; 6]);
        push_fragment(&mut log, 1, &[9; 20]);
        assert_eq!(seen(&log), [Seen::Record(24 + 7 + 6 + 7, 20, 9)]);
    }

    /// As it happens where a block has room for a header and nothing else.
    #[test]
    fn a_record_may_begin_with_an_empty_fragment() {
        let mut log = write_log(&[vec![1; BLOCK_BYTES - 2 * HEADER_BYTES], vec![2; 10]]);
        let begins = (BLOCK_BYTES - HEADER_BYTES) as u64;
        assert_eq!(log.len(), BLOCK_BYTES + HEADER_BYTES + 10);
        assert_eq!(seen(&log)[1], Seen::Record(begins, 10, 2));
        log[100] ^= 1;
        let found_behind_damage = [Seen::Damage(0, DamageKind::Checksum), Seen::Record(begins, 10, 2)];
        assert_eq!(seen(&log), found_behind_damage);
    }

    #[test]
    fn unknown_types_are_damage_unless_they_may_be_skipped() {
        let mut log = Vec::new();
        for tag in [12, SAFE_TO_IGNORE | 12] {
            push_fragment(&mut log, tag, &[7; 20]);
        }
        assert_eq!(seen(&log), [Seen::Damage(0, DamageKind::UnknownType(12))]);
    }

    /// Fails once, then gives one byte a time.
    struct Faltering<'a>(Option<io::ErrorKind>, &'a [u8]);

    impl Read for Faltering<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            match self.0.take() {
                Some(kind) => Err(kind.into()),
                None => self.1.read(&mut into[..1]),
            }
        }
    }

    #[test]
    fn an_interrupted_read_goes_on_and_a_failed_one_is_told() {
        let log = write_log(&[vec![1; 100]]);
        let mut records = 0;
        let mut scan = |kind| scan_bytes(&mut Faltering(Some(kind), &log), &mut |_| records += 1);
        assert_eq!(scan(io::ErrorKind::Interrupted).unwrap(), log.len() as u64);
        let failed = scan(io::ErrorKind::PermissionDenied).unwrap_err();
        assert_eq!((failed.kind(), records), (io::ErrorKind::PermissionDenied, 1));
    }
}
