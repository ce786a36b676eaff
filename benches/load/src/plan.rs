//! Which measurements make one round, in which order and how long.

use std::path::Path;

use crate::arguments::{Arguments, Scenario};
use crate::peers;
use crate::scenarios::flights;
use crate::step::{Pace, Step, Traffic, Watched, What, Work};

/// Rounds of `--full`: the figures that count are medians of as many.
const RUNS_FULL: u32 = 5;
const RUNS_SHORT: u32 = 3;
/// Rounds of `--full` in which peers take part.
const PEERS_RUNS_FULL: u32 = 2;
/// Bytes of an event of `--random`: about what a deposit takes.
const RANDOM_BYTES: usize = 120;
/// Streams of each length that are woken: the figure is their median.
const WAKES: u32 = 9;
const DOCUMENT_BYTES: usize = 64 * 1024;

/// The sizes of a run.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    arguments: Arguments,
    has_peers: bool,
    pub(crate) runs: u32,
    seconds: f64,
    /// 0 for no limit.
    spread_commands: u64,
}

impl Plan {
    /// With the steps that the program `peers` makes, if there is one.
    pub(crate) fn new(arguments: &Arguments, has_peers: bool) -> Self {
        let full = arguments.is_full();
        let spread_commands = if full { 12_000_000 } else { 0 };
        Self {
            runs: arguments
                .runs
                .unwrap_or(if full { RUNS_FULL } else { RUNS_SHORT }),
            seconds: arguments.seconds.unwrap_or(if full { 10.0 } else { 3.0 }),
            spread_commands: arguments.events.unwrap_or(spread_commands),
            has_peers: has_peers && arguments.chosen(Scenario::Peers),
            arguments: arguments.clone(),
        }
    }

    /// The steps of one round. What takes long and varies little is measured in the first round only; the short version
    /// counts waking among it.
    pub(crate) fn round(&self, round: u32, directory: &Path) -> Vec<Step> {
        let (first, full) = (round == 0, self.arguments.is_full());
        let mut works = self.every_round(directory);
        if first || full {
            works.extend(self.waking());
        }
        if first {
            works.extend(self.first_round(directory));
        }
        if first || (full && round < PEERS_RUNS_FULL) {
            peers::add_beside(&mut works, self.peers());
        }
        works
            .into_iter()
            .map(|(name, work)| Step {
                directory: directory.join(&name),
                seed: self.arguments.seed + u64::from(round),
                name,
                work,
            })
            .collect()
    }

    fn chosen(&self, scenario: Scenario) -> bool {
        self.arguments.chosen(scenario)
    }

    fn every_round(&self, directory: &Path) -> Vec<(String, Work)> {
        let mut works: Vec<(String, Work)> = Vec::new();
        let mut add = |name: &str, work| works.push((name.into(), work));
        let limits = self.chosen(Scenario::Limits);
        if limits {
            add(
                "l0",
                Work::Sync {
                    seconds: self.seconds / 3.0,
                },
            );
            add(
                "raw-put",
                Work::Put {
                    seconds: self.seconds / 2.0,
                },
            );
        }
        let others_need_it = limits || self.chosen(Scenario::Open);
        let spread = self.chosen(Scenario::Spread) || self.has_peers;
        for clients in self.clients(&[1, 64, 512]) {
            if spread || (others_need_it && clients == 512) {
                add(&format!("spread-{clients}"), Work::Traffic(self.spread(clients)));
            }
        }
        if limits && self.has_log_for_limits() {
            let from = directory.join("spread-512");
            add("l1", Work::Segments { from: from.clone() });
            add("l2", Work::Rows { from });
        }
        for (scenario, name, traffic) in self.traffics(directory) {
            if self.chosen(scenario) || (self.has_peers && scenario == Scenario::Hot) {
                add(&name, Work::Traffic(traffic));
            }
        }
        works
    }

    /// What was asked for and can't be measured, and why.
    pub(crate) fn leaves_out(&self) -> Option<&'static str> {
        let leaves_out = self.chosen(Scenario::Limits) && !self.has_log_for_limits();
        leaves_out.then_some(
            "l1 and l2 are left out: they write again what spread-512 left in its log, and --clients names no 512",
        )
    }

    fn has_log_for_limits(&self) -> bool {
        self.clients(&[512]).contains(&512)
    }

    fn clients(&self, default: &[u64]) -> Vec<u64> {
        if self.arguments.clients.is_empty() {
            default.to_vec()
        } else {
            self.arguments.clients.clone()
        }
    }

    fn spread(&self, clients: u64) -> Traffic {
        let mut traffic = self.traffic(clients);
        if clients >= 512 && self.spread_commands > 0 {
            traffic.commands = self.spread_commands;
            if self.arguments.seconds.is_none() {
                traffic.seconds = 600.0;
            }
        }
        traffic
    }

    fn traffic(&self, clients: u64) -> Traffic {
        let mut traffic = Traffic::spread(clients, self.seconds);
        traffic.ids = self.arguments.accounts.unwrap_or(traffic.ids);
        if self.arguments.random {
            traffic.what = What::Documents { bytes: RANDOM_BYTES };
        }
        traffic
    }

    fn traffics(&self, directory: &Path) -> Vec<(Scenario, String, Traffic)> {
        let mut all = Vec::new();
        for clients in self
            .clients(&[64, 512])
            .into_iter()
            .filter(|clients| *clients > 1)
        {
            let traffic = Traffic {
                ids: 1,
                ..self.traffic(clients)
            };
            all.push((Scenario::Hot, format!("hot-{clients}"), traffic));
        }
        let many = |what| Traffic {
            what,
            ..self.traffic(512)
        };
        // As long as what it is compared with: a longer run owes more compaction.
        let as_spread = self.spread(512);
        let ids = What::Ids {
            retries_per_mille: 10,
        };
        let mut add = |scenario, name: &str, traffic| all.push((scenario, name.into(), traffic));
        add(
            Scenario::Ids,
            "ids-512",
            Traffic {
                what: ids,
                ..as_spread.clone()
            },
        );
        let one = Traffic {
            ids: 1,
            clients: 64,
            ..many(ids)
        };
        add(Scenario::Ids, "ids-hot-64", one);
        let pace = Pace::Open { per_second: 0.0 };
        add(
            Scenario::Open,
            "open",
            Traffic {
                pace,
                ..self.traffic(512)
            },
        );
        add(
            Scenario::Metrics,
            "metrics-off",
            Traffic {
                watched: Watched::No,
                ..as_spread.clone()
            },
        );
        add(
            Scenario::Metrics,
            "operated",
            Traffic {
                watched: Watched::Operated,
                ..as_spread.clone()
            },
        );
        add(
            Scenario::Mixed,
            "mixed",
            many(What::Mixed { queries_percent: 80 }),
        );
        let large = Traffic {
            clients: 64,
            ..many(What::Documents {
                bytes: DOCUMENT_BYTES,
            })
        };
        add(Scenario::Large, "large", large);
        add(
            Scenario::Tail,
            "tail",
            Traffic {
                tails: 10,
                ..as_spread.clone()
            },
        );
        add(
            Scenario::Copies,
            "copies",
            Traffic {
                copies: Some(directory.join("copies-of-the-store")),
                ..as_spread
            },
        );
        all
    }

    /// What is about aggregates that sleep, and what they weigh awake.
    fn waking(&self) -> Vec<(String, Work)> {
        let full = self.arguments.is_full();
        let pick = |long, short| if full { long } else { short };
        let mut works: Vec<(String, Work)> = Vec::new();
        let mut add = |name: &str, work| works.push((name.into(), work));
        if self.chosen(Scenario::Cold) {
            let lengths = vec![10, 100, 1_000, 10_000];
            add(
                "cold",
                Work::Cold {
                    lengths,
                    wakes: WAKES,
                },
            );
        }
        if self.chosen(Scenario::Resident) {
            let count = pick(1_000_000, 100_000);
            add("actors", Work::Actors { count });
            add("resident", Work::Resident { count });
        }
        if self.chosen(Scenario::Zipf) {
            let work = Work::Zipf {
                ids: pick(1_000_000, 50_000),
                events_each: 20,
                memory_share: 0.1,
                traffic: self.traffic(512),
            };
            add("zipf", work);
        }
        works
    }

    fn first_round(&self, directory: &Path) -> Vec<(String, Work)> {
        let full = self.arguments.is_full();
        let mut works: Vec<(String, Work)> = Vec::new();
        let mut add = |name: &str, work| works.push((name.into(), work));
        if self.chosen(Scenario::Embedded) {
            add(
                "embedded",
                Work::Embedded {
                    clients: 64,
                    seconds: self.seconds,
                },
            );
        }
        if self.chosen(Scenario::Flights) && flights::program().is_some() {
            add("flights", Work::Flights { fast: !full });
        }
        if self.chosen(Scenario::Grow) {
            let events = self
                .arguments
                .events
                .unwrap_or(if full { 50_000_000 } else { 2_000_000 });
            add("grow", Work::Grow { events, clients: 512 });
            add(
                "reopen",
                Work::Reopen {
                    from: directory.join("grow"),
                },
            );
        }
        works
    }

    /// The same clients and seconds as the scenarios of the same name.
    fn peers(&self) -> Vec<(String, Work)> {
        if !self.has_peers {
            return Vec::new();
        }
        let (spread, hot) = (self.clients(&[1, 64, 512]), self.clients(&[64, 512]));
        peers::works(&spread, &hot, self.seconds, self.arguments.is_full())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    fn names(arguments: &[&str], round: u32) -> Vec<String> {
        names_with(arguments, true, round)
    }

    fn plan(arguments: &[&str], has_peers: bool) -> Plan {
        let arguments = Arguments::try_parse_from([&["load"], arguments].concat()).unwrap();
        Plan::new(&arguments, has_peers)
    }

    fn names_with(arguments: &[&str], has_peers: bool, round: u32) -> Vec<String> {
        let steps = plan(arguments, has_peers).round(round, Path::new("d"));
        steps.into_iter().map(|step| step.name).collect()
    }

    #[test]
    fn limits_bring_the_run_that_they_are_measured_by() {
        assert_eq!(names(&["limits"], 0), ["l0", "raw-put", "spread-512", "l1", "l2"]);
        assert_eq!(names(&["open"], 0), ["spread-512", "open"]);
    }

    #[test]
    fn limits_that_lack_that_run_are_left_out_and_named() {
        let without = ["limits", "--clients", "64"];
        assert_eq!(names(&without, 0), ["l0", "raw-put"]);
        let note = plan(&without, false).leaves_out().unwrap();
        assert!(note.starts_with("l1 and l2 are left out"), "{note}");
        for all in [
            &["limits"][..],
            &["limits", "--clients", "64,512"],
            &["spread", "--clients", "64"],
        ] {
            assert_eq!(plan(all, false).leaves_out(), None, "{all:?}");
        }
    }

    #[test]
    fn peers_bring_what_they_are_compared_with_and_are_left_out_where_there_are_none() {
        let names = |has_peers| names_with(&["peers", "--clients", "1,64"], has_peers, 0);
        let beside = [
            "spread-1",
            "cqrs-spread-1",
            "spread-64",
            "cqrs-spread-64",
            "hot-64",
            "cqrs-hot-64",
            "cqrs-cold",
        ];
        assert_eq!(names(true), beside);
        assert!(names(false).is_empty());
        assert!(
            !names_with(&[], false, 0)
                .iter()
                .any(|name| name.starts_with("cqrs"))
        );
    }

    #[test]
    fn a_full_run_repeats_what_has_a_goal() {
        let names = |round| names(&["--full"], round);
        for name in ["zipf", "cold", "resident", "ids-512", "cqrs-hot-64"] {
            assert!(
                names(0).contains(&name.into()) && names(1).contains(&name.into()),
                "{name}"
            );
        }
        assert!(names(4).contains(&"zipf".into()) && !names(4).contains(&"cqrs-hot-64".into()));
        assert!(names(0).contains(&"grow".into()) && !names(1).contains(&"grow".into()));
    }

    #[test]
    fn what_varies_little_is_measured_once() {
        let (first, second) = (names(&[], 0), names(&[], 1));
        assert!(second.iter().all(|name| first.contains(name)));
        assert!(first.contains(&"zipf".into()) && !second.contains(&"zipf".into()));
    }
}
