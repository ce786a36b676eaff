//! Reads RocksDB's write-ahead log files byte by byte, without RocksDB.
//!
//! RocksDB judges a damaged WAL only while it opens, and what it skips is deleted with the file soon after. So
//! the store looks first: this reader tells whole records from damage, and finds whole records *behind* damage,
//! which RocksDB never looks for. It changes nothing.
//!
//! What stands *inside* a record is no record, whatever it looks like: checksums have no key, and the payload of an
//! event may be bytes that someone made up to look like a fragment. So behind damage the scan goes on where the damaged
//! record ends, if its beginning is left to say so ([`wal_batch::declared_bytes`]): a write that was torn has it, unless
//! just that page is lost. Where nothing says so every byte is tried, and what is found is marked as such.
//!
//! The layout (RocksDB 11.8, `db/log_format.h`): blocks of 32 KiB; in a block, fragments of
//! `masked crc32c u32 | length u16 | type u8 | bytes`, recyclable types with a `log number u32` in front of the
//! bytes; a tail of under 7 bytes of a block is padding. The checksum covers everything from the type on. A
//! logical record is one full fragment, or first, middle…, last. Each logical record of the kinds 1 to 8 is a
//! write batch (see [`super::wal_batch`]); the other kinds are notes of RocksDB to itself.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

use super::wal_batch;

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
        /// Whether it was found by trying every byte behind damage: then it may be the payload of a damaged record.
        is_guess: bool,
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
    /// Where the record ends, if it is left to say so; beyond the file's end if it was cut.
    pub(crate) record_end: Option<u64>,
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
    let inside = |end: u64| usize::try_from(end.saturating_sub(block_at)).unwrap_or(usize::MAX);
    let mut position = inside(assembly.damaged_to);
    // No payload reaches over a block's beginning: there stands a fragment, or nothing that can be read.
    assembly.is_guess = false;
    while position < block.len() {
        let at = block_at + position as u64;
        match parse_fragment(block, position) {
            Ok(Some(fragment)) => {
                assembly.take(at, &fragment, visit);
                position = fragment.end;
            }
            Ok(None) => return,
            Err(kind) => {
                let record_end = assembly.declared_end(&block[position..], at);
                let damage = Damage { at, kind, record_end };
                assembly.damage(damage, visit);
                if let Some(end) = record_end {
                    assembly.damaged_to = end;
                    position = inside(end);
                    continue;
                }
                assembly.is_guess = true;
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

/// Where a record of so many bytes ends that begins at `at`, where a header has room: each block takes a part of it behind
/// one.
fn record_end(mut at: u64, bytes: usize) -> u64 {
    let (block_bytes, header_bytes) = (BLOCK_BYTES as u64, HEADER_BYTES as u64);
    let mut rest = bytes as u64;
    loop {
        let left = block_bytes - at % block_bytes;
        let part = rest.min(left - header_bytes);
        at += header_bytes + part;
        rest -= part;
        if rest == 0 {
            return at;
        }
    }
}

/// The next position in the block where a fragment with a good checksum begins, found by trying every byte: a
/// damaged length must not hide what is whole behind it. A false hit has a chance of 2⁻³² a byte, unless someone
/// wants one.
fn next_whole(block: &[u8], from: usize) -> Option<usize> {
    (from..block.len().saturating_sub(HEADER_BYTES - 1))
        .find(|&position| matches!(parse_fragment(block, position), Ok(Some(_))))
}

/// Joins fragments to logical records.
#[derive(Default)]
struct Assembly {
    open: Option<Begun>,
    bytes: Vec<u8>,
    /// Where the last damaged record ends that said so: up to there nothing is a record.
    damaged_to: u64,
    /// Whether fragments are found by trying every byte.
    is_guess: bool,
}

/// A record whose first fragment is read.
#[derive(Clone, Copy)]
struct Begun {
    at: u64,
    is_guess: bool,
}

impl Assembly {
    fn take(&mut self, at: u64, fragment: &Fragment<'_>, visit: &mut dyn FnMut(Found<'_>)) {
        match fragment.tag {
            1 | 5 => {
                self.abandon(visit);
                visit(Found::Record {
                    at,
                    is_guess: self.is_guess,
                    bytes: fragment.bytes,
                });
            }
            2 | 6 => {
                self.abandon(visit);
                self.open = Some(Begun {
                    at,
                    is_guess: self.is_guess,
                });
                self.bytes.clear();
                self.bytes.extend_from_slice(fragment.bytes);
            }
            3 | 4 | 7 | 8 => {
                let Some(begun) = self.open else {
                    visit(damaged(at, DamageKind::Fragment));
                    return;
                };
                self.bytes.extend_from_slice(fragment.bytes);
                if matches!(fragment.tag, 4 | 8) {
                    self.open = None;
                    visit(Found::Record {
                        at: begun.at,
                        is_guess: begun.is_guess,
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
                    record_end: None,
                },
                visit,
            ),
        }
    }

    /// Where the record ends that is damaged at `at`, if its beginning is there and all that it says of its length agrees.
    /// `rest` is the block from there on.
    fn declared_end(&self, rest: &[u8], at: u64) -> Option<u64> {
        if self.is_guess || self.open.is_some_and(|begun| begun.is_guess) {
            return None;
        }
        let end = match self.open {
            Some(begun) => record_end(begun.at, wal_batch::declared_bytes(&self.bytes)?),
            None => {
                let (header, body) = rest.split_at_checked(HEADER_BYTES)?;
                let length = usize::from(u16::from_le_bytes([header[4], header[5]]));
                let declared = wal_batch::declared_bytes(&body[..body.len().min(length)])?;
                let left = BLOCK_BYTES - (at % BLOCK_BYTES as u64) as usize - HEADER_BYTES;
                let agrees = match header[6] {
                    1 => length == declared && length <= left,
                    2 => length < declared && length == left,
                    _ => false,
                };
                agrees.then(|| record_end(at, declared))?
            }
        };
        (end > at).then_some(end)
    }

    /// Damage inside a record is damage of the whole record, from its beginning.
    fn damage(&mut self, damage: Damage, visit: &mut dyn FnMut(Found<'_>)) {
        let at = self.open.take().map_or(damage.at, |begun| begun.at);
        visit(Found::Damage(Damage { at, ..damage }));
    }

    fn abandon(&mut self, visit: &mut dyn FnMut(Found<'_>)) {
        if let Some(begun) = self.open.take() {
            visit(damaged(begun.at, DamageKind::Fragment));
        }
    }

    fn end(&mut self, visit: &mut dyn FnMut(Found<'_>)) {
        if let Some(begun) = self.open.take() {
            visit(damaged(begun.at, DamageKind::Cut));
        }
    }
}

fn damaged(at: u64, kind: DamageKind) -> Found<'static> {
    Found::Damage(Damage {
        at,
        kind,
        record_end: None,
    })
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
pub(crate) mod tests;
