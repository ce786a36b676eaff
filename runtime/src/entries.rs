//! Which aggregates are awake, and the eviction hand-shake.
//!
//! A sender counts its command in flight under the entry's guard; an eviction takes the entry out under the same guard for
//! writing, and only if nothing is in flight. So a command either keeps its entity, or finds no entry and wakes the
//! aggregate anew, by then with its stream closed (P7).

use std::hash::BuildHasher;
use std::sync::Arc;

use dormouse_domain::{AggregateId, NotDone};
use dormouse_persistence::{Planted, planted};
use tracing::Span;

use crate::residency::{Charge, Gauges, Residency};
use crate::sync::{DashMap, Ref};

/// A message that is counted while it is in flight.
pub(crate) trait Charged {
    fn carry(&mut self, charge: Charge);
    /// The span of reading the aggregate that it wakes.
    fn activation(&self) -> Span {
        Span::none()
    }
}

/// Where the messages of one entity wait. Unbounded: the count in flight is the bound.
pub(crate) trait Mailbox<M> {
    /// Never waits. The message comes back if nobody will ever take it.
    fn put(&self, message: M) -> Result<(), M>;
}

/// An aggregate that is awake, or being woken.
pub(crate) struct Entry<T> {
    pub(crate) mailbox: T,
    pub(crate) residency: Arc<Residency>,
}

/// How much may be in flight.
pub(crate) struct Bounds<'a> {
    pub(crate) gauges: &'a Gauges,
    pub(crate) mailbox: usize,
    pub(crate) runtime: usize,
}

/// Why a message was not put into a mailbox. It comes back.
pub(crate) enum Unsent<M> {
    NoRoom(NotDone, M),
    /// The entity had died; its entry is gone now, and the next attempt wakes the aggregate anew.
    Died(M),
}

/// Id → mailbox.
pub(crate) struct Entries<T> {
    map: DashMap<AggregateId, Entry<T>>,
}

impl<T> Entries<T> {
    pub(crate) fn new() -> Self {
        Self { map: DashMap::new() }
    }

    /// Puts a message into an entity's mailbox; `wake` makes the entry if there is none. `used_ms`: when its caller asked;
    /// not computed for who is turned away.
    #[inline(always)] // its one caller is the hot path: the message is moved once less
    pub(crate) fn send<M: Charged>(
        &self,
        id: &AggregateId,
        mut message: M,
        bounds: &Bounds<'_>,
        used_ms: impl FnOnce() -> u64,
        wake: impl FnOnce(&M) -> Entry<T>,
    ) -> Result<(), Unsent<M>>
    where
        T: Mailbox<M>,
    {
        let entry = match self.entry(id, bounds, || wake(&message)) {
            Ok(entry) => entry,
            Err(full) => return Err(Unsent::NoRoom(full, message)),
        };
        match entry.residency.charge(bounds.mailbox, bounds.runtime) {
            Ok(charge) => message.carry(charge),
            Err(full) => return Err(Unsent::NoRoom(full, message)),
        }
        entry.residency.touch(used_ms());
        let Err(back) = entry.mailbox.put(message) else {
            return Ok(());
        };
        let dead = Arc::clone(&entry.residency);
        drop(entry);
        self.bury(&dead);
        Err(Unsent::Died(back))
    }

    /// Removes the entry of `residency` if nothing is in flight to it. `false` if it is in use.
    pub(crate) fn evict(&self, residency: &Residency) -> bool {
        let removed = self.map.remove_if(&residency.id, |_, entry| {
            let idle = std::ptr::eq(Arc::as_ptr(&entry.residency), residency)
                && (residency.in_flight() == 0 || planted(Planted::EvictionUnchecked));
            if idle {
                residency.leave();
            }
            idle
        });
        removed.is_some()
    }

    /// Who is awake under this id.
    pub(crate) fn find(&self, id: &AggregateId) -> Option<Arc<Residency>> {
        self.map.get(id).map(|entry| Arc::clone(&entry.residency))
    }

    /// How many are awake, or being woken.
    pub(crate) fn len(&self) -> usize {
        self.map.len()
    }

    /// An id's, the same for as long as this lives.
    pub(crate) fn hash(&self, id: &AggregateId) -> u64 {
        self.map.hasher().hash_one(id)
    }

    /// The entry of `id`, made if there is room for what wakes the aggregate.
    fn entry(
        &self,
        id: &AggregateId,
        bounds: &Bounds<'_>,
        wake: impl FnOnce() -> Entry<T>,
    ) -> Result<Ref<'_, AggregateId, Entry<T>>, NotDone> {
        if let Some(entry) = self.map.get(id) {
            return Ok(entry);
        }
        bounds.gauges.has_room(bounds.runtime)?;
        Ok(self.map.entry(id.clone()).or_insert_with(wake).downgrade())
    }

    /// Removes the entry of an actor that is gone, so that the next command finds a living one.
    fn bury(&self, dead: &Arc<Residency>) {
        self.map
            .remove_if(&dead.id, |_, entry| Arc::ptr_eq(&entry.residency, dead));
        dead.leave();
    }
}

#[cfg(test)]
mod tests;
