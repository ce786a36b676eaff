//! Writing snapshots off the reply path: one thread, a bounded queue. A snapshot that finds it full is dropped.

use std::sync::Arc;
use std::thread::JoinHandle;

use crossbeam_channel::{Sender, TrySendError, bounded};
use dormouse_domain::StreamId;
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
}

impl SnapshotWriter {
    pub(crate) fn start(store: Store, counters: Arc<RuntimeCounters>) -> std::io::Result<Self> {
        let (orders, receiver) = bounded(SNAPSHOTS_QUEUED);
        let counted = Arc::clone(&counters);
        let thread = std::thread::Builder::new()
            .name("dormouse-snapshots".into())
            .spawn(move || {
                while let Ok(Order::Write(order)) = receiver.recv() {
                    let (stream, snapshot) = *order;
                    match store.put_snapshot(&stream, &snapshot) {
                        Ok(()) => {
                            counted.snapshots_written.add(1);
                            metrics::counter!(metric_names::SNAPSHOTS_WRITTEN).increment(1);
                        }
                        Err(error) => tracing::warn!(%stream, %error, "a snapshot was not written"),
                    }
                }
            })?;
        Ok(Self {
            orders,
            counters,
            thread: Mutex::new(Some(thread)),
        })
    }

    /// Never blocks. The snapshot's events must be durable.
    pub(crate) fn write(&self, stream: StreamId, snapshot: Snapshot) {
        if let Err(TrySendError::Full(_)) = self.orders.try_send(Order::Write(Box::new((stream, snapshot)))) {
            self.counters.snapshots_dropped.add(1);
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
