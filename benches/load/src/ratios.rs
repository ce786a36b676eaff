//! Figures as shares of a limit of the same round: the machine's moods are in both, and cancel out.

use crate::outcome::Round;

/// Of what over what: the ratio `name` of `scenario` is its `figure` over the `of_figure` of `of`.
struct Ratio {
    scenario: &'static str,
    name: &'static str,
    figure: &'static str,
    of: &'static str,
    of_figure: &'static str,
}

const fn ratio(
    scenario: &'static str,
    name: &'static str,
    figure: &'static str,
    of: &'static str,
    of_figure: &'static str,
) -> Ratio {
    Ratio {
        scenario,
        name,
        figure,
        of,
        of_figure,
    }
}

const RATE: &str = "commands_per_s";
const CPU: &str = "cpu_us_per_command";
const DRAINED: &str = "drained_commands_per_s";
const WOKEN: &str = "events_10000_warm_us";
const WOKEN_BY_SNAPSHOT: &str = "events_10000_snapshot_warm_us";

const RATIOS: [Ratio; 29] = [
    ratio("spread-512", "ratio_l1", DRAINED, "l1", DRAINED),
    ratio("spread-512", "ratio_l2", DRAINED, "l2", DRAINED),
    ratio("spread-512", "ratio_l1_acknowledged", RATE, "l1", RATE),
    ratio("spread-512", "ratio_l2_acknowledged", RATE, "l2", RATE),
    ratio("spread-512", "ratio_metrics_off", RATE, "metrics-off", RATE),
    ratio("spread-1", "ratio_raw_put", "p50_us", "raw-put", "p50_us"),
    ratio("hot-64", "ratio_spread", RATE, "spread-64", RATE),
    ratio("hot-512", "ratio_spread", RATE, "spread-512", RATE),
    ratio("ids-512", "ratio_spread", RATE, "spread-512", RATE),
    ratio("ids-hot-64", "ratio_hot", RATE, "hot-64", RATE),
    ratio("open", "ratio_l0_p99", "p99_us", "l0", "p50_us"),
    ratio("open", "ratio_l0_p999", "p999_us", "l0", "p50_us"),
    ratio("zipf", "ratio_spread", RATE, "spread-512", RATE),
    ratio("mixed", "ratio_spread", RATE, "spread-512", RATE),
    ratio("tail", "ratio_spread", RATE, "spread-512", RATE),
    ratio("copies", "ratio_spread", RATE, "spread-512", RATE),
    ratio("metrics-off", "ratio_spread", RATE, "spread-512", RATE),
    ratio("operated", "ratio_metrics_off", RATE, "metrics-off", RATE),
    ratio("operated", "ratio_metrics_off_cpu", CPU, "metrics-off", CPU),
    ratio("embedded", "ratio_spread", RATE, "spread-64", RATE),
    ratio("grow", "ratio_spread", RATE, "spread-512", RATE),
    ratio("spread-1", "ratio_cqrs", RATE, "cqrs-spread-1", RATE),
    ratio("spread-64", "ratio_cqrs", RATE, "cqrs-spread-64", RATE),
    ratio("spread-512", "ratio_cqrs", RATE, "cqrs-spread-512", RATE),
    ratio("hot-64", "ratio_cqrs", RATE, "cqrs-hot-64", RATE),
    ratio("hot-512", "ratio_cqrs", RATE, "cqrs-hot-512", RATE),
    ratio("cqrs-cold", "ratio_dormouse", WOKEN, "cold", WOKEN),
    ratio(
        "cqrs-cold",
        "ratio_dormouse_snapshot",
        WOKEN_BY_SNAPSHOT,
        "cold",
        WOKEN_BY_SNAPSHOT,
    ),
    ratio(
        "resident",
        "ratio_actor",
        "bytes_per_resident",
        "actors",
        "bytes_per_resident",
    ),
];

/// Adds those for which both sides were measured.
pub(crate) fn add(round: &mut Round) {
    for ratio in &RATIOS {
        let of = round.get(ratio.of).and_then(|limit| limit.get(ratio.of_figure));
        let (Some(outcome), Some(of)) = (round.get_mut(ratio.scenario), of) else {
            continue;
        };
        if let Some(figure) = outcome.get(ratio.figure) {
            outcome.set(ratio.name, figure / of);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outcome::Outcome;

    #[test]
    fn a_ratio_needs_both_sides() {
        let outcome = |rate: f64| {
            let mut outcome = Outcome::default();
            outcome.set(RATE, rate);
            outcome
        };
        let mut round = Round::from([
            ("hot-64".into(), outcome(50.0)),
            ("spread-64".into(), outcome(40.0)),
        ]);
        round.insert("hot-512".into(), outcome(1.0));
        add(&mut round);
        assert_eq!(round["hot-64"].get("ratio_spread"), Some(1.25));
        assert_eq!(round["hot-512"].get("ratio_spread"), None);
    }
}
