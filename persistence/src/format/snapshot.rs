//! The value of a `snapshots` row. Numbers are little-endian.
//!
//! | at | bytes | |
//! |---|---|---|
//! | 0 | 1 | format, 1 |
//! | 1 | 1 | the payload's codec tag |
//! | 2 | 1 | 1 if there is a newest command, else 0 |
//! | 3 | 1 | zero |
//! | 4 | 4 | CRC32C of everything before and after it |
//! | 8 | 8 | version |
//! | 16 | 8 | offset of the last event folded |
//! | 24 | 8 | fingerprint of the state's type |
//! | 32 | 8 | time, µs since the Unix epoch |
//! | 40 | 16 | the newest command's id, big-endian; zero if there is none |
//! | 56 | | payload |

use dormouse_domain::{Codec, CommandId, Offset, Timestamp, Version};
use uuid::Uuid;

use super::{Malformed, Reader};
use crate::snapshot::Snapshot;

const FORMAT: u8 = 1;
const CRC_AT: usize = 4;
const HEADER_BYTES: usize = 56;

/// A snapshot as bytes.
pub(crate) fn encode(snapshot: &Snapshot) -> Vec<u8> {
    let mut value = Vec::with_capacity(HEADER_BYTES + snapshot.payload.len());
    let newest = snapshot.newest_command.map_or(0, CommandId::as_u128);
    value.extend_from_slice(&[
        FORMAT,
        snapshot.codec.tag(),
        u8::from(snapshot.newest_command.is_some()),
        0,
    ]);
    value.extend_from_slice(&[0; 4]);
    value.extend_from_slice(&snapshot.version.get().to_le_bytes());
    value.extend_from_slice(&snapshot.offset.get().to_le_bytes());
    value.extend_from_slice(&snapshot.fingerprint.to_le_bytes());
    value.extend_from_slice(&snapshot.time.as_micros().to_le_bytes());
    value.extend_from_slice(&newest.to_be_bytes());
    value.extend_from_slice(&snapshot.payload);
    let crc = checksum(&value);
    value[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_le_bytes());
    value
}

/// The snapshot that bytes hold.
pub(crate) fn decode(value: &[u8]) -> Result<Snapshot, Malformed> {
    let mut reader = Reader::new(value);
    let format = reader.u8("a snapshot's header")?;
    let codec = reader.u8("a snapshot's header")?;
    let has_newest = reader.u8("a snapshot's header")?;
    let zero = reader.u8("a snapshot's header")?;
    let stored = reader.u32("a snapshot's header")?;
    let version = Version::new(reader.u64("a snapshot's header")?);
    let offset = Offset::new(reader.u64("a snapshot's header")?);
    let fingerprint = reader.u64("a snapshot's header")?;
    let time = Timestamp::from_micros(reader.u64("a snapshot's header")?);
    let newest = reader.u128("a snapshot's header")?.swap_bytes();
    let computed = checksum(value);
    if computed != stored {
        return Err(Malformed::Checksum { stored, computed });
    }
    if format != FORMAT {
        return Err(Malformed::Format {
            what: "a snapshot",
            found: format.into(),
            supported: FORMAT.into(),
        });
    }
    if has_newest > 1 || zero != 0 {
        return Err(Malformed::Value("a snapshot's header"));
    }
    Ok(Snapshot {
        version,
        offset,
        fingerprint,
        codec: Codec::from_tag(codec).ok_or(Malformed::Value("a snapshot's codec"))?,
        newest_command: (has_newest == 1).then(|| CommandId::from(Uuid::from_u128(newest))),
        time,
        payload: reader.rest().to_vec(),
    })
}

fn checksum(value: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&value[..CRC_AT]), &value[CRC_AT + 4..])
}
