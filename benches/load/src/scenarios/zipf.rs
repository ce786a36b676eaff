//! `zipf`: more streams than memory holds, asked for as the world asks.

use std::path::Path;
use std::sync::Arc;

use anyhow::Result;

use crate::bank::{self, Settings};
use crate::outcome::Outcome;
use crate::recorder;
use crate::step::Traffic;
use crate::traffic::{self, Fleet, Keys};

const EXPONENT: f64 = 1.0;

/// Fills the store, opens it anew with memory for a share of the streams, and sends deposits.
pub(crate) async fn run(
    directory: &Path,
    seed: u64,
    (ids, events_each, memory_share): (u64, u64, f64),
    traffic: &Traffic,
) -> Result<Outcome> {
    recorder::install()?;
    let (weight, budget) = fill(directory, seed, (ids, events_each, memory_share), traffic).await?;
    let settings = Settings {
        memory_budget_bytes: budget,
        ..Settings::default()
    };
    let bank = bank::open(directory, &settings).await?;
    let fleet = Arc::new(Fleet::new(&bank, traffic, Keys::zipf(ids, EXPONENT), seed));
    let mut outcome = traffic::measure(&fleet, traffic).await?;
    let now = bank.statistics();
    outcome.set("memory_budget_mib", budget as f64 / f64::from(1 << 20));
    outcome.set(
        "memory_peak_share",
        now.resident_bytes_peak as f64 / budget as f64,
    );
    outcome.set("bytes_per_resident", weight);
    let waking = now.activation_micros as f64 / now.activations as f64;
    outcome.set("activation_us", waking);
    let commands = outcome.get("commands").unwrap_or_default();
    outcome.set(
        "activations_per_command",
        outcome.get("activations").unwrap_or_default() / commands,
    );
    bank.shutdown().await?;
    Ok(outcome)
}

/// Returns an aggregate's weight as the runtime reckons it, and the budget for the share.
async fn fill(
    directory: &Path,
    seed: u64,
    (ids, events_each, memory_share): (u64, u64, f64),
    traffic: &Traffic,
) -> Result<(f64, usize)> {
    const FILLERS: u64 = 512;
    let bank = bank::open(directory, &Settings::default()).await?;
    let fleet = Arc::new(Fleet::new(&bank, traffic, Keys::even(ids), seed ^ 1));
    fleet.fill(FILLERS, 0..ids, events_each).await?;
    let full = bank.statistics();
    let waiting = bank.clone();
    tokio::task::spawn_blocking(move || bank::drain(&waiting)).await?;
    bank.shutdown().await?;
    let budget = (full.resident_bytes as f64 * memory_share) as usize;
    Ok((full.resident_bytes as f64 / full.residents.max(1) as f64, budget))
}
