//! Where the entities of one aggregate type are: id → actor. The eviction hand-shake is in `entries.rs`.

use std::sync::{Arc, Weak};

use actix::dev::channel::channel;
use actix::prelude::{Actor, Addr, Context, Handler, Message, SendError};
use dormouse_domain::{Aggregate, AggregateId, AggregateType, Moment, NotDone, StreamId};
use tracing::Span;

use crate::actor::{self, Attempt, EntityActor};
use crate::entries::{Bounds, Charged, Entries, Entry, Mailbox, Unsent};
use crate::lane;
use crate::residency::{Evicts, Keeper, Residency};
use crate::shared::Shared;
use crate::spans::within;

/// actix's own bound is off: any cloned address goes round it, so the count in flight is ours.
const UNBOUNDED: usize = 0;

/// An actor that died of a panic is found by the next sender, who wakes the aggregate anew.
const SEND_ATTEMPTS: usize = 2;

pub(crate) struct Directory<A: Aggregate> {
    pub(crate) shared: Arc<Shared>,
    pub(crate) aggregate_type: AggregateType,
    /// Of the state's schema: a snapshot with another one is not used.
    pub(crate) state_fingerprint: u64,
    pub(crate) entries: Entries<Addr<EntityActor<A>>>,
    keeper: Arc<Keeper>,
    this: Weak<Self>,
}

impl<A: Aggregate> Directory<A> {
    pub(crate) fn new(
        shared: Arc<Shared>,
        aggregate_type: AggregateType,
        state_fingerprint: u64,
    ) -> Arc<Self> {
        Arc::new_cyclic(|this| {
            let evicts: Weak<dyn Evicts> = Weak::<Self>::clone(this);
            let keeper = Arc::new(Keeper {
                aggregate_type: aggregate_type.clone(),
                evicts,
                gauges: Arc::clone(&shared.gauges),
            });
            Self {
                shared,
                aggregate_type,
                state_fingerprint,
                entries: Entries::new(),
                keeper,
                this: Weak::clone(this),
            }
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
        let shared = &self.shared;
        let bounds = Bounds {
            gauges: &shared.gauges,
            mailbox: shared.options.mailbox_commands,
            runtime: shared.options.in_flight_max,
        };
        for _ in 0..SEND_ATTEMPTS {
            if shared.is_stopping() {
                break;
            }
            match self.entries.send(
                id,
                message,
                &bounds,
                || shared.ms(asked),
                |message| self.spawn(id, message.activation()),
            ) {
                Ok(()) => return Ok(()),
                Err(Unsent::NoRoom(full, back)) => return Err((full, Some(back))),
                Err(Unsent::Died(back)) => message = back,
            }
        }
        Err((NotDone::ShuttingDown, None))
    }

    /// An id fixes its arbiter, where its actor lives. A reader reads the aggregate first: what is sent meanwhile waits in the
    /// mailbox, and the arbiter sees nothing of it all before there is something to handle.
    fn spawn(&self, id: &AggregateId, activation: Span) -> Entry<Addr<EntityActor<A>>> {
        let residency = Residency::new(id.clone(), Arc::clone(&self.keeper), self.shared.now_ms());
        let lanes = &self.shared.lanes;
        let lane = self.entries.hash(id) as usize % lanes.len();
        let (sender, receiver) = channel(UNBOUNDED);
        if let Some(directory) = self.this.upgrade() {
            let residency = Arc::clone(&residency);
            self.shared.readers.submit(move || {
                let stream = directory.stream(&residency.id);
                let attempted = within(activation, || actor::read(&directory, &stream));
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
            mailbox: Addr::new(sender),
            residency,
        }
    }
}

impl<A: Aggregate> Evicts for Directory<A> {
    fn evict(&self, residency: &Residency) -> bool {
        self.entries.evict(residency)
    }
}

impl<A, M> Mailbox<M> for Addr<EntityActor<A>>
where
    A: Aggregate,
    M: Message<Result = ()> + Send + 'static,
    EntityActor<A>: Actor<Context = Context<EntityActor<A>>> + Handler<M>,
{
    #[inline(always)]
    fn put(&self, message: M) -> Result<(), M> {
        self.try_send(message)
            .map_err(|(SendError::Full(back) | SendError::Closed(back))| back)
    }
}
