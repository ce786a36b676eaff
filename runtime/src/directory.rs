//! Where the entities of one aggregate type are: id → actor.
//!
//! The eviction hand-shake is here. A sender counts its command in flight under the entry's guard; an eviction takes
//! the entry out under the same guard for writing, and only if nothing is in flight. So a command either keeps its
//! entity, or finds no entry and wakes the aggregate anew, by then with its stream closed (P7).

use std::hash::BuildHasher;
use std::sync::{Arc, Weak};

use actix::dev::channel::channel;
use actix::prelude::{Actor, Addr, Context, Handler, Message, SendError};
use dashmap::DashMap;
use dashmap::mapref::one::Ref;
use dormouse_domain::{Aggregate, AggregateId, AggregateType, Moment, NotDone, StreamId};
use dormouse_persistence::{Planted, planted};

use crate::actor::{self, Attempt, EntityActor};
use crate::lane;
use crate::residency::{Charge, Evicts, Residency};
use crate::shared::Shared;

/// actix's own bound is off: any cloned address goes round it, so the count in flight is ours.
const UNBOUNDED: usize = 0;

/// An actor that died of a panic is found by the next sender, who wakes the aggregate anew.
const SEND_ATTEMPTS: usize = 2;

/// A message that is counted while it is in flight.
pub(crate) trait Charged {
    fn carry(&mut self, charge: Charge);
}

struct Entry<A: Aggregate> {
    address: Addr<EntityActor<A>>,
    residency: Arc<Residency>,
}

pub(crate) struct Directory<A: Aggregate> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) aggregate_type: AggregateType,
    /// Of the state's schema: a snapshot with another one is not used.
    pub(crate) state_fingerprint: u64,
    entries: DashMap<AggregateId, Entry<A>>,
    this: Weak<Self>,
}

impl<A: Aggregate> Directory<A> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        aggregate_type: AggregateType,
        state_fingerprint: u64,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| Self {
            shared,
            aggregate_type,
            state_fingerprint,
            entries: DashMap::new(),
            this: Weak::clone(this),
        })
    }

    pub(crate) fn stream(&self, id: &AggregateId) -> StreamId {
        StreamId {
            aggregate_type: self.aggregate_type.clone(),
            id: id.clone(),
        }
    }

    /// Puts a message into an entity's mailbox, waking the aggregate if it sleeps. Never waits. What finds no room
    /// comes back. `asked`: when its caller asked, which counts as the aggregate's last use.
    pub(crate) fn send<M>(
        &self,
        id: &AggregateId,
        mut message: M,
        asked: Moment,
    ) -> Result<(), (NotDone, Option<M>)>
    where
        M: Charged + Message<Result = ()> + Send + 'static,
        EntityActor<A>: Actor<Context = Context<EntityActor<A>>> + Handler<M>,
    {
        for _ in 0..SEND_ATTEMPTS {
            if self.shared.is_stopping() {
                break;
            }
            let entry = match self.entry(id) {
                Ok(entry) => entry,
                Err(full) => return Err((full, Some(message))),
            };
            let options = &self.shared.options;
            match entry
                .residency
                .charge(options.mailbox_commands, options.in_flight_max)
            {
                Ok(charge) => message.carry(charge),
                Err(full) => return Err((full, Some(message))),
            }
            entry.residency.touch(self.shared.ms(asked));
            match entry.address.try_send(message) {
                Ok(()) => return Ok(()),
                Err(SendError::Full(back) | SendError::Closed(back)) => message = back,
            }
            let dead = Arc::clone(&entry.residency);
            drop(entry);
            self.bury(&dead);
        }
        Err((NotDone::ShuttingDown, None))
    }

    /// The entry of `id`, made if there is room for what wakes the aggregate.
    fn entry(&self, id: &AggregateId) -> Result<Ref<'_, AggregateId, Entry<A>>, NotDone> {
        if let Some(entry) = self.entries.get(id) {
            return Ok(entry);
        }
        self.shared.gauges.has_room(self.shared.options.in_flight_max)?;
        Ok(self
            .entries
            .entry(id.clone())
            .or_insert_with(|| self.spawn(id))
            .downgrade())
    }

    /// Removes the entry of an actor that is gone, so that the next command finds a living one.
    fn bury(&self, dead: &Arc<Residency>) {
        self.entries
            .remove_if(&dead.id, |_, entry| Arc::ptr_eq(&entry.residency, dead));
        dead.leave();
    }

    /// An id fixes its arbiter, where its actor lives. A reader reads the aggregate first: what is sent meanwhile waits in the
    /// mailbox, and the arbiter sees nothing of it all before there is something to handle.
    fn spawn(&self, id: &AggregateId) -> Entry<A> {
        let owner: Weak<dyn Evicts> = Weak::<Self>::clone(&self.this);
        let gauges = Arc::clone(&self.shared.gauges);
        let residency = Residency::new(id.clone(), owner, gauges, self.shared.now_ms());
        let lanes = &self.shared.lanes;
        let lane = self.entries.hasher().hash_one(id) as usize % lanes.len();
        let (sender, receiver) = channel(UNBOUNDED);
        if let Some(directory) = self.this.upgrade() {
            let residency = Arc::clone(&residency);
            self.shared.readers.submit(move || {
                let stream = directory.stream(&residency.id);
                let attempted = actor::read(&directory, &stream);
                // it counts from here on: who is read next makes room for it, too (P14)
                if let Ok(Attempt::Woken(woken)) = &attempted {
                    residency.weigh(woken.weight());
                }
                let shared = Arc::clone(&directory.shared);
                shared.lanes[lane].let_in(move || {
                    let mut actor = EntityActor::new(directory, residency, lane);
                    actor.arrive(attempted);
                    lane::spawn(Context::with_receiver(receiver).into_future(actor));
                });
            });
        }
        Entry {
            address: Addr::new(sender),
            residency,
        }
    }
}

impl<A: Aggregate> Evicts for Directory<A> {
    fn evict(&self, residency: &Residency) -> bool {
        let removed = self.entries.remove_if(&residency.id, |_, entry| {
            let idle = std::ptr::eq(Arc::as_ptr(&entry.residency), residency)
                && (residency.in_flight() == 0 || planted(Planted::EvictionUnchecked));
            if idle {
                residency.leave();
            }
            idle
        });
        removed.is_some()
    }
}
