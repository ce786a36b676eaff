//! When commands are meant to be sent, whatever the answers do.

use std::time::Duration;

use crate::random::Random;

/// Arrivals at a mean rate, each independent of the others: exponential gaps. An endless iterator of times since the
/// start.
#[derive(Debug)]
pub(crate) struct Arrivals {
    random: Random,
    per_second: f64,
    at_seconds: f64,
}

impl Arrivals {
    /// # Panics
    /// If the rate is not above 0.
    pub(crate) fn new(per_second: f64, random: Random) -> Self {
        assert!(per_second > 0.0, "{per_second} arrivals a second");
        Self {
            random,
            per_second,
            at_seconds: 0.0,
        }
    }
}

impl Iterator for Arrivals {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        self.at_seconds -= self.random.unit().ln() / self.per_second;
        Some(Duration::from_secs_f64(self.at_seconds))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arrivals_come_in_order_at_the_rate_and_scatter_like_poisson() {
        const RATE: f64 = 1_000.0;
        let mut in_each_second = vec![0_u32; 200];
        let mut last = Duration::ZERO;
        for at in Arrivals::new(RATE, Random::new(5, 0)) {
            assert!(at >= last);
            last = at;
            match in_each_second.get_mut(usize::try_from(at.as_secs()).unwrap()) {
                Some(count) => *count += 1,
                None => break,
            }
        }
        let counts = || in_each_second.iter().map(|count| f64::from(*count));
        let mean = counts().sum::<f64>() / 200.0;
        let variance = counts().map(|count| (count - mean).powi(2)).sum::<f64>() / 199.0;
        assert!((mean - RATE).abs() < 10.0, "mean {mean}");
        // Of a Poisson process, mean and variance are the same; of evenly spaced arrivals the variance is 0.
        assert!((0.7..1.4).contains(&(variance / mean)), "variance {variance}");
    }

    #[test]
    fn a_seed_gives_one_schedule() {
        let take = |seed| {
            Arrivals::new(10.0, Random::new(seed, 0))
                .take(5)
                .collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}
