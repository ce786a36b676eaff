//! What Dormouse must show, as shares of limits measured in the same run.

use crate::summary::Summary;

/// One line of the list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Goal {
    pub(crate) what: &'static str,
    scenario: &'static str,
    figure: &'static str,
    bound: Bound,
    unit: Unit,
}

#[derive(Clone, Copy, Debug)]
enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

#[derive(Clone, Copy, Debug)]
enum Unit {
    Times,
    Micros,
    Seconds,
    Count,
}

/// A goal and what was measured.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Reached {
    pub(crate) goal: &'static Goal,
    pub(crate) figure: f64,
    pub(crate) is_met: bool,
}

const fn goal(
    what: &'static str,
    scenario: &'static str,
    figure: &'static str,
    bound: Bound,
    unit: Unit,
) -> Goal {
    Goal {
        what,
        scenario,
        figure,
        bound,
        unit,
    }
}

use self::Bound::{AtLeast, AtMost};
use self::Unit::{Count, Micros, Seconds, Times};

static GOALS: [Goal; 24] = [
    goal(
        "spread, 512 clients, of L2 (rows by hand)",
        "spread-512",
        "ratio_l2",
        AtLeast(1.0),
        Times,
    ),
    goal(
        "spread, 1 client, p50 of a raw synced put",
        "spread-1",
        "ratio_raw_put",
        AtMost(1.4),
        Times,
    ),
    goal(
        "hot, 64 clients, of spread",
        "hot-64",
        "ratio_spread",
        AtLeast(0.9),
        Times,
    ),
    goal(
        "hot, 512 clients, of spread",
        "hot-512",
        "ratio_spread",
        AtLeast(0.9),
        Times,
    ),
    goal(
        "ids, 512 clients, of spread",
        "ids-512",
        "ratio_spread",
        AtLeast(0.85),
        Times,
    ),
    goal(
        "ids on one account, 64 clients, of hot",
        "ids-hot-64",
        "ratio_hot",
        AtLeast(0.85),
        Times,
    ),
    goal(
        "open loop at half, p99 of an fdatasync",
        "open",
        "ratio_l0_p99",
        AtMost(20.0),
        Times,
    ),
    goal(
        "open loop at half, p99.9 of an fdatasync",
        "open",
        "ratio_l0_p999",
        AtMost(100.0),
        Times,
    ),
    goal(
        "zipf, memory for a tenth, of spread",
        "zipf",
        "ratio_spread",
        AtLeast(0.35),
        Times,
    ),
    goal(
        "zipf, memory at most, of the budget",
        "zipf",
        "memory_peak_share",
        AtMost(1.1),
        Times,
    ),
    goal(
        "waking 10,000 events, of RocksDB's scan",
        "cold",
        "ratio_raw_scan",
        AtMost(1.5),
        Times,
    ),
    goal(
        "waking 10,000 events",
        "cold",
        "events_10000_warm_us",
        AtMost(10_000.0),
        Micros,
    ),
    goal(
        "waking 10,000 events with a snapshot",
        "cold",
        "events_10000_snapshot_warm_us",
        AtMost(500.0),
        Micros,
    ),
    goal(
        "activations of 20 events, of seek and scan",
        "cold",
        "ratio_raw_seeks",
        AtLeast(0.6),
        Times,
    ),
    goal(
        "idle aggregate, of a bare actix actor",
        "resident",
        "ratio_actor",
        AtMost(1.4),
        Times,
    ),
    goal(
        "grow, last tenth of the first",
        "grow",
        "ratio_last_first",
        AtLeast(0.7),
        Times,
    ),
    goal("opening after a kill", "reopen", "reopen_s", AtMost(2.0), Seconds),
    goal(
        "ten readers of the log, writers of spread",
        "tail",
        "ratio_spread",
        AtLeast(0.9),
        Times,
    ),
    goal(
        "metrics on, of metrics off",
        "spread-512",
        "ratio_metrics_off",
        AtLeast(0.98),
        Times,
    ),
    goal(
        "ops server on, of metrics off",
        "operated",
        "ratio_metrics_off",
        AtLeast(0.98),
        Times,
    ),
    goal(
        "spread, 512 clients, of cqrs-es and PostgreSQL",
        "spread-512",
        "ratio_cqrs",
        AtLeast(50.0),
        Times,
    ),
    goal(
        "hot, 64 clients, of cqrs-es and PostgreSQL",
        "hot-64",
        "ratio_cqrs",
        AtLeast(1_000.0),
        Times,
    ),
    goal(
        "hot, 512 clients, of cqrs-es and PostgreSQL",
        "hot-512",
        "ratio_cqrs",
        AtLeast(1_000.0),
        Times,
    ),
    goal(
        "errors at 512 clients",
        "spread-512",
        "errors",
        AtMost(0.0),
        Count,
    ),
];

/// Every goal that this run says something about.
pub(crate) fn judge(summary: &Summary) -> Vec<Reached> {
    GOALS
        .iter()
        .filter_map(|goal| {
            let figure = summary.median(goal.scenario, goal.figure)?;
            let is_met = match goal.bound {
                Bound::AtLeast(least) => figure >= least,
                Bound::AtMost(most) => figure <= most,
            };
            Some(Reached { goal, figure, is_met })
        })
        .collect()
}

impl Goal {
    /// Such as `at least 0.90 ×`.
    pub(crate) fn wanted(&self) -> String {
        match self.bound {
            Bound::AtLeast(least) => format!("at least {}", self.unit.show(least)),
            Bound::AtMost(most) => format!("at most {}", self.unit.show(most)),
        }
    }

    /// How far along a scale on which the goal is in the middle, 0 to 1, more being better.
    pub(crate) fn share(&self, figure: f64) -> f64 {
        let share = match self.bound {
            Bound::AtLeast(least) if least > 0.0 => figure / least,
            Bound::AtMost(most) if figure > 0.0 => most / figure,
            _ => 2.0,
        };
        (share / 2.0).clamp(0.0, 1.0)
    }
}

impl Reached {
    pub(crate) fn value(&self) -> String {
        self.goal.unit.show(self.figure)
    }
}

impl Unit {
    fn show(self, value: f64) -> String {
        match self {
            Unit::Times if value >= 100.0 => format!("{} ×", crate::units::count(value)),
            Unit::Times if value >= 10.0 => format!("{value:.1} ×"),
            Unit::Times => format!("{value:.2} ×"),
            Unit::Micros => crate::units::micros(value),
            Unit::Seconds => format!("{value:.2} s"),
            Unit::Count => crate::units::count(value),
        }
    }
}
