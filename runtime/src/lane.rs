//! One arbiter's share of the runtime: its entities' parkings, and the runner that brings them the journal's word.
//!
//! The journal tells an arbiter of a whole batch at once: one hand-over and one wake-up, however many entities.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use actix::ArbiterHandle;
use dormouse_persistence::{Settled, SettlementSink, SinkId};
use parking_lot::Mutex;
use slab::Slab;
use tokio::sync::Notify;

use crate::parking::Parking;
use crate::statistics::LaneCounters;

thread_local! {
    /// The parkings of this arbiter's entities. An arbiter's thread belongs to one runtime.
    static PARKINGS: RefCell<Slab<Rc<Parking>>> = const { RefCell::new(Slab::new()) };
}

/// An arbiter as the rest of the runtime sees it.
#[derive(Debug)]
pub(crate) struct Lane {
    pub(crate) arbiter: ArbiterHandle,
    pub(crate) sink: SinkId,
    pub(crate) counters: Arc<LaneCounters>,
}

/// Where the journal puts what has been settled for one arbiter.
#[derive(Default)]
pub(crate) struct Inbox {
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
    pub(crate) async fn deliver(self: Arc<Self>) {
        let mut batches = Vec::new();
        loop {
            self.arrived.notified().await;
            std::mem::swap(&mut *self.batches.lock(), &mut batches);
            for settled in batches.drain(..).flatten() {
                let parking = PARKINGS.with_borrow(|parkings| parkings.get(settled.key as usize).cloned());
                if let Some(parking) = parking {
                    parking.settle(&settled);
                }
            }
        }
    }
}

/// An entity's place among its arbiter's parkings, given up when dropped.
pub(crate) struct ParkingPlace {
    key: usize,
    parking: Rc<Parking>,
}

impl ParkingPlace {
    pub(crate) fn take() -> Self {
        let parking = Rc::<Parking>::default();
        let key = PARKINGS.with_borrow_mut(|parkings| parkings.insert(Rc::clone(&parking)));
        Self { key, parking }
    }

    /// What the journal names this entity by.
    pub(crate) fn key(&self) -> u64 {
        self.key as u64
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
                parkings.try_remove(self.key);
            }
        });
    }
}
