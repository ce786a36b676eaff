//! Which plots there are.

use super::chart::{Axis, Chart, Line, render};
use crate::outcome::Round;
use crate::outcome::{Outcome, Sample};

const SECONDS: Axis = Axis {
    label: |value| {
        let digits = usize::from(value.fract() != 0.0);
        format!("{value:.digits$} s")
    },
    whole_steps: false,
    from: Some(0.0),
    ends_with_values: false,
};
const THOUSANDS: Axis = Axis {
    label: |value| {
        if value == 0.0 {
            "0".into()
        } else {
            format!("{:.0}k", value / 1e3)
        }
    },
    whole_steps: false,
    from: Some(0.0),
    ends_with_values: false,
};
const NUMBERS: Axis = Axis {
    label: |value| {
        if value.fract() == 0.0 {
            crate::units::count(value)
        } else {
            format!("{value:.1}")
        }
    },
    whole_steps: false,
    from: Some(0.0),
    ends_with_values: false,
};
/// Nines: 1 is 90 %, 2 is 99 %.
const NINES: Axis = Axis {
    label: |nines| match nines {
        n if n < 0.5 => "0 %".into(),
        n if n < 1.5 => "90 %".into(),
        n if n < 2.5 => "99 %".into(),
        n => format!("99.{} %", "9".repeat(n.round() as usize - 2)),
    },
    whole_steps: true,
    from: Some(0.0),
    ends_with_values: true,
};
const LOG_MICROS: Axis = Axis {
    label: |log| match log {
        log if log < 2.5 => format!("{:.0} µs", 10_f64.powf(log)),
        log if log < 5.5 => format!("{:.0} ms", 10_f64.powf(log - 3.0)),
        log => format!("{:.0} s", 10_f64.powf(log - 6.0)),
    },
    whole_steps: true,
    from: None,
    ends_with_values: false,
};
const LOG_COUNT: Axis = Axis {
    label: |log| crate::units::count(10_f64.powf(log)),
    whole_steps: true,
    from: Some(0.0),
    ends_with_values: false,
};

/// A scenario has one colour in all plots.
const COLOURS: [(&str, usize); 14] = [
    ("spread-512", 0),
    ("spread-64", 6),
    ("spread-1", 2),
    ("hot-512", 1),
    ("hot-64", 4),
    ("ids-512", 3),
    ("open", 5),
    ("tail", 4),
    ("mixed", 2),
    ("zipf", 3),
    ("grow", 0),
    ("l0", 7),
    ("raw-put", 3),
    ("cqrs-spread-512", 4),
];

/// All plots for which something was measured.
pub(super) fn all(rounds: &[Round]) -> String {
    let rate = |sample: &Sample| sample.commands_per_s;
    let main = ["spread-512", "hot-512", "ids-512", "spread-64", "open"];
    let others = ["mixed", "tail", "zipf", "grow"];
    let charts = [
        over_time(
            rounds,
            "Throughput over time",
            "commands a second",
            &main,
            THOUSANDS,
            rate,
        ),
        latency(rounds),
        over_time(
            rounds,
            "Batch size over time",
            "commits a sync",
            &main,
            NUMBERS,
            |s| s.batch_commits,
        ),
        batches(rounds),
        over_time(
            rounds,
            "Sync time over time",
            "µs, mean of a slice",
            &main,
            NUMBERS,
            |s| s.sync_us,
        ),
        over_time(
            rounds,
            "Processor",
            "cores busy, clients included",
            &main,
            NUMBERS,
            |s| s.cores,
        ),
        over_time(
            rounds,
            "Memory",
            "MiB resident, clients included",
            &main,
            NUMBERS,
            |s| s.resident_mib,
        ),
        over_time(
            rounds,
            "Not indexed yet",
            "MiB of tail in memory",
            &main,
            NUMBERS,
            |s| s.tail_mib,
        ),
        over_time(
            rounds,
            "Throughput over time",
            "other scenarios, commands a second",
            &others,
            THOUSANDS,
            rate,
        ),
        over_time(rounds, "Disk", "MiB of log and index", &others, NUMBERS, |s| {
            s.disk_mib
        }),
    ];
    charts.concat()
}

fn over_time(
    rounds: &[Round],
    title: &str,
    unit: &str,
    names: &[&str],
    y: Axis,
    of: fn(&Sample) -> f64,
) -> String {
    let lines = lines(rounds, names, |outcome| {
        outcome
            .samples
            .iter()
            .map(|sample| (sample.at_s, of(sample)))
            .collect()
    });
    render(&Chart {
        title,
        unit,
        lines,
        x: SECONDS,
        y,
    })
}

fn latency(rounds: &[Round]) -> String {
    let names = [
        "l0",
        "raw-put",
        "spread-1",
        "spread-64",
        "spread-512",
        "hot-512",
        "open",
        "cqrs-spread-512",
    ];
    let lines = lines(rounds, &names, |outcome| {
        let latency = &outcome.latency;
        by_nines(&latency.curve, latency.count)
    });
    render(&Chart {
        title: "Latency by percentile",
        unit: "the open loop from when a command was due",
        lines,
        x: NINES,
        y: LOG_MICROS,
    })
}

/// As the log has them: what L1 read back.
fn batches(rounds: &[Round]) -> String {
    let points = median_run(rounds, "l1").and_then(|outcome| {
        let sizes = outcome.distributions.get("batch_commits")?;
        Some(by_nines(&sizes.curve, sizes.count))
    });
    let lines = points.into_iter().map(|points| Line {
        name: "spread-512".into(),
        colour: 0,
        points,
    });
    render(&Chart {
        title: "Batch sizes by percentile",
        unit: "commits, of all batches in the log",
        lines: lines.collect(),
        x: NINES,
        y: LOG_COUNT,
    })
}

/// Quantiles as nines, values as logarithms. The maximum stands where the last of `count` values belongs;
/// what lies beyond it no sample of that size can tell.
fn by_nines(curve: &[(f64, f64)], count: u64) -> Vec<(f64, f64)> {
    let last = (count.max(1) as f64).log10();
    let nines = |quantile: f64| {
        if quantile < 1.0 {
            -(1.0 - quantile).log10()
        } else {
            last
        }
    };
    curve
        .iter()
        .map(|(quantile, value)| (nines(*quantile).min(last), value.max(1.0).log10()))
        .collect()
}

fn lines(rounds: &[Round], names: &[&str], points: impl Fn(&Outcome) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |name: &&str| {
        let points = points(median_run(rounds, name)?);
        let colour = COLOURS
            .iter()
            .find(|(known, _)| known == name)
            .map_or(7, |(_, colour)| *colour);
        (!points.is_empty()).then(|| Line {
            name: (*name).into(),
            colour,
            points,
        })
    };
    names.iter().filter_map(line).collect()
}

/// The run in the middle.
fn median_run<'a>(rounds: &'a [Round], name: &str) -> Option<&'a Outcome> {
    let mut runs: Vec<&Outcome> = rounds.iter().filter_map(|round| round.get(name)).collect();
    let rate = |run: &&Outcome| run.get("commands_per_s").unwrap_or_default();
    runs.sort_by(|a, b| rate(a).total_cmp(&rate(b)));
    runs.get(runs.len() / 2).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;
    use std::time::Duration;

    fn of(count: u64) -> Outcome {
        let latencies = Latencies::new();
        (1..=count).for_each(|n| latencies.record(0, Duration::from_micros(n)));
        Outcome::of(1, count, 1.0, latencies.merged())
    }

    #[test]
    fn no_percentile_is_drawn_beyond_the_sample() {
        const NAMES: [&str; 6] = ["0 %", "90 %", "99 %", "99.9 %", "99.99 %", "99.999 %"];
        for (count, last) in [(9, 1), (99, 1), (100, 2), (9_999, 3), (10_000, 4), (90_000, 4)] {
            let svg = latency(&[Round::from([("l0".to_owned(), of(count))])]);
            let labels: Vec<&str> = svg.lines().filter(|line| line.ends_with(" %")).collect();
            assert_eq!(labels, NAMES[..=last], "{count}");
        }
    }

    #[test]
    fn a_line_ends_where_one_value_lies_beyond() {
        for count in [3_u64, 999, 3_000, 10_001] {
            let outcome = of(count);
            let points = by_nines(&outcome.latency.curve, count);
            let (last, most) = points.last().copied().unwrap();
            assert!(
                (last - (count as f64).log10()).abs() < 1e-9,
                "{count}: {points:?}"
            );
            assert!(
                points
                    .iter()
                    .all(|(nines, value)| *nines <= last && *value <= most)
            );
        }
    }
}
