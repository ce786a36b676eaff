//! Ids as the world asks for them: the n-th most wanted comes up in proportion to 1 / n.

use crate::random::Random;

/// Zipf's law over `1..=ids` with an exponent, by rejection-inversion (Hörmann and Derflinger 1996): constant time and
/// memory, whatever the number of ids.
#[derive(Clone, Debug)]
pub(crate) struct Zipf {
    ids: f64,
    exponent: f64,
    first: f64,
    last: f64,
    squeeze: f64,
}

impl Zipf {
    /// # Panics
    /// If there are no ids or the exponent is not above 0.
    pub(crate) fn new(ids: u64, exponent: f64) -> Self {
        assert!(ids > 0 && exponent > 0.0, "{ids} ids, exponent {exponent}");
        let mut zipf = Self {
            ids: ids as f64,
            exponent,
            first: 0.0,
            last: 0.0,
            squeeze: 0.0,
        };
        zipf.first = zipf.area(1.5) - 1.0;
        zipf.last = zipf.area(zipf.ids + 0.5);
        zipf.squeeze = 2.0 - zipf.area_end(zipf.area(2.5) - zipf.height(2.0));
        zipf
    }

    /// The next id, from 0.
    pub(crate) fn sample(&self, random: &mut Random) -> u64 {
        loop {
            let under = self.last + random.unit() * (self.first - self.last);
            let x = self.area_end(under);
            let k = x.round().clamp(1.0, self.ids);
            if k - x <= self.squeeze || under >= self.area(k + 0.5) - self.height(k) {
                return k as u64 - 1;
            }
        }
    }

    fn height(&self, x: f64) -> f64 {
        (-self.exponent * x.ln()).exp()
    }

    /// The integral of `height`, written so that an exponent of 1 is no special case.
    fn area(&self, x: f64) -> f64 {
        let log = x.ln();
        expm1_over((1.0 - self.exponent) * log) * log
    }

    fn area_end(&self, area: f64) -> f64 {
        let t = (area * (1.0 - self.exponent)).max(-1.0);
        (ln_1p_over(t) * area).exp()
    }
}

/// (eˣ − 1) / x, also at 0.
fn expm1_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.exp_m1() / x
    } else {
        1.0 + x / 2.0
    }
}

/// ln(1 + x) / x, also at 0.
fn ln_1p_over(x: f64) -> f64 {
    if x.abs() > 1e-8 {
        x.ln_1p() / x
    } else {
        1.0 - x / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How often each of `ids` came up, as a share.
    fn shares(ids: u64, exponent: f64) -> Vec<f64> {
        const DRAWS: u32 = 200_000;
        let (zipf, mut random) = (Zipf::new(ids, exponent), Random::new(3, 0));
        let mut counts = vec![0_u32; usize::try_from(ids).unwrap()];
        for _ in 0..DRAWS {
            counts[usize::try_from(zipf.sample(&mut random)).unwrap()] += 1;
        }
        counts
            .iter()
            .map(|count| f64::from(*count) / f64::from(DRAWS))
            .collect()
    }

    #[test]
    fn shares_follow_the_law() {
        for exponent in [0.8, 1.0, 1.3] {
            let measured = shares(100, exponent);
            let whole: f64 = (1..=100).map(|n| f64::from(n).powf(-exponent)).sum();
            for (measured, n) in measured.iter().zip(1..) {
                let expected = f64::from(n).powf(-exponent) / whole;
                let off = (measured - expected).abs();
                assert!(
                    off < 0.004,
                    "id {n}, exponent {exponent}: {measured} for {expected}"
                );
            }
        }
    }

    #[test]
    fn one_id_is_always_it() {
        assert_eq!(shares(1, 1.0), [1.0]);
    }
}
