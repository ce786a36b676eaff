use std::fmt;

use crate::{Codec, CodecError, SchemaVersion, SizeLimit};

/// A fact about an aggregate, named in the past tense, never changed once stored. An enum with one variant for each
/// kind of fact; derive it.
///
/// Each variant is stored under a name and a schema version of its own, with only its fields as payload. So variants
/// can be added, moved and removed from the code without touching history; renaming one needs
/// `#[event(name = "…")]` with its old name, changing its fields a new version with an upcaster:
///
/// ```
/// # use dormouse_domain as dormouse;
/// use dormouse::{Codec, Event, SchemaVersion};
/// use serde::Deserialize;
///
/// #[derive(Debug, PartialEq, Event)]
/// enum Entry {
///     #[event(version = 2, upcast(DepositedV1))]
///     Deposited { cents: i64, currency: String },
///     #[event(name = "Withdrawn")]
///     TakenOut { cents: i64 },
/// }
///
/// /// The fields that `Deposited` had at first.
/// #[derive(Deserialize)]
/// struct DepositedV1 { cents: i64 }
///
/// impl From<DepositedV1> for Entry {
///     fn from(old: DepositedV1) -> Self {
///         Entry::Deposited { cents: old.cents, currency: "EUR".into() }
///     }
/// }
///
/// let stored_long_ago = br#"{"cents":250}"#;
/// let entry = Entry::decode("Deposited", SchemaVersion::FIRST, Codec::Json, stored_long_ago)?;
/// assert_eq!(entry, Entry::Deposited { cents: 250, currency: "EUR".into() });
/// # Ok::<(), dormouse::EventDecodeError>(())
/// ```
pub trait Event: Sized + Send + Sync + 'static {
    /// Each variant's stored name and current schema version.
    const TYPES: &'static [EventType];

    /// The stored name and current schema version of this variant.
    fn event_type(&self) -> EventType;

    /// Appends this variant's fields to `out`. On an error `out` is as it was.
    ///
    /// # Errors
    /// As [`Codec::encode`].
    fn encode(&self, codec: Codec, out: &mut Vec<u8>, limit: SizeLimit) -> Result<(), CodecError>;

    /// Reads an event back, through the upcasters if it was stored with an older schema.
    ///
    /// # Errors
    /// When the name or the version is not one of this type's, or the payload is not of that version.
    fn decode(
        name: &str,
        version: SchemaVersion,
        codec: Codec,
        payload: &[u8],
    ) -> Result<Self, EventDecodeError>;
}

/// The name under which an event variant is stored, and the version of its fields. Displayed as `Deposited v2`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct EventType {
    /// The stored name.
    pub name: &'static str,
    /// The version of its fields' schema.
    pub version: SchemaVersion,
}

impl EventType {
    /// Puts the two parts together.
    #[must_use]
    pub const fn new(name: &'static str, version: SchemaVersion) -> Self {
        Self { name, version }
    }
}

impl fmt::Display for EventType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} v{}", self.name, self.version)
    }
}

/// A stored event that this program can't read. The event is still there; a program that knows it reads it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum EventDecodeError {
    /// No variant is stored under this name. It was renamed (keep the old name with `#[event(name = "…")]`) or
    /// removed, or a newer program wrote it.
    #[error("unknown event {name:?}; this program knows {}", known.join(", "))]
    UnknownName {
        /// The name in the record.
        name: String,
        /// The names of all variants.
        known: Vec<&'static str>,
    },
    /// The variant exists, but not with this schema version. A newer program wrote it.
    #[error("event {name:?} is stored with schema version {version}; this program knows 1 to {current}")]
    UnknownVersion {
        /// The name in the record.
        name: String,
        /// The version in the record.
        version: SchemaVersion,
        /// The newest version this program knows.
        current: SchemaVersion,
    },
    /// The payload is not one of this schema version. Its fields were changed without a new version, or it is damaged.
    #[error("event {name:?} of schema version {version} {reason}")]
    Codec {
        /// The name in the record.
        name: String,
        /// The version in the record.
        version: SchemaVersion,
        /// What is wrong with the payload.
        reason: CodecError,
    },
}
