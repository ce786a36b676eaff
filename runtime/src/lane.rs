//! One arbiter's share of the runtime: its entities' parkings, the runner that brings them the journal's word, and the one
//! that lets entities in.
//!
//! The journal tells an arbiter of a whole batch at once: one hand-over and one wake-up, however many entities. Entities
//! that the readers have read come in the same way: who comes while the arbiter is busy wakes nobody.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Instant;

use dormouse_persistence::{Settled, SettlementSink, SinkId, Store, Writing};
use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::Notify;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use crate::parking::{CommitWait, Parking};
use crate::statistics::LaneCounters;

thread_local! {
    /// How this arbiter's entities write.
    static WRITING: RefCell<Option<Writing>> = const { RefCell::new(None) };
    /// The parkings of this arbiter's entities. An arbiter's thread belongs to one runtime.
    static PARKINGS: RefCell<Parkings> = const { RefCell::new(Parkings { slots: Slab::new(), epoch: 0 }) };
}

/// Parkings by key. A key is slot and epoch: an entity that died with commits on their way must not leave their
/// settlements to whoever gets its slot.
struct Parkings {
    slots: Slab<(u32, Rc<Parking>)>,
    epoch: u32,
}

impl Parkings {
    fn insert(&mut self, parking: Rc<Parking>) -> u64 {
        self.epoch = self.epoch.wrapping_add(1);
        let slot = self.slots.insert((self.epoch, parking));
        u64::from(self.epoch) << 32 | slot as u64
    }

    fn get(&self, key: u64) -> Option<Rc<Parking>> {
        let (epoch, parking) = self.slots.get(slot(key))?;
        (u64::from(*epoch) == key >> 32).then(|| Rc::clone(parking))
    }

    fn remove(&mut self, key: u64) {
        self.slots.try_remove(slot(key));
    }
}

fn slot(key: u64) -> usize {
    (key & u64::from(u32::MAX)) as usize
}

/// Entities let in before others of the arbiter get a turn.
const ARRIVALS_AT_ONCE: usize = 32;

/// Makes an entity's actor, on the arbiter.
pub(crate) type Arrival = Box<dyn FnOnce() + Send>;

/// An arbiter as the rest of the runtime sees it.
#[derive(Debug)]
pub(crate) struct Lane {
    /// Never more than there are messages in flight: each wakes one entity at most.
    pub(crate) arrivals: UnboundedSender<Arrival>,
    pub(crate) sink: SinkId,
    pub(crate) counters: Arc<LaneCounters>,
}

impl Lane {
    /// An arbiter's, with what must run on the arbiter before its first entity: who delivers to it, and who lets entities in.
    pub(crate) fn new(
        store: &Store,
    ) -> (
        Self,
        impl Future<Output = ()> + Send + use<>,
        impl Future<Output = ()> + Send + use<>,
    ) {
        let inbox = Arc::<Inbox>::default();
        let sink = store.register_sink(Arc::clone(&inbox) as _);
        let (arrivals, arriving) = unbounded_channel();
        let counters = Arc::<LaneCounters>::default();
        let delivering = inbox.deliver(store.writing(), Arc::clone(&counters));
        let lane = Self {
            arrivals,
            sink,
            counters,
        };
        (lane, delivering, let_in(arriving))
    }

    /// Has `arrive` run on the arbiter. Dropped, not run, once the arbiter has stopped.
    pub(crate) fn let_in(&self, arrive: impl FnOnce() + Send + 'static) {
        let _ = self.arrivals.send(Box::new(arrive));
    }
}

/// Has a future run on this arbiter until it ends.
pub(crate) fn spawn(future: impl Future<Output = ()> + 'static) {
    #[cfg(feature = "simulation")]
    let Some(future) = crate::simulation::Arbiter::adopt(future) else {
        return;
    };
    actix::spawn(future);
}

/// Runs on the arbiter until it stops, and drops what comes too late.
async fn let_in(mut arrivals: UnboundedReceiver<Arrival>) {
    let mut some = Vec::with_capacity(ARRIVALS_AT_ONCE);
    while arrivals.recv_many(&mut some, ARRIVALS_AT_ONCE).await > 0 {
        for arrive in some.drain(..) {
            if catch_unwind(AssertUnwindSafe(arrive)).is_err() {
                tracing::error!("an entity could not be made");
            }
        }
        tokio::task::yield_now().await;
    }
}

/// Where the journal puts what has been settled for one arbiter.
#[derive(Default)]
struct Inbox {
    batches: Mutex<Vec<Vec<Settled>>>,
    arrived: Notify,
}

impl SettlementSink for Inbox {
    fn settled(&self, batch: Vec<Settled>) {
        self.batches.lock().push(batch);
        self.arrived.notify_one();
    }
}

impl Inbox {
    /// Runs on the arbiter until it stops.
    async fn deliver(self: Arc<Self>, writing: Writing, counters: Arc<LaneCounters>) {
        WRITING.set(Some(writing));
        let mut batches = Vec::new();
        loop {
            self.arrived.notified().await;
            std::mem::swap(&mut *self.batches.lock(), &mut batches);
            // one of them stands for all: they were made durable together
            let mut wait = Some(CommitWait {
                arrived: Instant::now(),
                recorder: &counters.commit_wait_nanos,
            });
            for settled in batches.drain(..).flatten() {
                let parking = PARKINGS.with_borrow(|parkings| parkings.get(settled.key));
                if let Some(parking) = parking {
                    parking.settle(&settled, wait.take());
                }
            }
        }
    }
}

/// Uses the way in which the entities of this arbiter write.
pub(crate) fn with_writing<T>(act: impl FnOnce(&mut Writing) -> T) -> T {
    WRITING.with_borrow_mut(|writing| {
        act(writing
            .as_mut()
            .expect("an arbiter's deliveries begin before its first entity"))
    })
}

/// An entity's place among its arbiter's parkings, given up when dropped.
pub(crate) struct ParkingPlace {
    parking: Rc<Parking>,
}

impl ParkingPlace {
    pub(crate) fn take() -> Self {
        let parking = Rc::<Parking>::default();
        let key = PARKINGS.with_borrow_mut(|parkings| parkings.insert(Rc::clone(&parking)));
        parking.name(key);
        Self { parking }
    }

    pub(crate) fn shared(&self) -> Rc<Parking> {
        Rc::clone(&self.parking)
    }
}

impl std::ops::Deref for ParkingPlace {
    type Target = Parking;

    fn deref(&self) -> &Parking {
        &self.parking
    }
}

impl Drop for ParkingPlace {
    fn drop(&mut self) {
        // while the thread itself ends its locals may be gone already
        let _ = PARKINGS.try_with(|parkings| {
            if let Ok(mut parkings) = parkings.try_borrow_mut() {
                parkings.remove(self.parking.key());
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};

    #[tokio::test]
    async fn one_that_panics_keeps_nobody_out() {
        let (arrivals, arriving) = unbounded_channel::<Arrival>();
        let in_house = Arc::new(AtomicUsize::new(0));
        for n in 0..2 * ARRIVALS_AT_ONCE {
            let in_house = Arc::clone(&in_house);
            let arrive = move || {
                assert!(n != 1, "a planted panic");
                in_house.fetch_add(1, Ordering::Relaxed);
            };
            assert!(arrivals.send(Box::new(arrive)).is_ok());
        }
        drop(arrivals);
        let_in(arriving).await;
        assert_eq!(in_house.load(Ordering::Relaxed), 2 * ARRIVALS_AT_ONCE - 1);
    }
}
