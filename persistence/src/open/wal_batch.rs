//! Reads the write batches inside RocksDB's write-ahead log.
//!
//! The layout (`db/write_batch.cc`): `sequence u64 | count u32`, both little-endian, then entries of a tag and
//! length-prefixed strings. The store writes single puts into `log/`; RocksDB itself adds nothing but no-ops.

use crate::format::{keys, segment};

/// Bytes before the first entry.
const HEADER_BYTES: usize = 12;
/// `kTypeValue`: a put into the default family.
const PUT: u8 = 0x1;
/// `kTypeColumnFamilyValue`: a put into another family; its number stands before the key.
const PUT_IN_FAMILY: u8 = 0x5;
/// `kTypeLogData`: a note that is not stored.
const LOG_DATA: u8 = 0x3;
/// `kTypeNoop`.
const NOOP: u8 = 0xd;

/// A put found in a batch.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Put<'a> {
    /// The key.
    pub(crate) key: &'a [u8],
    /// The value.
    pub(crate) value: &'a [u8],
}

/// Calls `visit` for each put of the batch, in order. `false` if the bytes are no batch of puts: `log/` is only
/// ever appended to, so any other entry is not the store's.
pub(crate) fn visit_puts<'a>(batch: &'a [u8], visit: &mut dyn FnMut(Put<'a>)) -> bool {
    let Some(mut rest) = batch.get(HEADER_BYTES..) else {
        return false;
    };
    while let Some((&tag, after)) = rest.split_first() {
        rest = after;
        let read = match tag {
            NOOP => Some(()),
            LOG_DATA => take_string(&mut rest).map(|_| ()),
            PUT | PUT_IN_FAMILY => take_put(tag, &mut rest).map(&mut *visit),
            _ => None,
        };
        if read.is_none() {
            return false;
        }
    }
    true
}

/// How many bytes a batch of one segment has, as its beginning says: the put's lengths and the segment's own must agree.
/// `None` if they don't, if too little of it is there, or if it is something else.
pub(crate) fn declared_bytes(beginning: &[u8]) -> Option<usize> {
    let (header, mut rest) = beginning.split_at_checked(HEADER_BYTES)?;
    if header[8..] != 1_u32.to_le_bytes() {
        return None;
    }
    let (&PUT, after) = rest.split_first()? else {
        return None;
    };
    rest = after;
    keys::parse_log(take_string(&mut rest)?)?;
    let value_bytes = usize::try_from(take_varint(&mut rest)?).ok()?;
    if segment::declared_bytes(rest)? != value_bytes {
        return None;
    }
    Some(beginning.len() - rest.len() + value_bytes)
}

fn take_put<'a>(tag: u8, rest: &mut &'a [u8]) -> Option<Put<'a>> {
    if tag == PUT_IN_FAMILY {
        take_varint(rest)?;
    }
    let key = take_string(rest)?;
    let value = take_string(rest)?;
    Some(Put { key, value })
}

fn take_string<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(take_varint(rest)?).ok()?;
    let (string, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(string)
}

fn take_varint(rest: &mut &[u8]) -> Option<u32> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let (&byte, after) = rest.split_first()?;
        *rest = after;
        value |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return u32::try_from(value).ok();
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn puts(batch: &[u8]) -> Option<Vec<(Vec<u8>, usize)>> {
        let mut puts = Vec::new();
        visit_puts(batch, &mut |put| puts.push((put.key.to_vec(), put.value.len()))).then_some(puts)
    }

    #[test]
    fn puts_of_both_forms_are_read() {
        let mut batch = vec![0; HEADER_BYTES];
        batch.extend([NOOP, PUT, 1, b'k', 0xc8, 0x01]);
        batch.extend([7; 200]);
        batch.extend([PUT_IN_FAMILY, 3, 2, b'a', b'b', 0]);
        assert_eq!(
            puts(&batch),
            Some(vec![(b"k".to_vec(), 200), (b"ab".to_vec(), 0)])
        );
    }

    #[test]
    fn what_is_no_batch_of_puts_is_refused() {
        let deletion = [[0; HEADER_BYTES].as_slice(), &[0, 1, b'k']].concat();
        let short_value = [[0; HEADER_BYTES].as_slice(), &[PUT, 1, b'k', 9, 1]].concat();
        let endless_length = [[0; HEADER_BYTES].as_slice(), &[PUT, 255, 255, 255, 255, 255, 255]].concat();
        for batch in [&[0; 3][..], &deletion, &short_value, &endless_length] {
            assert_eq!(puts(batch), None);
        }
    }
}
