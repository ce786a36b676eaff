//! The streams that are woken.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dormouse::Dormouse;

use crate::bank::{self, Settings};
use crate::step::Traffic;
use crate::traffic::{Fleet, Keys};

/// Short streams, woken many at once.
const SHORT_STREAMS: u64 = 5_000;
pub(super) const SHORT_EVENTS: u64 = 20;
pub(super) const AT_ONCE: usize = 256;
/// Ids of the kinds of streams begin here.
const WITH_SNAPSHOT_FROM: u64 = 1_000_000;
const SHORT_FROM: u64 = 2_000_000;
const PUSHING_FROM: u64 = 3_000_000;
const EVENTS_A_SNAPSHOT: u32 = 100;
/// Other streams, whose events push those that are woken out of the tail: so many at a time.
const PUSHING_STREAMS: u64 = 100;
const PUSHING_EVENTS: u64 = 100;

/// Which streams there are.
pub(super) struct Filled {
    streams_a_length: u64,
}

impl Filled {
    /// Streams of the length with this number that have no snapshot.
    pub(super) fn plain(&self, length: usize) -> Range<u64> {
        let first = length as u64 * self.streams_a_length;
        first..first + self.streams_a_length
    }

    /// Those that have one.
    pub(super) fn with_snapshots(&self, length: usize) -> Range<u64> {
        let plain = self.plain(length);
        WITH_SNAPSHOT_FROM + plain.start..WITH_SNAPSHOT_FROM + plain.end
    }

    pub(super) fn short(&self) -> Range<u64> {
        SHORT_FROM..SHORT_FROM + SHORT_STREAMS
    }
}

/// The store's settings here, with snapshots as often as wanted; 0 is never.
pub(super) fn settings(snapshot_every: u32) -> Settings {
    Settings {
        snapshot_every,
        ..Settings::default()
    }
}

/// Makes all streams, indexes them and closes the store. Runs are of their default size, which is that of the memtables
/// that the rows go through; the short streams lie in two of them, like streams that grow slowly.
pub(super) async fn fill(store: &Path, seed: u64, lengths: &[u64], streams_a_length: u64) -> Result<Filled> {
    let filled = Filled { streams_a_length };
    let bank = bank::open(store, &settings(0)).await?;
    let fleet = fleet(&bank, seed);
    fleet
        .fill(AT_ONCE as u64, filled.short(), SHORT_EVENTS / 2)
        .await?;
    for (number, length) in lengths.iter().enumerate() {
        fleet.fill(AT_ONCE as u64, filled.plain(number), *length).await?;
    }
    push(&bank, &fleet).await?;
    fleet
        .fill(AT_ONCE as u64, filled.short(), SHORT_EVENTS - SHORT_EVENTS / 2)
        .await?;
    bank.shutdown().await?;
    let bank = bank::open(store, &settings(EVENTS_A_SNAPSHOT)).await?;
    let fleet = self::fleet(&bank, seed);
    for (number, length) in lengths.iter().enumerate() {
        fleet
            .fill(AT_ONCE as u64, filled.with_snapshots(number), *length)
            .await?;
    }
    push(&bank, &fleet).await?;
    bank.shutdown().await?;
    Ok(filled)
}

fn fleet(bank: &Dormouse, seed: u64) -> Arc<Fleet> {
    let traffic = Traffic::spread(AT_ONCE as u64, 0.0);
    Arc::new(Fleet::new(bank, &traffic, Keys::even(1), seed))
}

/// Stores events of other streams until all that was stored before is in the index.
async fn push(bank: &Dormouse, fleet: &Arc<Fleet>) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(120);
    let goal = bank.store().durable();
    let started = Instant::now();
    while bank.store().statistics().indexed < goal {
        ensure!(started.elapsed() < LIMIT, "the indexer does not reach {goal}");
        let others = PUSHING_FROM..PUSHING_FROM + PUSHING_STREAMS;
        fleet.fill(AT_ONCE as u64, others, PUSHING_EVENTS).await?;
    }
    Ok(())
}
