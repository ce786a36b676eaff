//! `resident`: what an idle aggregate weighs, everything included.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use crate::bank::{self, Settings};
use crate::latency::Latencies;
use crate::outcome::Outcome;
use crate::process::Usage;
use crate::step::Traffic;
use crate::traffic::{Fleet, Keys};

/// Wakes `count` accounts that nothing was ever stored for, and looks how much the process grew.
pub(crate) async fn run(directory: &Path, count: u64, seed: u64) -> Result<Outcome> {
    const TRIAL: u64 = 1_000;
    let settings = Settings {
        memory_budget_bytes: usize::MAX,
        ..Settings::default()
    };
    let bank = bank::open(directory, &settings).await?;
    let traffic = Traffic::spread(1, 0.0);
    // The first ones find the size of everything that is there once.
    Arc::new(Fleet::new(&bank, &traffic, Keys::even(TRIAL), seed))
        .wake_all()
        .await?;
    let (before, started) = (Usage::now().resident_bytes, Instant::now());
    let fleet = Arc::new(Fleet::new(&bank, &traffic, Keys::even(count + TRIAL), seed));
    fleet.wake_all().await?;
    let took = started.elapsed().as_secs_f64();
    let grown = Usage::now().resident_bytes.saturating_sub(before);
    let mut outcome = Outcome::of(256, count, took, Latencies::new().merged());
    outcome.set("bytes_per_resident", grown as f64 / count as f64);
    let now = bank.statistics();
    outcome.set(
        "reckoned_bytes_per_resident",
        now.resident_bytes as f64 / now.residents as f64,
    );
    bank.shutdown().await?;
    Ok(outcome)
}
