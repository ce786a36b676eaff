//! Commands to a store while it is copied.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Result;
use dormouse::{CommandId, Dormouse};
use tokio::task::JoinHandle;

use crate::counter::{Add, Counter, stream_name};
use crate::findings::answered;

const CLIENTS: u64 = 8;
const COUNTERS: u64 = 500;
const LOOK_EVERY: Duration = Duration::from_millis(2);

/// Clients that send until one of them is not answered *done*, or they are told to end.
pub(super) struct Load {
    shared: Arc<Shared>,
    clients: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    over: AtomicBool,
    /// Events of acknowledged commands.
    acknowledged: AtomicU64,
    refused: AtomicBool,
}

impl Load {
    /// `first`: the number of the first command, so that no other load sends the same.
    pub(super) fn begin(runtime: &Dormouse, first: u64) -> Self {
        let shared = Arc::<Shared>::default();
        let clients = (0..CLIENTS)
            .map(|client| {
                let (runtime, shared) = (runtime.clone(), Arc::clone(&shared));
                tokio::spawn(async move {
                    if send(&runtime, &shared, first + client).await.is_none() {
                        shared.refused.store(true, Ordering::Release);
                    }
                })
            })
            .collect();
        Self { shared, clients }
    }

    pub(super) fn acknowledged(&self) -> u64 {
        self.shared.acknowledged.load(Ordering::Acquire)
    }

    /// Waits for so many events more; whether they came. A machine may take its time: only a command that is not done, or
    /// never answered, ends it.
    pub(super) async fn goes_on(&self, events: u64) -> bool {
        let from = self.acknowledged();
        while self.acknowledged() < from + events {
            if self.shared.refused.load(Ordering::Acquire) {
                return false;
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
        true
    }

    /// How many events were acknowledged in all.
    pub(super) async fn end(self) -> Result<u64> {
        self.shared.over.store(true, Ordering::Release);
        for client in self.clients {
            client.await?;
        }
        Ok(self.shared.acknowledged.load(Ordering::Acquire))
    }
}

/// None if a command was not done.
async fn send(runtime: &Dormouse, shared: &Shared, first: u64) -> Option<()> {
    for number in (first..).step_by(CLIENTS as usize) {
        if shared.over.load(Ordering::Acquire) {
            break;
        }
        let counter = runtime
            .entity::<Counter>(stream_name((number % COUNTERS) as u32))
            .ok()?;
        let add = Add::numbered(number);
        let parts = u64::from(add.parts);
        answered(counter.execute(add).id(CommandId::now())).await?.ok()?;
        shared.acknowledged.fetch_add(parts, Ordering::AcqRel);
    }
    Some(())
}
