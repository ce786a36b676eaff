//! A store and a runtime on it, as the scenarios open them.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dormouse::{Dormouse, Store};

use crate::account::Account;

/// What a scenario chooses; everything else stays at its default.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) memory_budget_bytes: usize,
    pub(crate) snapshot_every: u32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            memory_budget_bytes: 4 << 30,
            snapshot_every: 100,
        }
    }
}

/// Opens or makes the store in `directory`.
pub(crate) async fn open(directory: &Path, settings: &Settings) -> Result<Dormouse> {
    let store = Store::open(directory)
        .with_context(|| format!("the store in {} can't be opened", directory.display()))?;
    let builder = Dormouse::builder(store).aggregate::<Account>();
    let started = builder
        .memory_budget_bytes(settings.memory_budget_bytes)
        .snapshot_every(settings.snapshot_every)
        .passivate_after(Duration::from_secs(3_600))
        .start();
    Ok(started.await?)
}

/// The account's id; of one width, so that records are of one size.
pub(crate) fn account_id(number: u64) -> String {
    format!("acc-{number:08}")
}

/// Waits until the store has no work left behind the log but its newest generation: runs indexed, compactions done.
/// Returns how long that took.
pub(crate) fn drain(bank: &Dormouse) -> Duration {
    const POLL: Duration = Duration::from_millis(5);
    const QUIET_POLLS: u32 = 4;
    const GIVE_UP_AFTER: Duration = Duration::from_secs(300);
    /// The default of `StoreOptions::generation_bytes`: so much may stay in the tail for as long as nothing is written.
    const GENERATION_BYTES: u64 = 64 << 20;
    let started = Instant::now();
    let (mut quiet, mut since) = (0, started);
    while quiet < QUIET_POLLS && started.elapsed() < GIVE_UP_AFTER {
        let store = bank.store().statistics();
        let works = store.tail_bytes > GENERATION_BYTES
            || store.engine.compactions_running > 0
            || store.engine.compaction_pending_bytes > 0;
        if works {
            quiet = 0;
        } else if quiet == 0 {
            since = Instant::now();
            quiet = 1;
        } else {
            quiet += 1;
        }
        std::thread::sleep(POLL);
    }
    since.duration_since(started)
}
