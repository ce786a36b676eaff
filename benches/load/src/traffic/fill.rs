//! Filling a store before something is measured on it.

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Result;

use super::Fleet;
use crate::account::Deposit;

impl Fleet {
    /// Gives each of these accounts `events_each` deposits, one commit each, so that the streams lie scattered over the
    /// log: all accounts get their first one before any gets its second.
    pub(crate) async fn fill(
        self: &Arc<Self>,
        clients: u64,
        ids: Range<u64>,
        events_each: u64,
    ) -> Result<()> {
        let next = Arc::new(AtomicU64::new(0));
        let count = ids.end - ids.start;
        let mut running = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let (fleet, next, first) = (Arc::clone(self), Arc::clone(&next), ids.start);
            running.spawn(async move {
                loop {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    if number >= count * events_each {
                        return anyhow::Ok(());
                    }
                    let deposit = Deposit {
                        cents: 100,
                        counterparty: (number * 31 % 1_000_003) as u32,
                        invoice: number as u32,
                    };
                    fleet.account(first + number % count)?.execute(deposit).await?;
                }
            });
        }
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        Ok(())
    }
}
