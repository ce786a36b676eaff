use std::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Offset, Position, ShardId, Timestamp};

/// Names one stored event for the world outside. Derived from the event's time and position, so it costs no bytes in
/// the store and comes out the same each time the event is read.
///
/// It has the shape of a UUID of version 7 and sorts by time, then shard, then offset: 48 bits of milliseconds, 16
/// bits of shard, and the low 58 bits of the offset (a log would need 2⁵⁸ events for two ids to meet).
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct EventId(Uuid);

const OFFSET_BITS: u32 = 58;
const SHARD_BITS: u32 = 16;
const RAND_A_BITS: u32 = 12;
const RAND_B_BITS: u32 = 62;
/// Version 7 of the usual variant, and where a UUID says so.
const SHAPE: u128 = 7 << 76 | 0b10 << RAND_B_BITS;
const SHAPE_MASK: u128 = 0xf << 76 | 0b11 << RAND_B_BITS;

impl EventId {
    /// The id of the event that was committed at `position` in a segment of `time`.
    #[must_use]
    pub const fn derive(time: Timestamp, position: Position) -> Self {
        let offset = position.offset.get() as u128 & ((1 << OFFSET_BITS) - 1);
        // 74 bits are ours: `rand_a` takes the upper 12, `rand_b` the lower 62.
        let ours = ((position.shard.get() as u128) << OFFSET_BITS) | offset;
        let rand_a = ours >> RAND_B_BITS;
        let rand_b = ours & ((1 << RAND_B_BITS) - 1);
        let millis = time.as_millis() as u128 & ((1 << 48) - 1);
        Self(Uuid::from_u128(millis << 80 | SHAPE | rand_a << 64 | rand_b))
    }

    /// An event's id that came from outside, such as the causation in another event's metadata. `None`: it has not the shape
    /// of one. Command ids may have it, too: only the event at its [`position`](Self::position) tells whether it is its own.
    #[must_use]
    pub const fn from_uuid(uuid: Uuid) -> Option<Self> {
        let id = Self(uuid);
        if id.as_u128() & SHAPE_MASK == SHAPE {
            Some(id)
        } else {
            None
        }
    }

    /// Where its event was committed: the inverse of [`derive`](Self::derive), which keeps the low 58 bits of the offset.
    #[must_use]
    pub const fn position(self) -> Position {
        let rand_a = (self.as_u128() >> 64) & ((1 << RAND_A_BITS) - 1);
        let rand_b = self.as_u128() & ((1 << RAND_B_BITS) - 1);
        let ours = rand_a << RAND_B_BITS | rand_b;
        let offset = (ours & ((1 << OFFSET_BITS) - 1)) as u64;
        let shard = (ours >> OFFSET_BITS) as u16;
        Position::new(ShardId::new(shard), Offset::new(offset))
    }

    const fn as_u128(self) -> u128 {
        self.0.as_u128()
    }

    /// The UUID.
    #[must_use]
    pub const fn as_uuid(self) -> Uuid {
        self.0
    }
}

const _: () = assert!(SHARD_BITS + OFFSET_BITS == RAND_A_BITS + RAND_B_BITS);

impl From<EventId> for Uuid {
    fn from(id: EventId) -> Self {
        id.0
    }
}

impl fmt::Display for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

impl fmt::Debug for EventId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}
