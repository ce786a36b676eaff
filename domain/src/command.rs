use bincode::enc::write::Writer;
use bincode::error::EncodeError;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use xxhash_rust::xxh3::{Xxh3, xxh3_64};

use crate::{CodecError, SchemaVersion};

/// A request to an aggregate, which may be refused. Each type of command has its own type of reply; derive it.
///
/// ```
/// # use dormouse_domain as dormouse;
/// use dormouse::{Command, SchemaVersion};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Command)]
/// #[command(reply = i64, name = "withdraw", version = 2, fingerprint(cents))]
/// struct Withdraw { cents: i64, note: String }
///
/// assert_eq!(Withdraw::NAME, "withdraw");
/// assert_eq!(Withdraw::VERSION, SchemaVersion::new(2));
///
/// let first = Withdraw { cents: 5, note: "rent".into() }.fingerprint()?;
/// let retry = Withdraw { cents: 5, note: "rent (again)".into() }.fingerprint()?;
/// assert!(retry.same_command(&first));
/// # Ok::<(), dormouse::CodecError>(())
/// ```
pub trait Command: Serialize + DeserializeOwned + Send + 'static {
    /// The name in metrics, errors and fingerprints. The derive's default: the type's name.
    const NAME: &'static str;
    /// The version of the fields' schema.
    const VERSION: SchemaVersion = SchemaVersion::FIRST;
    /// What the caller gets when the command was done. The derive's default: `()`.
    type Reply: Serialize + DeserializeOwned + Send + 'static;

    /// What a retry must have in common with the first attempt. Here all fields; the derive's `fingerprint(…)` picks
    /// some, for commands with a field that differs in each attempt.
    ///
    /// # Errors
    /// [`CodecError::Encode`] when a field's `Serialize` fails.
    fn fingerprint(&self) -> Result<CommandFingerprint, CodecError> {
        CommandFingerprint::of::<Self, _>(self)
    }
}

/// Tells a retry from another command that reuses its id. Stored with the commit (14 bytes).
///
/// Not meant against malice: 64 bits of xxh3 over the fields in bincode, and 32 bits of xxh3 over the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct CommandFingerprint {
    /// The low 32 bits of xxh3 over the command's name.
    pub name: u32,
    /// The version of the command's schema.
    pub version: SchemaVersion,
    /// xxh3 over the fields in bincode.
    pub fields: u64,
}

impl CommandFingerprint {
    /// The fingerprint of a command of type `C` by these of its fields. Allocates nothing.
    ///
    /// # Errors
    /// [`CodecError::Encode`] when a field's `Serialize` fails.
    pub fn of<C: Command, F: Serialize + ?Sized>(fields: &F) -> Result<Self, CodecError> {
        let mut hasher = Hasher::new();
        bincode::serde::encode_into_writer(fields, &mut hasher, bincode::config::standard())
            .map_err(CodecError::encode)?;
        Ok(Self {
            name: Self::hash_of(C::NAME),
            version: C::VERSION,
            fields: hasher.digest(),
        })
    }

    /// What a command's name is in a fingerprint.
    #[must_use]
    #[allow(clippy::cast_possible_truncation, reason = "the low half is kept on purpose")]
    pub fn hash_of(name: &str) -> u32 {
        xxh3_64(name.as_bytes()) as u32
    }

    /// Whether this command is a retry of the one that came `first` with the same id. Across schema versions the
    /// fields can't be compared, and the id alone decides.
    #[must_use]
    pub fn same_command(&self, first: &Self) -> bool {
        self.name == first.name && (self.version != first.version || self.fields == first.fields)
    }
}

/// Fields of usual size are gathered and hashed at once: xxh3's streaming state alone has 576 bytes to set up.
struct Hasher {
    short: [u8; SHORT_BYTES],
    len: usize,
    /// From the first byte on that found no room in `short`.
    long: Option<Xxh3>,
}

const SHORT_BYTES: usize = 128;

impl Hasher {
    fn new() -> Self {
        Self {
            short: [0; SHORT_BYTES],
            len: 0,
            long: None,
        }
    }

    fn digest(&self) -> u64 {
        match &self.long {
            None => xxh3_64(&self.short[..self.len]),
            Some(long) => long.digest(),
        }
    }
}

impl Writer for Hasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) -> Result<(), EncodeError> {
        let end = self.len + bytes.len();
        match (&mut self.long, self.short.get_mut(self.len..end)) {
            (None, Some(room)) => {
                room.copy_from_slice(bytes);
                self.len = end;
            }
            (None, None) => {
                let mut long = Xxh3::new();
                long.update(&self.short[..self.len]);
                long.update(bytes);
                self.long = Some(long);
            }
            (Some(long), _) => long.update(bytes),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_fields_have_the_same_hash_however_they_are_written() {
        for bytes in [
            0,
            1,
            SHORT_BYTES - 1,
            SHORT_BYTES,
            SHORT_BYTES + 1,
            2 * SHORT_BYTES,
            5_000,
        ] {
            let fields: Vec<u8> = (0..bytes).map(|n| (n % 251) as u8).collect();
            for piece in [1, 7, SHORT_BYTES, bytes.max(1)] {
                let mut hasher = Hasher::new();
                for part in fields.chunks(piece) {
                    hasher.write(part).unwrap();
                }
                assert_eq!(
                    hasher.digest(),
                    xxh3_64(&fields),
                    "{bytes} bytes in pieces of {piece}"
                );
            }
        }
    }

    /// Stored fingerprints were made by the streaming hash.
    #[test]
    fn every_length_hashes_as_the_stream_did() {
        let mut random = 88_172_645_463_325_252_u64;
        let mut next = move || {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random
        };
        for len in (0..3_000).chain([65_535, 65_536, 1_048_577]) {
            let fields: Vec<u8> = (0..len).map(|_| next() as u8).collect();
            let (mut new, mut old) = (Hasher::new(), Xxh3::new());
            let mut rest = &fields[..];
            while !rest.is_empty() {
                let most = [1, 9, 130, 1_500, 70_000][next() as usize % 5];
                let (part, after) = rest.split_at(rest.len().min(next() as usize % (most + 1)));
                new.write(part).unwrap();
                old.update(part);
                rest = after;
            }
            assert_eq!(new.digest(), old.digest(), "{len}");
        }
    }
}
