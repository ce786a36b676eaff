//! What a store keeps over all its sessions: sinks, the durable offset, counters.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dormouse_domain::Offset;
use tokio::sync::Notify;

use crate::announcer::Announcer;
use crate::options::StoreOptions;
use crate::settlement::{Settled, SettlementSink, SinkId};
use crate::statistics::Counters;
use crate::sync::{ArcSwap, Mutex};

pub(crate) struct Core {
    pub(crate) options: StoreOptions,
    pub(crate) counters: Counters,
    /// Notified when there may be space again.
    pub(crate) space: Notify,
    /// Keeps the durable offset.
    pub(crate) announcer: Announcer,
    sinks: ArcSwap<Vec<Arc<dyn SettlementSink>>>,
    registering: Mutex<()>,
}

impl Core {
    pub(crate) fn new(options: StoreOptions) -> Core {
        Core {
            options,
            counters: Counters::default(),
            space: Notify::new(),
            announcer: Announcer::new(),
            sinks: ArcSwap::default(),
            registering: Mutex::new(()),
        }
    }

    pub(crate) fn register_sink(&self, sink: Arc<dyn SettlementSink>) -> SinkId {
        let _registering = self.registering.lock();
        let mut sinks = self.sinks.load().to_vec();
        let id = SinkId(u32::try_from(sinks.len()).expect("sinks are few"));
        sinks.push(sink);
        self.sinks.store(Arc::new(sinks));
        id
    }

    /// Hands settled commits to their sinks: one call a sink. `fates` are emptied.
    pub(crate) fn deliver(&self, fates: impl Iterator<Item = (SinkId, Settled)>) {
        let sinks = self.sinks.load();
        let mut batches: Vec<Vec<Settled>> = Vec::new();
        batches.resize_with(sinks.len(), Vec::new);
        let expected = fates.size_hint().0;
        for (sink, settled) in fates {
            // A sink of another store: nobody waits for it here.
            let Some(batch) = batches.get_mut(sink.0 as usize) else {
                continue;
            };
            if batch.is_empty() {
                batch.reserve(expected / sinks.len());
            }
            batch.push(settled);
        }
        for (sink, batch) in sinks.iter().zip(batches) {
            if !batch.is_empty() && catch_unwind(AssertUnwindSafe(|| sink.settled(batch))).is_err() {
                tracing::error!(
                    "a settlement sink panicked: its commits' fates are lost to their submitters"
                );
            }
        }
    }

    /// The log is durable up to here. Never steps back.
    pub(crate) fn publish_durable(&self, offset: Offset) {
        self.announcer.moved(offset);
    }

    pub(crate) fn durable(&self) -> Offset {
        self.announcer.durable()
    }
}
