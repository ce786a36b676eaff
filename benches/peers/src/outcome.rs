//! What one measurement gives back: the same JSON as the load harness's own measurements.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::Serialize;

/// As in the load harness: 1 µs to 100 s, to 3 digits, a few histograms for all clients.
const NANOS_MIN: u64 = 1_000;
const NANOS_MAX: u64 = 100_000_000_000;
const DIGITS: u8 = 3;
const SHARDS: usize = 8;

/// One measurement's result.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Outcome {
    figures: BTreeMap<String, f64>,
    latency: Percentiles,
    /// Plots over time: the load harness has none for this program.
    samples: [(); 0],
    distributions: BTreeMap<String, Percentiles>,
}

/// Quantile and microseconds, by ascending quantile; the last is the maximum.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Percentiles {
    count: u64,
    curve: Vec<(f64, f64)>,
}

impl Outcome {
    /// With the rate and the usual percentiles.
    pub(crate) fn of(clients: u64, commands: u64, seconds: f64, latencies: &Latencies) -> Self {
        let all = latencies.merged();
        let mut outcome = Self::default();
        outcome.set("clients", clients as f64);
        outcome.set("commands", commands as f64);
        outcome.set("seconds", seconds);
        outcome.set("commands_per_s", commands as f64 / seconds);
        for (name, quantile) in [
            ("p50_us", 0.5),
            ("p90_us", 0.9),
            ("p99_us", 0.99),
            ("p999_us", 0.999),
            ("max_us", 1.0),
        ] {
            outcome.set(name, micros_at(&all, quantile));
        }
        outcome.latency = Percentiles::of(&all);
        outcome
    }

    pub(crate) fn set(&mut self, name: &str, value: f64) {
        // JSON has no NaN.
        if value.is_finite() {
            self.figures.insert(name.into(), value);
        }
    }
}

/// Latencies being recorded by many clients.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Mutex<Histogram<u64>>>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(empty())).collect())
    }

    /// Records what `client` saw. Values out of range count as the nearest in it.
    pub(crate) fn record(&self, client: u64, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(NANOS_MAX);
        let shard = &self.0[client as usize % SHARDS];
        shard
            .lock()
            .expect("recording does not panic")
            .saturating_record(nanos.max(NANOS_MIN));
    }

    /// How many were recorded.
    pub(crate) fn count(&self) -> u64 {
        self.merged().len()
    }

    fn merged(&self) -> Histogram<u64> {
        let mut all = empty();
        for shard in &self.0 {
            let shard = shard.lock().expect("recording does not panic");
            all.add(&*shard).expect("all have the same bounds");
        }
        all
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(NANOS_MIN, NANOS_MAX, DIGITS).expect("these bounds are valid")
}

fn micros_at(histogram: &Histogram<u64>, quantile: f64) -> f64 {
    histogram.value_at_quantile(quantile) as f64 / 1e3
}

impl Percentiles {
    /// At 0, 10, … 90 %, and then ever closer to 100 % as far as there are values.
    fn of(histogram: &Histogram<u64>) -> Self {
        let count = histogram.len();
        if count == 0 {
            return Self::default();
        }
        let mut quantiles: Vec<f64> = (0..10).map(|tenth| f64::from(tenth) / 10.0).collect();
        let mut rest = 0.1;
        while rest * count as f64 > 1.0 {
            quantiles.extend([1.0, 0.5, 0.25].map(|part| 1.0 - rest * part));
            rest /= 10.0;
        }
        quantiles.extend([0.99, 0.999, 1.0]);
        quantiles.sort_by(f64::total_cmp);
        quantiles.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        let curve = quantiles
            .into_iter()
            .map(|quantile| (quantile, micros_at(histogram, quantile)));
        Self {
            count,
            curve: curve.collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    /// The load harness tests that it reads this sample.
    #[test]
    fn an_outcome_has_the_shape_of_the_sample() {
        let latencies = Latencies::new();
        (1..=100).for_each(|n| latencies.record(n, Duration::from_micros(n)));
        let written = serde_json::to_value(Outcome::of(64, 100, 2.0, &latencies)).unwrap();
        let sample: Value = serde_json::from_str(include_str!("../protocol/outcome.json")).unwrap();
        assert_eq!(names(&written), names(&sample));
        assert_eq!(written["figures"]["commands_per_s"], 50.0);
        for part in ["count", "curve"] {
            assert_eq!(kind(&written["latency"][part]), kind(&sample["latency"][part]));
        }
        let point = &written["latency"]["curve"][0];
        assert_eq!(point.as_array().map(Vec::len), Some(2), "{point}");
        assert_eq!(written["samples"], sample["samples"]);
    }

    fn names(value: &Value) -> Vec<&String> {
        value.as_object().unwrap().keys().collect()
    }

    fn kind(value: &Value) -> std::mem::Discriminant<Value> {
        std::mem::discriminant(value)
    }
}
