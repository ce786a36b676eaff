//! Snapshots: an aggregate's state as of a version, kept to save replaying its stream. One a stream, the newest.

use dormouse_domain::{Codec, CommandId, Offset, Timestamp, Version};

/// A stored state. It can always be thrown away: the stream says the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The version of the last event folded into it.
    pub version: Version,
    /// That event's offset.
    pub offset: Offset,
    /// Tells whether the state's type is still the same; see `dormouse_domain::state_fingerprint`.
    pub fingerprint: u64,
    /// How the payload is encoded.
    pub codec: Codec,
    /// The highest time-ordered command id in the stream up to `version`.
    pub newest_command: Option<CommandId>,
    /// When it was taken.
    pub time: Timestamp,
    /// The encoded state.
    pub payload: Vec<u8>,
}
