//! The values of `meta` rows.

use dormouse_domain::Offset;

use super::{Malformed, Reader};

/// The format of everything derived. A store with a newer one is refused; an older one is deleted and rebuilt.
pub(crate) const DERIVED_FORMAT: u32 = 1;

/// The value of `format`: `u32`, and its CRC32C.
pub(crate) fn encode_format(format: u32) -> Vec<u8> {
    sealed(&format.to_le_bytes())
}

/// The format that is stored.
pub(crate) fn decode_format(value: &[u8]) -> Result<u32, Malformed> {
    let mut reader = unsealed(value, "the derived format")?;
    let format = reader.u32("the derived format")?;
    reader.end("the derived format")?;
    Ok(format)
}

/// How far a shard's log is indexed: the end of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Indexed {
    /// The last indexed offset; 0 if nothing is.
    pub(crate) offset: Offset,
    /// The hash of the segment that ends there; 0 if nothing is indexed.
    pub(crate) hash: u128,
}

impl Indexed {
    /// Nothing is indexed.
    pub(crate) const NONE: Indexed = Indexed {
        offset: Offset::NONE,
        hash: 0,
    };

    /// The value of `indexed/<shard>`: offset `u64`, hash `u128`, CRC32C of both.
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut value = Vec::with_capacity(28);
        value.extend_from_slice(&self.offset.get().to_le_bytes());
        value.extend_from_slice(&self.hash.to_le_bytes());
        sealed(&value)
    }

    /// The position that is stored.
    pub(crate) fn decode(value: &[u8]) -> Result<Indexed, Malformed> {
        let mut reader = unsealed(value, "the indexed position")?;
        let offset = Offset::new(reader.u64("the indexed position")?);
        let hash = reader.u128("the indexed position")?;
        reader.end("the indexed position")?;
        Ok(Indexed { offset, hash })
    }
}

fn sealed(body: &[u8]) -> Vec<u8> {
    let mut value = body.to_vec();
    value.extend_from_slice(&crc32c::crc32c(body).to_le_bytes());
    value
}

fn unsealed<'a>(value: &'a [u8], part: &'static str) -> Result<Reader<'a>, Malformed> {
    let (body, stored) = value.split_last_chunk::<4>().ok_or(Malformed::Short(part))?;
    let (stored, computed) = (u32::from_le_bytes(*stored), crc32c::crc32c(body));
    if stored != computed {
        return Err(Malformed::Checksum { stored, computed });
    }
    Ok(Reader::new(body))
}
