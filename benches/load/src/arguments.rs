//! The command line.

use std::path::PathBuf;

use anyhow::{Context, Result};
use clap::{Parser, ValueEnum};

use crate::step::Step;

/// Measures Dormouse beside the limits of the machine it runs on.
///
/// Every command is answered only when its events are on disk and synced. The clients run in the same process and share
/// its cores. Each measurement is a process of its own; scenarios take turns, so that a noisy minute meets all of them.
#[derive(Debug, Clone, Parser)]
#[command(name = "load", version)]
pub(crate) struct Arguments {
    /// Which scenarios; all if none is named.
    #[arg(value_enum)]
    scenarios: Vec<Scenario>,
    /// Some minutes: few events and runs (the default).
    #[arg(long, conflicts_with = "full")]
    short: bool,
    /// An hour or more: the figures that count.
    #[arg(long)]
    full: bool,
    /// Where the figures go.
    #[arg(long, value_name = "FILE", default_value = "target/bench/summary.json")]
    pub(crate) json: PathBuf,
    /// Where the page with the plots goes.
    #[arg(long, value_name = "FILE", default_value = "target/bench/report.html")]
    pub(crate) report: PathBuf,
    /// Where a picture of the rates goes, as an SVG for a README.
    #[arg(long, value_name = "FILE")]
    pub(crate) plot: Option<PathBuf>,
    /// Measure nothing: draw `--plot` from the figures of an earlier run.
    #[arg(long, value_name = "FILE", requires = "plot")]
    pub(crate) from: Option<PathBuf>,
    /// How long each scenario of commands is measured.
    #[arg(long, value_name = "N", value_parser = positive)]
    pub(crate) seconds: Option<f64>,
    /// Ends `spread` earlier, when so many commands are answered; also the events of `grow`.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) events: Option<u64>,
    /// Clients of `spread` and `hot`, as in 1,64,512.
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u64).range(1..=16_384))]
    pub(crate) clients: Vec<u64>,
    /// Accounts of all scenarios that send to many; 10,000 if not named.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(2..))]
    pub(crate) accounts: Option<u64>,
    /// How often everything is measured.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    pub(crate) runs: Option<u32>,
    /// Sends events of 120 random bytes, which nothing compresses, instead of realistic ones.
    #[arg(long)]
    pub(crate) random: bool,
    /// The random numbers' seed.
    #[arg(long, value_name = "N", default_value_t = 20_130_101)]
    pub(crate) seed: u64,
    /// How many seconds, in all, to wait for other programs to end before a measurement begins. 0: for nothing, the disk
    /// neither.
    #[arg(long, value_name = "N", default_value_t = 60.0, value_parser = not_negative)]
    pub(crate) patience: f64,
    /// Where stores are made, and removed afterwards: a folder of its own in this directory.
    #[arg(long, value_name = "DIR", default_value = "target/bench")]
    pub(crate) store: PathBuf,
    /// The program that measures cqrs-es; beside this one if not named.
    #[arg(long, value_name = "FILE")]
    pub(crate) peers: Option<PathBuf>,
    /// Make one measurement, as another `load` says.
    #[arg(long, hide = true, value_name = "JSON")]
    step: Option<String>,
}

/// What can be chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Scenario {
    /// fdatasync, RocksDB by hand, bare actors
    Limits,
    /// 10,000 accounts
    Spread,
    /// One account
    Hot,
    /// Time-ordered command ids, 1 % sent twice
    Ids,
    /// Poisson arrivals at half of what `spread` reached
    Open,
    /// Waking streams of 10 to 10,000 events
    Cold,
    /// What an idle aggregate weighs
    Resident,
    /// More streams than memory holds
    Zipf,
    /// 80 % queries
    Mixed,
    /// Documents of 64 KiB
    Large,
    /// Ten readers follow the log
    Tail,
    /// `spread` while the store is copied
    Copies,
    /// `spread` without a metrics recorder, and with the ops server
    Metrics,
    /// A store that grows, is killed and opened
    Grow,
    /// Called from an actix-web service
    Embedded,
    /// The demonstration, if it was built beside this program
    Flights,
    /// cqrs-es with PostgreSQL, beside `spread` and `hot`, if `make peers` built it
    Peers,
}

fn not_negative(text: &str) -> Result<f64, String> {
    if text == "0" { Ok(0.0) } else { positive(text) }
}

fn positive(text: &str) -> Result<f64, String> {
    let seconds: Result<f64, _> = text.parse();
    seconds
        .ok()
        .filter(|seconds| *seconds > 0.0 && *seconds <= 86_400.0)
        .ok_or_else(|| "seconds are a number above 0 and at most 86400".into())
}

impl Arguments {
    pub(crate) fn is_full(&self) -> bool {
        self.full && !self.short
    }

    pub(crate) fn chosen(&self, scenario: Scenario) -> bool {
        self.scenarios.is_empty() || self.scenarios.contains(&scenario)
    }

    /// What another `load` asks this process to measure.
    pub(crate) fn step(&self) -> Option<Result<Step>> {
        let json = self.step.as_ref()?;
        Some(serde_json::from_str(json).context("--step is no step"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["load"], arguments].concat())
    }

    #[test]
    fn all_scenarios_or_those_named() {
        let all = parse(&[]).unwrap();
        assert!(all.chosen(Scenario::Zipf) && !all.is_full());
        let some = parse(&["spread", "limits", "--full", "--clients", "1,64"]).unwrap();
        assert!(some.chosen(Scenario::Limits) && !some.chosen(Scenario::Zipf) && some.is_full());
        assert_eq!(some.clients, [1, 64]);
    }

    #[test]
    fn nonsense_is_refused() {
        for wrong in [
            &["unheard-of"][..],
            &["--seconds", "0"],
            &["--seconds", "NaN"],
            &["--clients", "0"],
            &["--runs", "0"],
            &["--short", "--full"],
            &["--from", "summary.json"],
        ] {
            assert!(parse(wrong).is_err(), "{wrong:?}");
        }
    }
}
