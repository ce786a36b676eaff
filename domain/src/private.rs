//! What the derives' generated code calls. Not public: may change in any release.

pub use serde;

pub use crate::{
    Codec, CodecError, Command, CommandFingerprint, Event, EventDecodeError, EventType, SchemaVersion,
    SizeLimit,
};

use serde::de::DeserializeOwned;

pub fn decode_fields<T: DeserializeOwned>(
    name: &str,
    version: SchemaVersion,
    codec: Codec,
    payload: &[u8],
) -> Result<T, EventDecodeError> {
    codec.decode(payload).map_err(|source| EventDecodeError::Codec {
        name: name.to_owned(),
        version,
        source,
    })
}

#[cold]
pub fn unknown_name<E: Event>(name: &str) -> EventDecodeError {
    let known = E::TYPES.iter().map(|known| known.name).collect();
    EventDecodeError::UnknownName {
        name: name.to_owned(),
        known,
    }
}

#[cold]
pub fn unknown_version(name: &str, version: SchemaVersion, current: u16) -> EventDecodeError {
    EventDecodeError::UnknownVersion {
        name: name.to_owned(),
        version,
        current: SchemaVersion::new(current),
    }
}
