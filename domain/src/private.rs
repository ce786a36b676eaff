//! What the derives' generated code calls. Not public: may change in any release.

pub use core::primitive::str;
pub use core::result::Result::{self, Err, Ok};
pub use std::vec::Vec;

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
    codec.decode(payload).map_err(|reason| EventDecodeError::Codec {
        name: name.to_owned(),
        version,
        reason,
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

/// One step of an upcaster; a function of its own for the sake of the error when it is missing:
///
/// ```compile_fail,E0277
/// #[derive(dormouse_domain::Event)]
/// enum Entry {
///     #[event(upcast(DepositedV1))]
///     Deposited { cents: i64 },
/// }
///
/// #[derive(serde::Deserialize)]
/// struct DepositedV1 { euros: i64 }
/// ```
pub fn upcast<Old: Upcast<Next>, Next>(old: Old) -> Next {
    old.upcast()
}

#[diagnostic::on_unimplemented(
    message = "`upcast(…)` turns `{Self}` into `{Next}`, and doesn't know how",
    label = "these stored fields need an upcaster",
    note = "write `impl From<{Self}> for {Next}`"
)]
pub trait Upcast<Next> {
    fn upcast(self) -> Next;
}

#[diagnostic::do_not_recommend]
impl<Old, Next: From<Old>> Upcast<Next> for Old {
    fn upcast(self) -> Next {
        self.into()
    }
}
