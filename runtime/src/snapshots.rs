//! Writing snapshots off the reply path: one thread, a bounded queue. A snapshot that finds it full is dropped.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use dormouse_domain::{StreamId, Timestamp};
use dormouse_persistence::{Snapshot, Store};
use parking_lot::Mutex;

use crate::metric_names;
use crate::options::SNAPSHOTS_QUEUED;
use crate::statistics::RuntimeCounters;

enum Order {
    Write(Box<(StreamId, Snapshot)>),
    Stop,
}

pub(crate) struct SnapshotWriter {
    orders: Sender<Order>,
    counters: Arc<RuntimeCounters>,
    thread: Mutex<Option<JoinHandle<()>>>,
    /// In place of the thread.
    #[cfg(feature = "simulation")]
    by_hand: Option<Serving>,
}

/// What the thread writes from, and to.
struct Serving {
    orders: Receiver<Order>,
    store: Store,
    counters: Arc<RuntimeCounters>,
}

impl Serving {
    fn write(&self, (stream, snapshot): (StreamId, Snapshot)) {
        match self.store.put_snapshot(&stream, &snapshot) {
            Ok(()) => {
                self.counters.snapshots_written.add(1);
                metrics::counter!(metric_names::SNAPSHOTS_WRITTEN).increment(1);
                metrics::gauge!(metric_names::SNAPSHOT_WRITTEN_TIMESTAMP).set(seconds(snapshot.time));
            }
            Err(error) => {
                self.counters.snapshots_failed.add(1);
                metrics::counter!(metric_names::SNAPSHOTS_FAILED).increment(1);
                tracing::warn!(%stream, %error, "a snapshot was not written");
            }
        }
    }
}

/// Since 1970.
fn seconds(time: Timestamp) -> f64 {
    time.as_micros() as f64 / 1e6
}

impl SnapshotWriter {
    pub(crate) fn start(store: Store, counters: Arc<RuntimeCounters>) -> std::io::Result<Self> {
        let (orders, serving) = Self::serving(store, Arc::clone(&counters));
        let thread = std::thread::Builder::new()
            .name("dormouse-snapshots".into())
            .spawn(move || {
                while let Ok(Order::Write(order)) = serving.orders.recv() {
                    serving.write(*order);
                }
            })?;
        Ok(Self {
            orders,
            counters,
            thread: Mutex::new(Some(thread)),
            #[cfg(feature = "simulation")]
            by_hand: None,
        })
    }

    /// A writer without a thread.
    #[cfg(feature = "simulation")]
    pub(crate) fn by_hand(store: Store, counters: Arc<RuntimeCounters>) -> Self {
        let (orders, serving) = Self::serving(store, Arc::clone(&counters));
        Self {
            orders,
            counters,
            thread: Mutex::default(),
            by_hand: Some(serving),
        }
    }

    /// Writes the next snapshot, without a thread. `false`: there is none.
    #[cfg(feature = "simulation")]
    pub(crate) fn step(&self) -> bool {
        let order = self
            .by_hand
            .as_ref()
            .map(|serving| (serving, serving.orders.try_recv()));
        let Some((serving, Ok(Order::Write(order)))) = order else {
            return false;
        };
        serving.write(*order);
        true
    }

    /// Snapshots that wait to be written.
    pub(crate) fn waiting(&self) -> usize {
        self.orders.len()
    }

    fn serving(store: Store, counters: Arc<RuntimeCounters>) -> (Sender<Order>, Serving) {
        let (sender, orders) = bounded(SNAPSHOTS_QUEUED);
        let serving = Serving {
            orders,
            store,
            counters,
        };
        (sender, serving)
    }

    /// Never blocks. The snapshot's events must be durable.
    pub(crate) fn write(&self, stream: StreamId, snapshot: Snapshot) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send(Order::Write(Box::new((stream, snapshot)))) {
            self.counters.snapshots_dropped.add(1);
            metrics::counter!(metric_names::SNAPSHOTS_DROPPED).increment(1);
        }
    }

    /// Writes what is queued and ends the thread. Blocking.
    pub(crate) fn close(&self) {
        if let Some(thread) = self.thread.lock().take() {
            let _ = self.orders.send(Order::Stop);
            let _ = thread.join();
        }
    }
}

impl Drop for SnapshotWriter {
    fn drop(&mut self) {
        self.close();
    }
}
