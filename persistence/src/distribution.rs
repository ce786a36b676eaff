//! How a quantity is distributed, counted cheaply enough to be always on.
//!
//! Buckets are log-linear, as in HdrHistogram (Gil Tene): each power of two is cut into eight parts of the same width. So
//! there is nothing to configure, and any two distributions can be added and subtracted.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Parts of a power of two, as a power of two: a quantile is off by half a part, 6% at most.
const PARTS_LOG2: u32 = 3;
const PARTS: usize = 1 << PARTS_LOG2;
/// Values from here on share the last bucket: 2^40 ns are 18 minutes, 2^40 bytes a tebibyte.
const VALUE_LOG2_MAX: u32 = 40;
/// Values below `PARTS` have a bucket each, then every power of two has `PARTS`.
const BUCKETS: usize = (VALUE_LOG2_MAX - PARTS_LOG2 + 1) as usize * PARTS;

// two and a half KiB each, one or two an arbiter
const _: () = assert!(BUCKETS == 304);

fn bucket(value: u64) -> usize {
    if value < PARTS as u64 {
        return value as usize;
    }
    let shift = value.ilog2() - PARTS_LOG2;
    (shift as usize * PARTS + (value >> shift) as usize).min(BUCKETS - 1)
}

/// The first value of a bucket, and how many it holds.
fn bounds(bucket: usize) -> (u64, u64) {
    if bucket < PARTS {
        return (bucket as u64, 1);
    }
    let shift = bucket / PARTS - 1;
    (((PARTS + bucket % PARTS) as u64) << shift, 1 << shift)
}

/// Where values are recorded: on any thread, in two atomic additions and a comparison.
pub struct DistributionRecorder {
    buckets: [AtomicU64; BUCKETS],
    sum: AtomicU64,
    max: AtomicU64,
}

impl Default for DistributionRecorder {
    fn default() -> Self {
        Self {
            buckets: [const { AtomicU64::new(0) }; BUCKETS],
            sum: AtomicU64::new(0),
            max: AtomicU64::new(0),
        }
    }
}

impl DistributionRecorder {
    /// One more value.
    pub fn record(&self, value: u64) {
        self.buckets[bucket(value)].fetch_add(1, Ordering::Relaxed);
        self.sum.fetch_add(value, Ordering::Relaxed);
        // rarely the largest, and looking is cheaper than writing
        if self.max.load(Ordering::Relaxed) < value {
            self.max.fetch_max(value, Ordering::Relaxed);
        }
    }

    /// One more time, in nanoseconds.
    pub fn record_time(&self, time: Duration) {
        self.record(u64::try_from(time.as_nanos()).unwrap_or(u64::MAX));
    }

    /// What was recorded so far. Not one instant: what is recorded meanwhile may be in a part of it only.
    pub fn get(&self) -> Distribution {
        let mut counts: Vec<u64> = self.buckets.iter().map(|b| b.load(Ordering::Relaxed)).collect();
        trim(&mut counts);
        Distribution {
            counts,
            sum: self.sum.load(Ordering::Relaxed),
            max: self.max.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for DistributionRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

/// How a quantity was distributed: commits, bytes, or times in nanoseconds. Whoever hands one out says which.
///
/// Count and sum are exact, quantiles to 6%. Two looks make a window:
///
/// ```
/// use dormouse_persistence::DistributionRecorder;
///
/// let recorder = DistributionRecorder::default();
/// (1..=1_000).for_each(|value| recorder.record(value));
/// let before = recorder.get();
/// (1..=10).for_each(|_| recorder.record(5));
///
/// let window = recorder.get().since(&before);
/// assert_eq!((window.count(), window.sum(), window.quantile(0.5)), (10, 50, 5));
/// let median = before.quantile(0.5);
/// assert!((470..=530).contains(&median), "{median}");
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Distribution {
    /// Without empty buckets at the end, so that equal ones are equal.
    counts: Vec<u64>,
    sum: u64,
    max: u64,
}

impl Distribution {
    /// Values recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    #[must_use]
    pub fn sum(&self) -> u64 {
        self.sum
    }

    /// All of them together, of times.
    #[must_use]
    pub fn sum_time(&self) -> Duration {
        Duration::from_nanos(self.sum)
    }

    /// The largest; 0 if there is none. Of a difference ([`since`](Self::since)) it may be 12% too large.
    #[must_use]
    pub fn max(&self) -> u64 {
        self.max
    }

    /// The average; 0 if there is nothing.
    #[must_use]
    pub fn mean(&self) -> f64 {
        self.sum as f64 / self.count().max(1) as f64
    }

    /// The value that the share `q` of all are not above: 0.5 for the median, 1 for the largest. 0 if there is none.
    #[must_use]
    pub fn quantile(&self, q: f64) -> u64 {
        let count = self.count();
        let rank = ((q.clamp(0.0, 1.0) * count as f64).ceil() as u64).max(1);
        if rank >= count {
            return self.max;
        }
        let mut seen = 0;
        let holds_rank = |counted: &u64| {
            seen += counted;
            seen >= rank
        };
        let bucket = self.counts.iter().position(holds_rank).unwrap_or(0);
        let (first, width) = bounds(bucket);
        (first + width / 2).min(self.max)
    }

    /// [`quantile`](Self::quantile), of times.
    #[must_use]
    pub fn quantile_time(&self, q: f64) -> Duration {
        Duration::from_nanos(self.quantile(q))
    }

    /// What came since an earlier look at the same distribution. Of another one it makes no sense, but harms nothing.
    #[must_use]
    pub fn since(&self, earlier: &Distribution) -> Distribution {
        let before = earlier.counts.iter().chain(std::iter::repeat(&0));
        let mut counts: Vec<u64> = self
            .counts
            .iter()
            .zip(before)
            .map(|(a, b)| a.saturating_sub(*b))
            .collect();
        trim(&mut counts);
        let max = match counts.len() {
            0 => 0,
            _ if self.max > earlier.max => self.max,
            len => {
                let (first, width) = bounds(len - 1);
                self.max.min(first + width - 1)
            }
        };
        Distribution {
            counts,
            sum: self.sum.saturating_sub(earlier.sum),
            max,
        }
    }

    /// Both together.
    pub fn merge(&mut self, other: &Distribution) {
        if self.counts.len() < other.counts.len() {
            self.counts.resize(other.counts.len(), 0);
        }
        for (count, more) in self.counts.iter_mut().zip(&other.counts) {
            *count += more;
        }
        self.sum = self.sum.wrapping_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

impl fmt::Debug for Distribution {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Distribution")
            .field("count", &self.count())
            .field("sum", &self.sum)
            .field("p50", &self.quantile(0.5))
            .field("p99", &self.quantile(0.99))
            .field("max", &self.max)
            .finish()
    }
}

fn trim(counts: &mut Vec<u64>) {
    let used = counts.iter().rposition(|count| *count > 0);
    counts.truncate(used.map_or(0, |last| last + 1));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(values: impl IntoIterator<Item = u64>) -> Distribution {
        let recorder = DistributionRecorder::default();
        values.into_iter().for_each(|value| recorder.record(value));
        recorder.get()
    }

    #[test]
    fn buckets_follow_one_another_without_gaps() {
        let mut next = 0;
        for number in 0..BUCKETS {
            let (first, width) = bounds(number);
            assert_eq!(first, next);
            assert_eq!((bucket(first), bucket(first + width - 1)), (number, number));
            assert!(width == 1 || width * PARTS as u64 <= first);
            next = first + width;
        }
        assert_eq!(next, 1 << VALUE_LOG2_MAX);
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    }

    #[test]
    fn nothing_recorded_is_the_default() {
        assert_eq!(of([]), Distribution::default());
        assert_eq!((of([]).count(), of([]).max(), of([]).quantile(0.5)), (0, 0, 0));
        assert_eq!(of([0]).count(), 1);
    }

    /// Against the sorted values themselves, over nine decades.
    #[test]
    fn quantiles_are_off_by_six_percent_at_most() {
        let mut random = 88_172_645_463_325_252_u64;
        let mut values: Vec<u64> = (0..20_000)
            .map(|_| {
                random ^= random << 13;
                random ^= random >> 7;
                random ^= random << 17;
                (random >> 20) >> (random % 43)
            })
            .collect();
        let seen = of(values.iter().copied());
        values.retain(|value| *value < 1 << VALUE_LOG2_MAX);
        values.sort_unstable();
        let seen_values = of(values.iter().copied());
        for q in [0.0, 0.01, 0.25, 0.5, 0.9, 0.99, 0.999, 1.0] {
            let rank = ((q * values.len() as f64).ceil() as usize).max(1);
            let (exact, told) = (values[rank - 1], seen_values.quantile(q));
            assert!(
                told.abs_diff(exact) as f64 <= exact as f64 / 16.0,
                "{q}: {told}, not {exact}"
            );
        }
        assert_eq!(seen.count(), 20_000);
        assert_eq!(seen_values.sum(), values.iter().sum::<u64>());
        assert_eq!(seen_values.max(), values[values.len() - 1]);
    }

    #[test]
    fn a_window_holds_what_came_since() {
        let recorder = DistributionRecorder::default();
        recorder.record(1_000_000);
        let before = recorder.get();
        assert_eq!(before.since(&before), Distribution::default());
        [10, 20, 30].into_iter().for_each(|value| recorder.record(value));
        let window = recorder.get().since(&before);
        assert_eq!((window.count(), window.sum()), (3, 60));
        assert!((30..=33).contains(&window.max()), "{window:?}");
        recorder.record(2_000_001);
        assert_eq!(recorder.get().since(&before).max(), 2_000_001);
    }

    #[test]
    fn two_together_are_as_one() {
        let mut both = of([1, 500]);
        both.merge(&of([7, 1 << 39, 20]));
        assert_eq!(both, of([1, 500, 7, 1 << 39, 20]));
    }

    #[test]
    fn what_is_beyond_all_buckets_is_counted() {
        let far = of([u64::MAX, 3]);
        assert_eq!((far.count(), far.max()), (2, u64::MAX));
    }
}
