//! Latencies: HDR histograms, a few for all clients, merged at the end.

use std::sync::Mutex;
use std::time::Duration;

use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

/// A histogram knows 1 µs to 100 s, to 3 digits: some 200 KB, so clients share a few rather than have one each.
const NANOS_MIN: u64 = 1_000;
const NANOS_MAX: u64 = 100_000_000_000;
const DIGITS: u8 = 3;
const SHARDS: usize = 8;

/// Latencies being recorded by many clients.
#[derive(Debug)]
pub(crate) struct Latencies(Vec<Mutex<Histogram<u64>>>);

impl Latencies {
    pub(crate) fn new() -> Self {
        Self((0..SHARDS).map(|_| Mutex::new(empty())).collect())
    }

    /// Records what `client` saw. Values out of range count as the nearest in it.
    pub(crate) fn record(&self, client: usize, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(NANOS_MAX);
        let shard = &self.0[client % SHARDS];
        shard
            .lock()
            .expect("recording does not panic")
            .saturating_record(nanos.max(NANOS_MIN));
    }

    /// All of them together.
    pub(crate) fn merged(&self) -> Percentiles {
        let mut all = empty();
        for shard in &self.0 {
            let shard = shard.lock().expect("recording does not panic");
            all.add(&*shard).expect("all have the same bounds");
        }
        Percentiles::of(&all)
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_bounds(NANOS_MIN, NANOS_MAX, DIGITS).expect("these bounds are valid")
}

/// What is kept of a histogram: the percentiles that plots and tables show.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Percentiles {
    /// How many were recorded.
    pub(crate) count: u64,
    /// Quantile and microseconds, by ascending quantile; the last is the maximum.
    pub(crate) curve: Vec<(f64, f64)>,
}

impl Percentiles {
    /// At 0, 10, … 90 %, and then ever closer to 100 % as far as there are values.
    fn of(histogram: &Histogram<u64>) -> Self {
        let count = histogram.len();
        let mut quantiles: Vec<f64> = (0..10).map(|tenth| f64::from(tenth) / 10.0).collect();
        let mut rest = 0.1;
        while rest * count as f64 > 1.0 {
            quantiles.extend([1.0, 0.5, 0.25].map(|part| 1.0 - rest * part));
            rest /= 10.0;
        }
        quantiles.extend([0.5, 0.99, 0.999, 1.0]);
        quantiles.sort_by(f64::total_cmp);
        quantiles.dedup_by(|a, b| (*a - *b).abs() < 1e-9);
        let at = |quantile| (quantile, histogram.value_at_quantile(quantile) as f64 / 1e3);
        Self {
            count,
            curve: if count == 0 {
                Vec::new()
            } else {
                quantiles.into_iter().map(at).collect()
            },
        }
    }

    /// Microseconds at a quantile: that of the nearest recorded one at or above it. 0 if nothing was recorded.
    pub(crate) fn at_us(&self, quantile: f64) -> f64 {
        let found = self.curve.iter().find(|(at, _)| *at >= quantile - 1e-9);
        found.or(self.curve.last()).map_or(0.0, |(_, us)| *us)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn merging_keeps_every_value_whoever_recorded_it() {
        let (apart, alone) = (Latencies::new(), Latencies::new());
        for n in 1..=10_000_usize {
            let took = Duration::from_micros(n as u64);
            apart.record(n, took);
            alone.record(0, took);
        }
        let merged = apart.merged();
        assert_eq!(merged, alone.merged());
        assert_eq!(merged.count, 10_000);
        for (quantile, expected) in [(0.5, 5_000.0), (0.99, 9_900.0), (0.999, 9_990.0), (1.0, 10_000.0)] {
            let off = (merged.at_us(quantile) - expected).abs() / expected;
            assert!(off < 0.002, "{quantile}: {}", merged.at_us(quantile));
        }
    }

    #[test]
    fn what_is_out_of_range_counts_as_the_nearest() {
        let latencies = Latencies::new();
        latencies.record(0, Duration::ZERO);
        latencies.record(1, Duration::from_secs(10_000));
        let merged = latencies.merged();
        assert_eq!(merged.count, 2);
        assert!(merged.at_us(0.0) <= 2.0);
        assert!(merged.at_us(1.0) >= 1e8);
    }

    #[test]
    fn nothing_recorded_is_no_latency() {
        let merged = Latencies::new().merged();
        assert_eq!((merged.count, merged.at_us(0.5)), (0, 0.0));
    }
}
