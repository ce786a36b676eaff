//! What one measurement gives back.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::latency::Percentiles;

/// Numbers by name, each name with its unit: what the summary holds.
pub(crate) type Figures = BTreeMap<String, f64>;

/// One measurement's result.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Outcome {
    pub(crate) figures: Figures,
    pub(crate) latency: Percentiles,
    /// The measured time in slices.
    pub(crate) samples: Vec<Sample>,
    /// Other distributions: commits a batch, microseconds a sync.
    pub(crate) distributions: BTreeMap<String, Percentiles>,
}

/// One slice of the measured time. Rates are over the slice, levels are at its end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Its end, seconds from the start.
    pub(crate) at_s: f64,
    pub(crate) commands_per_s: f64,
    /// Commits a batch, on average.
    pub(crate) batch_commits: f64,
    /// Microseconds a synced append, on average.
    pub(crate) sync_us: f64,
    /// Cores busy with this process.
    pub(crate) cores: f64,
    pub(crate) resident_mib: f64,
    pub(crate) tail_mib: f64,
    pub(crate) disk_mib: f64,
    /// Files that no merge has taken yet, by family of the index.
    pub(crate) level0_streams: f64,
    pub(crate) level0_commands: f64,
    pub(crate) level0_meta: f64,
}

/// The results of one round, by step.
pub(crate) type Round = BTreeMap<String, Outcome>;

impl Outcome {
    /// With the rate and the usual percentiles.
    pub(crate) fn of(clients: u64, commands: u64, seconds: f64, latency: Percentiles) -> Self {
        let mut outcome = Self::default();
        outcome.set("clients", clients as f64);
        outcome.set("commands", commands as f64);
        outcome.set("seconds", seconds);
        outcome.set("commands_per_s", commands as f64 / seconds.max(1e-9));
        for (name, quantile) in [
            ("p50_us", 0.5),
            ("p90_us", 0.9),
            ("p99_us", 0.99),
            ("p999_us", 0.999),
            ("max_us", 1.0),
        ] {
            outcome.set(name, latency.at_us(quantile));
        }
        outcome.latency = latency;
        outcome
    }

    pub(crate) fn set(&mut self, name: &str, value: f64) {
        // What can't be computed is left out rather than shown as a number; JSON has no NaN.
        if value.is_finite() {
            self.figures.insert(name.into(), value);
        }
    }

    pub(crate) fn get(&self, name: &str) -> Option<f64> {
        self.figures.get(name).copied()
    }
}
