//! Packing a segment's records before they are written: fewer bytes for the write-ahead log, its flush and every copy.

use lz4_flex::block::{CompressTable, compress_into_with_table, get_maximum_output_size};

use super::segment::{self, Compression, HEADER_BYTES, Header};

/// Fewer bytes of records gain nothing: a lone commit repeats little of itself.
const RECORDS_BYTES_MIN: usize = 512;

/// Seals segments, packed where that saves an eighth or more. Its buffers are used again.
pub(crate) struct Packer {
    table: CompressTable,
    packed: Vec<u8>,
}

impl Packer {
    pub(crate) fn new() -> Packer {
        Packer {
            table: CompressTable::small(),
            packed: Vec::new(),
        }
    }

    /// The bytes to store for a segment whose records follow room for its header. The records themselves stay as
    /// they are.
    pub(crate) fn seal<'a>(&'a mut self, segment: &'a mut [u8], header: &Header) -> &'a [u8] {
        let records = segment.len() - HEADER_BYTES;
        match self.pack(&segment[HEADER_BYTES..]) {
            Some(bytes) if bytes <= records - records / 8 => {
                let packed = &mut self.packed[..HEADER_BYTES + bytes];
                segment::seal_as(packed, header, Compression::Lz4, records);
                packed
            }
            _ => {
                segment::seal(segment, header);
                segment
            }
        }
    }

    /// Packs the records behind room for a header; how many bytes they take.
    fn pack(&mut self, records: &[u8]) -> Option<usize> {
        if records.len() < RECORDS_BYTES_MIN {
            return None;
        }
        let room = HEADER_BYTES + get_maximum_output_size(records.len());
        if self.packed.len() < room {
            self.packed.resize(room, 0);
        }
        let packed = compress_into_with_table(records, &mut self.packed[HEADER_BYTES..], &mut self.table);
        Some(packed.expect("there is room for the largest output"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::Malformed;
    use crate::format::segment::RECORDS_BYTES_MAX;
    use dormouse_domain::{Offset, ShardId, Timestamp};

    fn sealed(packer: &mut Packer, records: &[u8]) -> (Vec<u8>, Header) {
        let header = Header {
            shard: ShardId::new(0),
            epoch: 1,
            batch: 1,
            first: Offset::new(1),
            time: Timestamp::from_micros(5),
            previous: 0,
            events: 3,
            commits: 2,
        };
        let mut segment = [&[0; HEADER_BYTES], records].concat();
        (packer.seal(&mut segment, &header).to_vec(), header)
    }

    /// Bytes that repeat nothing.
    fn noise(len: usize) -> Vec<u8> {
        let mut state = 1_u64;
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            (state >> 56) as u8
        };
        (0..len).map(|_| next()).collect()
    }

    #[test]
    fn records_come_back_whatever_they_are() {
        let mut packer = Packer::new();
        // large ones change the packer's table; small ones come after them
        for records in [
            b"deposited 5 cents; ".repeat(50),
            b"x".repeat(100_000),
            noise(70_000),
            b"deposited 5 cents; ".repeat(3),
            noise(600),
            b"deposited 7 cents; ".repeat(60),
        ] {
            let (bytes, header) = sealed(&mut packer, &records);
            let (read, body) = segment::decode(&bytes).unwrap();
            assert_eq!((read, &*body), (header, &records[..]), "{} bytes", records.len());
            assert_eq!(segment::decode_header(&bytes), Ok(header));
        }
    }

    #[test]
    fn what_repeats_is_stored_shorter_and_what_does_not_as_it_is() {
        let mut packer = Packer::new();
        let stored = |packer: &mut Packer, records: &[u8]| sealed(packer, records).0.len() - HEADER_BYTES;
        assert!(stored(&mut packer, &b"deposited 5 cents; ".repeat(50)) < 100);
        assert_eq!(stored(&mut packer, &noise(5_000)), 5_000);
        assert_eq!(
            stored(&mut packer, &[0; RECORDS_BYTES_MIN - 1]),
            RECORDS_BYTES_MIN - 1
        );
    }

    #[test]
    fn a_cut_or_a_flip_anywhere_is_an_error() {
        let (bytes, _) = sealed(&mut Packer::new(), &b"deposited 5 cents; ".repeat(50));
        for at in 0..bytes.len() {
            assert!(segment::decode(&bytes[..at]).is_err(), "cut to {at}");
            for bit in 0..8 {
                let mut flipped = bytes.clone();
                flipped[at] ^= 1 << bit;
                assert!(segment::decode(&flipped).is_err(), "byte {at}, bit {bit}");
            }
        }
    }

    /// What reading a segment says whose header claims another length, under a right checksum.
    fn claiming(segment: &[u8], records: usize) -> Result<usize, Malformed> {
        let (mut segment, header) = (segment.to_vec(), segment::decode_header(segment).unwrap());
        segment::seal_as(&mut segment, &header, Compression::Lz4, records);
        segment::decode(&segment).map(|(_, records)| records.len())
    }

    /// The error is that of the header: unpacking, which takes the memory, says something else.
    #[test]
    fn a_length_that_nothing_could_unpack_to_is_refused_before_memory_is_taken() {
        let refused = Err(Malformed::Value("a segment's length before compression"));
        let (small, _) = sealed(&mut Packer::new(), &[0; 2_000]);
        let packed = small.len() - HEADER_BYTES;
        assert_eq!(claiming(&small, packed * 255 + 1), refused);
        assert_eq!(claiming(&small, u32::MAX as usize), refused);
        // enough bytes are there for more than any segment holds
        let (large, _) = sealed(&mut Packer::new(), &vec![0; RECORDS_BYTES_MAX]);
        assert!((large.len() - HEADER_BYTES) * 255 > RECORDS_BYTES_MAX);
        assert_eq!(claiming(&large, RECORDS_BYTES_MAX), Ok(RECORDS_BYTES_MAX));
        assert_eq!(claiming(&large, RECORDS_BYTES_MAX + 1), refused);
    }

    #[test]
    fn a_length_that_is_not_what_comes_out_is_refused() {
        let (segment, _) = sealed(&mut Packer::new(), &[0; 2_000]);
        assert_eq!(claiming(&segment, 2_000), Ok(2_000));
        let refused = Err(Malformed::Value("a segment's compressed records"));
        for records in [0, 1, 1_999, 2_001] {
            assert_eq!(claiming(&segment, records), refused, "{records}");
        }
    }
}
