//! `summary.json`: an object for each scenario, the limits among them.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result};
use dormouse::{Clock, Timestamp};
use serde::{Deserialize, Serialize};

use crate::arguments::Arguments;
use crate::machine::Machine;
use crate::outcome::Round;
use crate::range::Range;

/// The order in which scenarios are shown; what is not named here comes last.
const ORDER: [&str; 32] = [
    "l0",
    "raw-put",
    "l1",
    "l2",
    "spread-1",
    "spread-64",
    "spread-512",
    "hot-64",
    "hot-512",
    "ids-512",
    "ids-hot-64",
    "open",
    "metrics-off",
    "operated",
    "mixed",
    "large",
    "tail",
    "copies",
    "zipf",
    "cold",
    "actors",
    "resident",
    "embedded",
    "flights",
    "grow",
    "reopen",
    "cqrs-spread-1",
    "cqrs-spread-64",
    "cqrs-spread-512",
    "cqrs-hot-64",
    "cqrs-hot-512",
    "cqrs-cold",
];

/// What the figures were measured on, when and how.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct About {
    /// When the run began, RFC 3339.
    pub(crate) date: String,
    /// `short` or `full`.
    pub(crate) size: String,
    pub(crate) machine: Machine,
    pub(crate) durability: String,
    pub(crate) settings: String,
    /// Where the load comes from.
    pub(crate) generator: String,
    pub(crate) seed: u64,
}

impl About {
    pub(crate) fn new(arguments: &Arguments, machine: Machine) -> Self {
        let now: Timestamp = Clock::system().now();
        let payload = if arguments.random {
            "random bytes, 120 an event"
        } else {
            "realistic, bincode, some 110 bytes an event, and a correlation id"
        };
        Self {
            date: now.to_string(),
            size: if arguments.is_full() { "full" } else { "short" }.into(),
            machine,
            durability: "each command is answered after an fsync that covers its events".into(),
            settings: format!(
                "store and runtime at their defaults (cache 128 MiB, tail 256 MiB, snapshots every 100 events, \
                 one arbiter a core); memory budget 4 GiB; payload {payload}"
            ),
            generator: "in the same process as the program: clients and program share the cores".into(),
            seed: arguments.seed,
        }
    }
}

/// Everything that goes into the file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Summary {
    pub(crate) about: About,
    pub(crate) scenarios: BTreeMap<String, Scenario>,
}

/// One scenario over all its runs.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Scenario {
    /// How often it was measured.
    pub(crate) runs: usize,
    /// Medians, by name.
    #[serde(flatten)]
    pub(crate) medians: BTreeMap<String, f64>,
    /// Least, middle and most, by name. Files of earlier versions call it by the name of a scenario.
    #[serde(alias = "spread")]
    pub(crate) range: BTreeMap<String, Range>,
}

impl Summary {
    pub(crate) fn new(about: About, rounds: &[Round]) -> Self {
        let names: BTreeSet<&String> = rounds.iter().flat_map(Round::keys).collect();
        let scenarios = names
            .into_iter()
            .map(|name| (name.clone(), Scenario::of(name, rounds)))
            .collect();
        Self { about, scenarios }
    }

    /// A median.
    pub(crate) fn median(&self, scenario: &str, figure: &str) -> Option<f64> {
        self.scenarios.get(scenario)?.medians.get(figure).copied()
    }

    /// Scenario names in the order of the table.
    pub(crate) fn in_order(&self) -> Vec<&String> {
        let place = |name: &String| {
            ORDER
                .iter()
                .position(|known| known == name)
                .unwrap_or(ORDER.len())
        };
        let mut names: Vec<&String> = self.scenarios.keys().collect();
        names.sort_by_key(|name| (place(name), (*name).clone()));
        names
    }

    pub(crate) fn to_json(&self) -> Result<String> {
        Ok(serde_json::to_string_pretty(self)? + "\n")
    }

    /// What an earlier run left.
    pub(crate) fn from_json(json: &str) -> Result<Self> {
        serde_json::from_str(json).context("this is no summary of a run")
    }
}

impl Scenario {
    fn of(name: &str, rounds: &[Round]) -> Self {
        let runs: Vec<_> = rounds.iter().filter_map(|round| round.get(name)).collect();
        let figures: BTreeSet<&String> = runs.iter().flat_map(|run| run.figures.keys()).collect();
        let range: BTreeMap<String, Range> = figures
            .into_iter()
            .filter_map(|figure| {
                let values = runs.iter().filter_map(|run| run.get(figure)).collect();
                Some((figure.clone(), Range::of(values)?))
            })
            .collect();
        Self {
            runs: runs.len(),
            medians: range
                .iter()
                .map(|(name, range)| (name.clone(), range.median))
                .collect(),
            range,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::latency::Latencies;
    use crate::outcome::Outcome;
    use clap::Parser;
    use std::time::Duration;

    fn round(commands: u64) -> Round {
        let latencies = Latencies::new();
        latencies.record(0, Duration::from_millis(1));
        let mut outcome = Outcome::of(512, commands, 2.0, latencies.merged());
        outcome.set("ratio_l2", commands as f64 / 100.0);
        outcome.set("never", f64::NAN);
        Round::from([("spread-512".to_owned(), outcome)])
    }

    #[test]
    fn each_scenario_is_an_object_with_its_medians_and_their_range() {
        let arguments = Arguments::try_parse_from(["load"]).unwrap();
        let about = About::new(&arguments, Machine::look(".".as_ref()));
        let summary = Summary::new(about, &[round(100), round(300), round(200)]);
        let json: serde_json::Value = serde_json::from_str(&summary.to_json().unwrap()).unwrap();
        let scenario = &json["scenarios"]["spread-512"];
        assert_eq!(scenario["runs"], 3);
        assert_eq!(scenario["commands_per_s"], 100.0);
        assert_eq!(scenario["clients"], 512.0);
        assert_eq!(scenario["ratio_l2"], 2.0);
        for name in ["p50_us", "p99_us", "p999_us"] {
            let micros = scenario[name].as_f64().unwrap();
            assert!((999.0..1_002.0).contains(&micros), "{name} {micros}");
        }
        assert_eq!(scenario["range"]["commands_per_s"]["min"], 50.0);
        assert_eq!(scenario["range"]["commands_per_s"]["max"], 150.0);
        assert!(scenario.get("never").is_none());
        assert_eq!(json["about"]["size"], "short");
        let read = Summary::from_json(&summary.to_json().unwrap()).unwrap();
        assert_eq!(read.to_json().unwrap(), summary.to_json().unwrap());
        let earlier = summary.to_json().unwrap().replace("\"range\"", "\"spread\"");
        assert_eq!(
            Summary::from_json(&earlier).unwrap().to_json().unwrap(),
            summary.to_json().unwrap()
        );
        assert!(Summary::from_json("{}").is_err());
        assert!(json["about"]["machine"]["cores"].as_u64().unwrap() > 0);
    }
}
