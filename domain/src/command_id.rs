use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Timestamp;

/// Names one intention of a caller, so that a retry takes effect once: the same id must come with every retry, and
/// with nothing else.
///
/// Prefer [`now`](Self::now): an aggregate tells a new time-ordered id from a used one without looking into the
/// store. Ids of other kinds are looked up each time.
///
/// ```
/// # use dormouse_domain as dormouse;
/// use dormouse::CommandId;
///
/// let fresh = CommandId::now();
/// assert!(fresh.is_time_ordered());
///
/// let from_http = CommandId::from_key("order-1017/payment");
/// assert_eq!(from_http, CommandId::from_key("order-1017/payment"));
/// assert!(!from_http.is_time_ordered());
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CommandId(Uuid);

/// The namespace of the ids made from keys. Fixed for ever: the same key must give the same id after an upgrade.
const KEYS: Uuid = Uuid::from_u128(0x7d5c_9a1e_3b46_4f0e_9f2a_61d8_c40b_57e3);

impl CommandId {
    /// A new id (UUID version 7: milliseconds of the machine's clock, then random bits).
    #[must_use]
    pub fn now() -> Self {
        Self(Uuid::now_v7())
    }

    /// The id of an idempotency key, the same for the same key (UUID version 5).
    #[must_use]
    pub fn from_key(key: &str) -> Self {
        Self(Uuid::new_v5(&KEYS, key.as_bytes()))
    }

    /// From a UUID of any version.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Self {
        Self(uuid)
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }

    /// The UUID's 128 bits; their order is the ids' order, that of time for time-ordered ids.
    #[must_use]
    pub const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// Whether it is a UUID of version 7, which has the time in front.
    #[must_use]
    pub fn is_time_ordered(self) -> bool {
        self.0.get_version() == Some(uuid::Version::SortRand)
            && self.0.get_variant() == uuid::Variant::RFC4122
    }

    /// When a time-ordered id was made, to the millisecond, by the clock of whoever made it.
    #[must_use]
    pub fn time(self) -> Option<Timestamp> {
        let millis = || u64::try_from(self.as_u128() >> 80).expect("48 bits fit into 64");
        self.is_time_ordered().then(|| Timestamp::from_millis(millis()))
    }
}

impl From<Uuid> for CommandId {
    fn from(uuid: Uuid) -> Self {
        Self(uuid)
    }
}

impl From<CommandId> for Uuid {
    fn from(id: CommandId) -> Self {
        id.0
    }
}

impl FromStr for CommandId {
    type Err = uuid::Error;

    /// From a UUID's text; for any other key use [`CommandId::from_key`].
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
