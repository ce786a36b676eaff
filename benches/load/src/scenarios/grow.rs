//! `grow`: a store that grows, and how long it takes to open it after a kill.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Result;

use crate::bank::{self, Settings};
use crate::latency::Latencies;
use crate::outcome::Outcome;
use crate::recorder;
use crate::step::Traffic;
use crate::traffic::{self, Fleet, Keys};

/// Writes so many events. The caller ends the process without closing anything.
pub(crate) async fn run(directory: &Path, seed: u64, events: u64, clients: u64) -> Result<Outcome> {
    const LIMIT_S: f64 = 3_600.0;
    const STREAMS: u64 = 100_000;
    recorder::install()?;
    let traffic = Traffic {
        ids: STREAMS,
        commands: events,
        ..Traffic::spread(clients, LIMIT_S)
    };
    let bank = bank::open(directory, &Settings::default()).await?;
    let fleet = Arc::new(Fleet::new(&bank, &traffic, Keys::even(STREAMS), seed));
    let mut outcome = traffic::measure(&fleet, &traffic).await?;
    let rates: Vec<f64> = outcome
        .samples
        .iter()
        .map(|sample| sample.commands_per_s)
        .collect();
    if let Some(ratio) = last_to_first_tenth(&rates) {
        outcome.set("ratio_last_first", ratio);
    }
    Ok(outcome)
}

/// The mean of the last tenth over that of the first.
fn last_to_first_tenth(rates: &[f64]) -> Option<f64> {
    let tenth = rates.len().div_ceil(10);
    let mean = |part: &[f64]| part.iter().sum::<f64>() / part.len() as f64;
    let first = mean(rates.get(..tenth)?);
    let last = mean(rates.get(rates.len().checked_sub(tenth)?..)?);
    (first > 0.0).then_some(last / first)
}

/// Opens what a killed process left.
pub(crate) async fn reopen(from: &Path) -> Result<Outcome> {
    let started = Instant::now();
    let bank = bank::open(from, &Settings::default()).await?;
    let took = started.elapsed();
    let latencies = Latencies::new();
    latencies.record(0, took);
    let mut outcome = Outcome::of(0, 1, took.as_secs_f64(), latencies.merged());
    outcome.set("reopen_s", took.as_secs_f64());
    outcome.set("events", bank.store().durable().get() as f64);
    bank.shutdown().await?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::last_to_first_tenth;

    #[test]
    fn tenths_are_compared() {
        let rates: Vec<f64> = (0..20).map(|n| if n < 2 { 100.0 } else { 80.0 }).collect();
        assert_eq!(last_to_first_tenth(&rates), Some(0.8));
        assert_eq!(last_to_first_tenth(&[]), None);
    }
}
