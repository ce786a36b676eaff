//! Every byte that is stored, in one place each; `docs/format.md` describes them.
//!
//! Decoders take hostile bytes: they check lengths and checksums before they use anything, and answer
//! [`Malformed`] instead of panicking.

pub(crate) mod keys;
pub(crate) mod meta;
pub(crate) mod packing;
mod read;
pub(crate) mod record;
pub(crate) mod rows;
pub(crate) mod segment;
pub(crate) mod snapshot;

use std::fmt;

pub(crate) use self::read::Reader;

/// Why bytes are not what they should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Malformed {
    /// Fewer bytes than the part named needs.
    Short(&'static str),
    /// More bytes than the part named has.
    Long(&'static str),
    /// The part named has a value that is not allowed.
    Value(&'static str),
    /// The checksum does not match.
    Checksum { stored: u32, computed: u32 },
    /// A format number this version does not know.
    Format {
        what: &'static str,
        found: u32,
        supported: u32,
    },
    /// A section this version does not know.
    Section(u8),
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Malformed::Short(part) => write!(f, "{part} is cut short"),
            Malformed::Long(part) => write!(f, "bytes are left over after {part}"),
            Malformed::Value(part) => write!(f, "{part} has a value that is not allowed"),
            Malformed::Checksum { stored, computed } => {
                write!(f, "its checksum is {computed:08x}, {stored:08x} was stored")
            }
            Malformed::Format {
                what,
                found,
                supported,
            } => {
                write!(
                    f,
                    "{what} has format {found}, this version reads format {supported}"
                )
            }
            Malformed::Section(tag) => write!(f, "section {tag} is unknown to this version"),
        }
    }
}
