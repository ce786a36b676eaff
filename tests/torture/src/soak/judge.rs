//! What counts as answered, and as not drifting.
//!
//! Only what `docs/guarantees.md` promises is called by a promise; the rest are bounds that a sound store keeps.

use super::BUDGET_BYTES;
use super::sample::Sample;
use crate::violation::Violation;

/// What is no promise.
const BOUND: &str = "bound";
/// The least that 512 clients get done: one sync settles what all of them wait for, so a disk that takes a second for each
/// allows five times as much, and so does a processor that others have most of.
const COMMANDS_PER_S_MIN: f64 = 100.0;
/// Of what was due, so much may be turned away or not even be sent, ...
const PASSED_OVER_MAX: f64 = 0.01;
/// ... but for moments at which a small file's sync took so much longer than while the maximum was measured: the rate is
/// 70% of that, so a disk of half the speed can't keep up with it.
const SYNC_SLOWER_MAX: f64 = 2.0;
/// In a shorter run one moment that others had the machine is more than that.
const PASSED_OVER_JUDGED_FROM_S: f64 = 60.0;
/// The first part fills caches, memtables and the tail; the rest is judged.
const WARM_UP_SHARE: usize = 4;
/// A shorter run says nothing of a drift: caches and memtables are still filling.
const JUDGED_FROM_S: f64 = 450.0;
/// Memory may grow by this share of itself over all that is judged, ...
const GROWTH_MAX: f64 = 0.10;
/// ... and what stays within so many standard errors of the slope is noise: memtables fill and are flushed.
const ERRORS: f64 = 3.0;
/// The last quarter's latencies against the second's: twice as slow is a drift, ...
const SLOWER_MAX: f64 = 2.0;
/// ... unless the disk became as much slower by itself, and not below this: other programs on the machine do as much.
const SLOWER_BY_US_MIN: f64 = 10_000.0;
/// What RocksDB may have open of both instances (96 and 256), and the rest of the process.
const FILES_MAX: u64 = 96 + 256 + 64;
/// Memtables that wait for a flush have a write-ahead log each.
const WALS_MAX: u64 = 8;
/// Merging runs needs room for their rows a second time.
const DISK_GROWTH_MAX: f64 = 1.5;
/// Weights of residents in flight, which can't be evicted.
const RESIDENT_SLACK_BYTES: u64 = 4 << 20;
const MB: f64 = 1e6;

#[derive(Debug, Default)]
pub(crate) struct Verdict {
    pub(crate) violations: Vec<Violation>,
    pub(crate) notes: Vec<String>,
}

impl Verdict {
    /// Notes it, and that it is too much if it is.
    fn hold(&mut self, promise: &'static str, what: String, is_kept: bool) {
        if !is_kept {
            self.violations.push(Violation::new(promise, what.clone()));
        }
        self.notes.push(what);
    }
}

/// What the machine can do, before what is judged.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Measured {
    pub(crate) commands_per_s: f64,
    /// A small file's sync, meanwhile.
    pub(crate) sync_us: u64,
}

pub(crate) fn judge(measured: &Measured, samples: &[Sample]) -> Verdict {
    let mut verdict = Verdict::default();
    let seconds = samples.last().map_or(0.0, |last| last.at_s);
    answers(&mut verdict, measured, samples);
    if seconds >= PASSED_OVER_JUDGED_FROM_S {
        passed_over(&mut verdict, measured, samples);
    }
    if seconds < JUDGED_FROM_S {
        let note = format!("{seconds:.0} s: too short to judge a drift");
        verdict.notes.push(note);
        return verdict;
    }
    let quarter = samples.len() / WARM_UP_SHARE;
    let (second, last) = (
        &samples[quarter..2 * quarter],
        &samples[samples.len() - quarter..],
    );
    memory(&mut verdict, &samples[quarter..]);
    latency(&mut verdict, "p50", second, last, |sample| sample.p50_us as f64);
    latency(&mut verdict, "p99", second, last, |sample| sample.p99_us as f64);

    let most = |of: fn(&Sample) -> u64, samples: &[Sample]| samples.iter().map(of).max().unwrap_or_default();
    let files = most(|sample| sample.files, samples);
    let what = format!("files open at most: {files}, expected up to {FILES_MAX}");
    verdict.hold(BOUND, what, files <= FILES_MAX);
    let wals = most(|sample| sample.wals, samples);
    verdict.hold(
        BOUND,
        format!("write-ahead logs at most: {wals}"),
        wals <= WALS_MAX,
    );
    let threads = (
        most(|sample| sample.threads, second),
        most(|sample| sample.threads, last),
    );
    let what = format!(
        "threads in the second quarter: {}, in the last: {}",
        threads.0, threads.1
    );
    verdict.hold(BOUND, what, threads.1 <= threads.0);
    let resident = most(|sample| sample.resident_bytes, samples);
    let what = format!(
        "residents at most: {:.1} MB of {:.1}",
        resident as f64 / MB,
        BUDGET_BYTES as f64 / MB
    );
    verdict.hold(
        "P14",
        what,
        resident <= BUDGET_BYTES as u64 + RESIDENT_SLACK_BYTES,
    );
    let disk = |samples: &[Sample]| median(samples, |sample| sample.disk_bytes_per_event);
    let (early, late) = (disk(second), disk(last));
    let what = format!("disk bytes an event: {early:.0} in the second quarter, {late:.0} in the last");
    verdict.hold(BOUND, what, late <= early * DISK_GROWTH_MAX);
    verdict
}

/// A store that does nothing keeps every other bound.
fn answers(verdict: &mut Verdict, measured: &Measured, samples: &[Sample]) {
    let most = measured.commands_per_s;
    let what = format!("commands a second at most: {most:.0}, expected from {COMMANDS_PER_S_MIN} on");
    verdict.hold(BOUND, what, most >= COMMANDS_PER_S_MIN);
    let answered: u64 = samples.iter().map(|sample| sample.answered).sum();
    verdict.hold("P13", format!("commands answered: {answered}"), answered > 0);
}

fn passed_over(verdict: &mut Verdict, measured: &Measured, samples: &[Sample]) {
    let slow_us = measured.sync_us as f64 * SYNC_SLOWER_MAX;
    let is_slow = |sample: &&Sample| sample.sync_us as f64 > slow_us;
    let (slow, judged): (Vec<_>, Vec<_>) = samples.iter().partition(is_slow);
    let count = |samples: &[&Sample]| {
        let passed_over: u64 = samples.iter().map(|sample| sample.passed_over).sum();
        let answered: u64 = samples.iter().map(|sample| sample.answered).sum();
        (passed_over, passed_over + answered)
    };
    let ((while_slow, _), (many, due)) = (count(&slow), count(&judged));
    let what = format!(
        "commands passed over: {many} of {due}, and {while_slow} while a small file's sync took over {:.1} ms ({} of {} samples)",
        slow_us / 1e3,
        slow.len(),
        samples.len()
    );
    verdict.hold(BOUND, what, many as f64 <= due as f64 * PASSED_OVER_MAX);
}

/// A leak goes on to the end. A step that stays is a high-water mark: of a moment, say, in which the disk kept many
/// commands waiting. So it must grow too much over all that is judged, and over the later half of it, too.
fn memory(verdict: &mut Verdict, samples: &[Sample]) {
    let points: Vec<_> = samples
        .iter()
        .map(|sample| (sample.at_s / 3_600.0, sample.rss_bytes as f64))
        .collect();
    let mean = points.iter().map(|(_, bytes)| bytes).sum::<f64>() / points.len() as f64;
    let hours = points[points.len() - 1].0 - points[0].0;
    let is_flat = |(slope, error): (f64, f64)| slope * hours <= mean * GROWTH_MAX || slope <= ERRORS * error;
    let (all, later) = (slope(&points), slope(&points[points.len() / 2..]));
    let what = format!(
        "memory: {:.0} MB on average, {:+.1} MB an hour (standard error {:.1}), {:+.1} in the later half ({:.1})",
        mean / MB,
        all.0 / MB,
        all.1 / MB,
        later.0 / MB,
        later.1 / MB
    );
    verdict.hold(BOUND, what, is_flat(all) || is_flat(later));
}

fn latency(verdict: &mut Verdict, name: &str, second: &[Sample], last: &[Sample], of: fn(&Sample) -> f64) {
    let (early, late) = (median(second, of), median(last, of));
    let sync = |samples: &[Sample]| median(samples, |sample| sample.sync_us as f64).max(1.0);
    let machine = (sync(last) / sync(second)).max(1.0);
    let is_kept = late <= early * SLOWER_MAX * machine || late <= early + SLOWER_BY_US_MIN;
    let what = format!(
        "latency {name}: {:.1} ms in the second quarter, {:.1} ms in the last; the disk by itself {:.1} and {:.1} ms",
        early / 1e3,
        late / 1e3,
        sync(second) / 1e3,
        sync(last) / 1e3
    );
    verdict.hold(BOUND, what, is_kept);
}

fn median(samples: &[Sample], of: impl Fn(&Sample) -> f64) -> f64 {
    let mut values: Vec<f64> = samples.iter().map(of).collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// By least squares, with its standard error.
fn slope(points: &[(f64, f64)]) -> (f64, f64) {
    let n = points.len() as f64;
    let mean_x = points.iter().map(|(x, _)| x).sum::<f64>() / n;
    let mean_y = points.iter().map(|(_, y)| y).sum::<f64>() / n;
    let spread: f64 = points.iter().map(|(x, _)| (x - mean_x).powi(2)).sum();
    let slope = points
        .iter()
        .map(|(x, y)| (x - mean_x) * (y - mean_y))
        .sum::<f64>()
        / spread;
    let off = |(x, y): &(f64, f64)| (y - mean_y - slope * (x - mean_x)).powi(2);
    let residual: f64 = points.iter().map(off).sum();
    (slope, (residual / (n - 2.0) / spread).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A healthy run: memory goes up and down as memtables do.
    fn samples() -> Vec<Sample> {
        let sample = |n: u64| Sample {
            at_s: n as f64 * 5.0,
            commands_per_s: 10_000.0,
            answered: 50_000,
            passed_over: 0,
            longest_us: 40_000,
            p50_us: 2_000 + n % 7 * 100,
            p99_us: 15_000,
            sync_us: 1_000,
            rss_bytes: 300_000_000 + n % 10 * 5_000_000,
            resident_bytes: BUDGET_BYTES as u64,
            residents: 5_000,
            tail_bytes: 1 << 20,
            memtable_bytes: 0,
            cache_bytes: 0,
            table_reader_bytes: 0,
            files: 120,
            threads: 30,
            disk_bytes: n << 20,
            disk_bytes_per_event: 110.0,
            wals: 3,
        };
        (1..=240).map(sample).collect()
    }

    const MEASURED: Measured = Measured {
        commands_per_s: 15_000.0,
        sync_us: 1_500,
    };

    fn broken(change: impl Fn(u64, &mut Sample)) -> Vec<&'static str> {
        let mut samples = samples();
        for (n, sample) in (0..).zip(&mut samples) {
            change(n, sample);
        }
        let violations = judge(&MEASURED, &samples).violations;
        violations.iter().map(|violation| violation.promise).collect()
    }

    #[test]
    fn what_goes_up_and_down_is_no_drift() {
        assert_eq!(broken(|_, _| {}), [""; 0]);
    }

    #[test]
    fn a_step_that_stays_is_no_leak() {
        let step = |n, sample: &mut Sample| sample.rss_bytes += if n < 100 { 0 } else { 150_000_000 };
        assert_eq!(broken(step), [""; 0]);
    }

    #[test]
    fn every_drift_is_seen() {
        // 240 samples in 20 minutes: a leak of 10 bytes a command at 10,000 a second
        assert_eq!(broken(|n, sample| sample.rss_bytes += n * 500_000), [BOUND]);
        assert_eq!(
            broken(|n, sample| sample.p50_us += n * 200),
            [BOUND],
            "slower and slower"
        );
        assert_eq!(broken(|n, sample| sample.files += n * 5), [BOUND]);
        assert_eq!(broken(|n, sample| sample.threads += n / 100), [BOUND]);
        assert_eq!(broken(|n, sample| sample.wals += n / 20), [BOUND]);
        assert_eq!(
            broken(|_, sample| sample.resident_bytes += RESIDENT_SLACK_BYTES + 1),
            ["P14"]
        );
        let doubles = |n, sample: &mut Sample| sample.disk_bytes_per_event += n as f64;
        assert_eq!(broken(doubles), [BOUND]);
    }

    #[test]
    fn a_store_that_turns_all_away_is_no_sound_one() {
        let nothing = |_, sample: &mut Sample| (sample.answered, sample.passed_over) = (0, 50_000);
        assert_eq!(broken(nothing), ["P13", BOUND]);
        let slow = Measured {
            commands_per_s: COMMANDS_PER_S_MIN / 2.0,
            ..MEASURED
        };
        assert_eq!(judge(&slow, &samples()).violations.len(), 1);
        assert_eq!(judge(&MEASURED, &[]).violations[0].promise, "P13", "at once");
    }

    /// 40 seconds of 20 minutes: eight samples.
    #[test]
    fn a_stall_is_seen_unless_the_disk_stalls_too() {
        let stall = |n, sample: &mut Sample| {
            if (100..108).contains(&n) {
                (sample.answered, sample.passed_over) = (0, 50_000);
            }
        };
        assert_eq!(broken(stall), [BOUND]);
        let of_the_disk = |n, sample: &mut Sample| {
            stall(n, sample);
            sample.sync_us = if (100..108).contains(&n) { 60_000 } else { 1_000 };
        };
        assert_eq!(broken(of_the_disk), [""; 0]);
    }

    #[test]
    fn a_slope_is_found_in_noise() {
        let points: Vec<_> = (0..100)
            .map(|n| (f64::from(n), 3.0 * f64::from(n) + f64::from(n % 5)))
            .collect();
        let (slope, error) = slope(&points);
        assert!((slope - 3.0).abs() < 3.0 * error, "{slope} ± {error}");
    }
}
