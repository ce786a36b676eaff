mod read;
mod write;

use std::fmt;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use write::{BoundedWriter, Counter};

/// How values become bytes in the store. A record names its codec, so a type can change from one to the other and
/// still read what it stored before.
///
/// Bincode is small and fast, and stores neither field names nor types: a changed struct needs a new schema version
/// and an upcaster, and the serde attributes `skip*`, `flatten`, `tag` and `untagged` lose data under it (the
/// [test kit](crate::testing) finds them). JSON is larger and can be read by eye.
///
/// ```
/// # use dormouse_domain as dormouse;
/// use dormouse::{Codec, SizeLimit};
///
/// let mut bytes = Vec::new();
/// let limit = SizeLimit { field: "greeting", bytes_max: 8 };
/// Codec::Bincode.encode("hello", &mut bytes, limit)?;
/// assert_eq!(Codec::Bincode.decode::<String>(&bytes)?, "hello");
///
/// let error = Codec::Bincode.encode("hello, world", &mut bytes, limit).unwrap_err();
/// assert_eq!(error.to_string(), "greeting has 13 bytes when encoded; the limit is 8");
/// # Ok::<(), dormouse::CodecError>(())
/// ```
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum Codec {
    /// The encoding of bincode 2 in its standard configuration (little-endian, variable-length integers).
    #[default]
    Bincode = 1,
    /// JSON as text in UTF-8, without white space.
    Json = 2,
}

/// The bound of one encoded value, and the name that an error gives to that value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SizeLimit {
    /// What is encoded, in words a caller understands.
    pub field: &'static str,
    /// Most bytes it may have.
    pub bytes_max: usize,
}

impl Codec {
    /// The codec of a tag in a record; `None` for one that this build doesn't know.
    #[must_use]
    pub const fn from_tag(tag: u8) -> Option<Self> {
        match tag {
            1 => Some(Self::Bincode),
            2 => Some(Self::Json),
            _ => None,
        }
    }

    /// The tag that stands for this codec in records. Never changes.
    #[must_use]
    pub const fn tag(self) -> u8 {
        self as u8
    }

    /// Appends the value's bytes to `out`. On an error `out` is as it was.
    ///
    /// Past the limit nothing is stored any more, but counted on, so that the error can say how large the value is.
    ///
    /// # Errors
    /// [`CodecError::TooLarge`] beyond the limit, [`CodecError::Encode`] when the value's `Serialize` fails.
    pub fn encode<T: Serialize + ?Sized>(
        self,
        value: &T,
        out: &mut Vec<u8>,
        limit: SizeLimit,
    ) -> Result<(), CodecError> {
        let start = out.len();
        let mut writer = BoundedWriter::new(out, limit.bytes_max);
        let result = match self.write(value, &mut writer) {
            Ok(()) if writer.written() > limit.bytes_max => {
                let bytes = writer.written();
                Err(CodecError::TooLarge {
                    field: limit.field,
                    bytes,
                    limit: limit.bytes_max,
                })
            }
            other => other,
        };
        if result.is_err() {
            out.truncate(start);
        }
        result
    }

    /// How many bytes the value takes when encoded. Walks the value, allocates nothing.
    ///
    /// # Errors
    /// [`CodecError::Encode`] when the value's `Serialize` fails.
    pub fn encoded_len<T: Serialize + ?Sized>(self, value: &T) -> Result<usize, CodecError> {
        let mut counter = Counter::default();
        self.write(value, &mut counter)?;
        Ok(counter.bytes)
    }

    /// Reads a value that takes up all of `bytes`.
    ///
    /// Lengths inside the bytes are believed only as far as there are bytes, and nesting is followed to
    /// [`DECODE_DEPTH_MAX`](crate::limits::DECODE_DEPTH_MAX) levels: hostile bytes are an error, and neither exhaust
    /// memory nor overflow the stack.
    ///
    /// # Errors
    /// [`CodecError::Decode`] when the bytes are no such value, [`CodecError::TrailingBytes`] when some are left.
    pub fn decode<T: DeserializeOwned>(self, bytes: &[u8]) -> Result<T, CodecError> {
        let (value, used) = match self {
            Self::Bincode => read::from_slice(bytes).map_err(CodecError::decode)?,
            Self::Json => decode_json(bytes)?,
        };
        match bytes.len() - used {
            0 => Ok(value),
            left => Err(CodecError::TrailingBytes { left }),
        }
    }

    fn write<T, W>(self, value: &T, writer: &mut W) -> Result<(), CodecError>
    where
        T: Serialize + ?Sized,
        W: bincode::enc::write::Writer + std::io::Write,
    {
        match self {
            Self::Bincode => bincode::serde::encode_into_writer(value, writer, bincode::config::standard())
                .map_err(CodecError::encode),
            Self::Json => serde_json::to_writer(writer, value).map_err(CodecError::encode),
        }
    }
}

/// The value at the front of `bytes`, and how many bytes it takes.
fn decode_json<T: DeserializeOwned>(bytes: &[u8]) -> Result<(T, usize), CodecError> {
    let mut values = serde_json::Deserializer::from_slice(bytes).into_iter();
    match values.next() {
        Some(Ok(value)) => Ok((value, values.byte_offset())),
        Some(Err(error)) => Err(CodecError::decode(error)),
        None => Err(CodecError::decode("no value")),
    }
}

impl fmt::Display for Codec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bincode => "bincode",
            Self::Json => "JSON",
        })
    }
}

/// A value that could not be turned into bytes, or back. Nothing was stored.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// The encoded value is larger than its limit.
    #[error("{field} has {bytes} bytes when encoded; the limit is {limit}")]
    TooLarge {
        /// What was encoded.
        field: &'static str,
        /// The bytes it takes.
        bytes: usize,
        /// The bytes it may take.
        limit: usize,
    },
    /// The value's `Serialize` failed.
    #[error("can't be encoded: {reason}")]
    Encode {
        /// What serde said.
        reason: Arc<str>,
    },
    /// The bytes are not such a value.
    #[error("can't be decoded: {reason}")]
    Decode {
        /// What serde or the format said.
        reason: Arc<str>,
    },
    /// A whole value was read, and bytes are left: they are of another type or schema.
    #[error("can't be decoded: {left} bytes are left after the value")]
    TrailingBytes {
        /// How many are left.
        left: usize,
    },
}

impl CodecError {
    pub(crate) fn encode(reason: impl fmt::Display) -> Self {
        Self::Encode {
            reason: reason.to_string().into(),
        }
    }

    pub(crate) fn decode(reason: impl fmt::Display) -> Self {
        Self::Decode {
            reason: reason.to_string().into(),
        }
    }
}

#[cfg(test)]
mod tests;
