//! Which command ids an aggregate has seen (P6), without asking the disk for the usual ones.
//!
//! The recent ids are kept exactly, in a ring; of the time-ordered (v7) ids that were forgotten only the highest is
//! kept, the *floor*. So a v7 id above the floor that is not in the ring is new, whatever order ids arrive in; every
//! other id has to be looked up in the store.

use std::collections::VecDeque;

use dormouse_domain::{CommandFingerprint, CommandId, Version};
use dormouse_persistence::{Planted, planted};

/// An id that took effect, or is about to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: CommandId,
    pub(crate) fingerprint: CommandFingerprint,
    /// The first version of its commit.
    pub(crate) first_version: Version,
    /// The last version of its commit: durable once the stream is so far.
    pub(crate) last_version: Version,
}

/// What the ids in memory say of one that arrives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    New,
    Seen(Seen),
    /// Only the store can tell.
    LookUp,
}

/// Nothing for an aggregate whose commands have no ids: most that are idle then take a pointer for it.
#[derive(Debug)]
pub(crate) struct CommandIds(Option<Box<Known>>);

#[derive(Debug, Default)]
struct Known {
    ring: VecDeque<Seen>,
    /// The highest v7 id that was stored and is no longer in the ring.
    floor: Option<CommandId>,
    /// The highest v7 id that was stored: what is above it needs no look at the ring.
    newest: Option<CommandId>,
}

impl CommandIds {
    /// After an activation: nothing in the ring, and `newest_stored` is the highest v7 id in the stream.
    pub(crate) fn new(newest_stored: Option<CommandId>) -> Self {
        Self(newest_stored.map(|_| {
            Box::new(Known {
                ring: VecDeque::new(),
                floor: newest_stored,
                newest: newest_stored,
            })
        }))
    }

    /// `stored_any`: whether the stream holds any event; with none, no id can have taken effect.
    pub(crate) fn judge(&self, id: CommandId, stored_any: bool) -> Verdict {
        let Some(known) = &self.0 else {
            return new_or_look_up(id.is_time_ordered() || !stored_any);
        };
        if id.is_time_ordered() && known.newest.is_none_or(|newest| id > newest) {
            return Verdict::New;
        }
        if let Some(seen) = known.ring.iter().rev().find(|seen| seen.id == id) {
            return Verdict::Seen(*seen);
        }
        let above_floor = id.is_time_ordered() && known.floor.is_none_or(|floor| id > floor);
        new_or_look_up(above_floor || !stored_any)
    }

    /// Remembers an id whose commit was handed over. Forgets the oldest past the bound, but never one whose commit is
    /// not durable yet: the store could not answer for it. Keeps `ring_max` exactly, and one at least.
    pub(crate) fn remember(&mut self, seen: Seen, durable: Version, ring_max: usize) {
        let known = self.0.get_or_insert_default();
        if seen.id.is_time_ordered() {
            known.newest = known.newest.max(Some(seen.id));
        }
        // room first: a ring that is one longer for a moment takes twice the memory for good
        while known.ring.len() >= ring_max.max(1) {
            match known.ring.front() {
                Some(oldest) if oldest.last_version <= durable => {
                    if oldest.id.is_time_ordered() && !planted(Planted::FloorNotRaised) {
                        known.floor = known.floor.max(Some(oldest.id));
                    }
                    known.ring.pop_front();
                }
                _ => break,
            }
        }
        known.ring.push_back(seen);
    }

    /// The highest v7 id that the stream holds, for a snapshot.
    pub(crate) fn newest(&self) -> Option<CommandId> {
        self.0.as_ref()?.newest
    }

    pub(crate) fn heap_bytes(&self) -> usize {
        self.0.as_ref().map_or(0, |known| {
            size_of::<Known>() + known.ring.capacity() * size_of::<Seen>()
        })
    }
}

fn new_or_look_up(is_new: bool) -> Verdict {
    if is_new { Verdict::New } else { Verdict::LookUp }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_domain::SchemaVersion;
    use uuid::Uuid;

    fn v7(n: u64) -> CommandId {
        CommandId::from(Uuid::from_u128(u128::from(n) << 80 | 0x7 << 76 | 0b10 << 62))
    }

    fn seen(id: CommandId, at: u64) -> Seen {
        let fingerprint = CommandFingerprint {
            name: 1,
            version: SchemaVersion::FIRST,
            fields: 2,
        };
        Seen {
            id,
            fingerprint,
            first_version: Version::new(at),
            last_version: Version::new(at),
        }
    }

    fn ring_len(ids: &CommandIds) -> usize {
        ids.0.as_ref().map_or(0, |known| known.ring.len())
    }

    #[test]
    fn an_id_above_the_floor_is_new_whatever_the_order() {
        let mut ids = CommandIds::new(None);
        let (early, late) = (v7(1), v7(2));
        ids.remember(seen(late, 1), Version::new(1), 8);
        assert_eq!(ids.judge(early, true), Verdict::New);
        assert_eq!(ids.judge(late, true), Verdict::Seen(seen(late, 1)));
    }

    #[test]
    fn forgetting_raises_the_floor() {
        let mut ids = CommandIds::new(None);
        let known: Vec<_> = (1..=3).map(v7).collect();
        for (at, id) in (1..).zip(&known) {
            ids.remember(seen(*id, at), Version::new(at), 2);
        }
        assert_eq!(
            ids.judge(known[0], true),
            Verdict::LookUp,
            "forgotten, so the store must be asked"
        );
        assert_eq!(ids.judge(known[2], true), Verdict::Seen(seen(known[2], 3)));
        assert_eq!(ids.judge(v7(4), true), Verdict::New);
    }

    #[test]
    fn an_id_in_flight_is_never_forgotten() {
        let mut ids = CommandIds::new(None);
        for at in 1..=5 {
            ids.remember(seen(v7(at), at), Version::new(1), 2);
        }
        assert_eq!(ids.judge(v7(99), true), Verdict::New);
        assert_eq!(ring_len(&ids), 4, "the first was durable, the others were not");
        ids.remember(seen(v7(6), 6), Version::new(5), 2);
        assert_eq!(ring_len(&ids), 2);
    }

    #[test]
    fn a_full_ring_takes_no_more_memory() {
        let (mut ids, ring_max) = (CommandIds::new(None), 64);
        for at in 1..=10 * ring_max as u64 {
            ids.remember(seen(v7(at), at), Version::new(at - 1), ring_max);
        }
        let full = size_of::<Known>() + ring_max * size_of::<Seen>();
        assert_eq!((ring_len(&ids), ids.heap_bytes()), (ring_max, full));
    }

    #[test]
    fn after_an_activation_everything_up_to_the_newest_is_looked_up() {
        let ids = CommandIds::new(Some(v7(5)));
        assert_eq!(ids.judge(v7(4), true), Verdict::LookUp);
        assert_eq!(ids.judge(v7(6), true), Verdict::New);
        assert_eq!(ids.newest(), Some(v7(5)));
    }

    /// As most are: no command of theirs had an id, or none that is time-ordered.
    #[test]
    fn an_aggregate_that_knows_no_ids_asks_for_those_that_are_not_time_ordered() {
        let (ids, key) = (CommandIds::new(None), CommandId::from_key("payment-1"));
        assert_eq!(ids.judge(key, true), Verdict::LookUp);
        assert_eq!(ids.judge(key, false), Verdict::New);
        assert_eq!(ids.judge(v7(1), true), Verdict::New);
    }

    #[test]
    fn ids_of_other_kinds_are_always_looked_up_and_never_move_the_floor() {
        let mut ids = CommandIds::new(None);
        let key = CommandId::from_key("payment-1");
        ids.remember(seen(key, 1), Version::new(1), 1);
        ids.remember(seen(v7(1), 2), Version::new(2), 1);
        assert_eq!(ids.judge(key, true), Verdict::LookUp);
        assert_eq!(
            ids.judge(key, false),
            Verdict::New,
            "an empty stream holds no command"
        );
        assert_eq!(ids.judge(v7(2), true), Verdict::New);
        assert_eq!(ids.newest(), Some(v7(1)));
        ids.remember(seen(v7(3), 3), Version::new(3), 1);
        assert_eq!(
            ids.judge(v7(2), true),
            Verdict::New,
            "v7(1) is the floor, not the key"
        );
    }
}
