//! All harnesses, one after the other, and their summary.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::copies::{self, Copies};
use crate::fuzz::{self, Fuzz};
use crate::holes::{self, Holes};
use crate::ioerr::{self, IoErrors};
use crate::kill::{self, Kill};
use crate::linearizability::{self, Linearize};
use crate::miri;
use crate::overload::{self, Overload};
use crate::panics::{self, Panics};
use crate::planted::{self, Fate, Planted};
use crate::power::{self, Power};
use crate::readers::{self, Readers};
use crate::rot::{self, Rot};
use crate::schedules::{self, Schedules};
use crate::schemas::{self, Schemas};
use crate::simulation::{self, Simulate};
use crate::soak::{self, Soak};
use crate::tally::Tally;
use crate::violation::Violation;

/// What a full run tries; `--scale 0.1` a tenth of each.
const KILL_POINTS: u32 = 1_000;
/// Drawn cases; every byte of a write-ahead file and every end of a record come on top.
const ROT_CASES: u32 = 6_000;
const POWER_CUTS: u32 = 1_000;
const IO_ERRORS: u32 = 500;
const COPIES: u32 = 110;
const SIMULATED_SEEDS: u32 = 100_000;
const HISTORIES: u32 = 1_000;
const HOLES: u32 = 1_000;
const OVERLOAD_COMMANDS: u32 = 2_000_000;
const PANICS: u32 = 200_000;
const READINGS: u32 = 3_000_000;
const SCHEMA_TURNS: u32 = 400;
/// An hour by hand (`soak --minutes 60`): all of them together are to take less than ninety minutes.
const SOAK_MINUTES: f64 = 12.0;
/// Of each target.
const FUZZ_SECONDS: u32 = 30;
/// Of each test.
const SCHEDULES: u32 = 10_000;

/// The settings of a run of all.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct All {
    /// A share of each harness's figure.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the summary goes.
    #[arg(long, default_value = "target/torture/summary.json")]
    summary: PathBuf,
}

impl All {
    fn scaled(&self, figure: u32) -> u32 {
        ((f64::from(figure) * self.scale) as u32).max(1)
    }
}

/// Runs each to its end, whatever the one before found. The summary is written after each.
pub(crate) async fn run(all: &All) -> Result<Vec<Tally>> {
    let seed = all.seed;
    let mut done = Done {
        all,
        tallies: Vec::new(),
        planted: Vec::new(),
    };
    let seeds = all.scaled(SIMULATED_SEEDS);
    done.add("kill", kill::run(&Kill::new(all.scaled(KILL_POINTS), seed)).await)?;
    done.add(
        "power",
        power::run(&Power::new(all.scaled(POWER_CUTS), seed)).await,
    )?;
    done.add(
        "ioerr",
        ioerr::run(&IoErrors::new(all.scaled(IO_ERRORS), seed)).await,
    )?;
    done.add(
        "copies",
        copies::run(&Copies::new(all.scaled(COPIES), seed)).await,
    )?;
    done.add(
        "rot",
        rot::run(&Rot::new(all.scaled(ROT_CASES), all.scale, seed)).await,
    )?;
    done.add("holes", holes::run(&Holes::new(all.scaled(HOLES), seed)).await)?;
    done.add("simulate", simulation::run(&Simulate::new(seeds, seed)))?;
    done.add(
        "linearize",
        linearizability::run(&Linearize::new(all.scaled(HISTORIES), seed)).await,
    )?;
    done.add(
        "schedules",
        schedules::run(&Schedules::new(all.scaled(SCHEDULES), seed)),
    )?;
    done.add("miri", miri::run())?;
    done.add("fuzz", fuzz::run(&Fuzz::new(all.scaled(FUZZ_SECONDS), seed)))?;
    done.add(
        "readers",
        readers::run(&Readers::new(all.scaled(READINGS), seed)).await,
    )?;
    done.add(
        "panics",
        panics::run(&Panics::new(all.scaled(PANICS), seed)).await,
    )?;
    done.add(
        "overload",
        overload::run(&Overload::new(all.scaled(OVERLOAD_COMMANDS), seed)).await,
    )?;
    done.add(
        "schemas",
        schemas::run(&Schemas::new(all.scaled(SCHEMA_TURNS), seed)).await,
    )?;
    done.add(
        "soak",
        soak::run(&Soak::new(SOAK_MINUTES * all.scale, seed)).await,
    )?;
    // last: it builds, and runs some of the others again
    let planted = planted::run(&Planted::new(seed)).map(|(tally, fates)| {
        done.planted = fates;
        tally
    });
    done.add("planted", planted)?;
    Ok(done.tallies)
}

/// What has run so far.
struct Done<'a> {
    all: &'a All,
    tallies: Vec<Tally>,
    planted: Vec<Fate>,
}

impl Done<'_> {
    /// Takes over what a harness found. One that could not be run keeps no other from running, and is a violation.
    fn add(&mut self, harness: &'static str, found: Result<Tally>) -> Result<()> {
        let tally = found.unwrap_or_else(|error| {
            let mut tally = Tally::new(harness, 0);
            let violation = Violation::new("none", format!("{harness} could not be run: {error:#}"));
            eprintln!("{}", violation.what);
            tally.violations.push(violation);
            tally
        });
        self.tallies.push(tally);
        let mut harnesses = Map::new();
        for tally in &self.tallies {
            harnesses.insert(tally.harness.to_owned(), serde_json::to_value(tally)?);
        }
        let mut summary = Map::new();
        summary.insert("scale".to_owned(), self.all.scale.into());
        summary.insert("harnesses".to_owned(), Value::Object(harnesses));
        summary.insert("planted".to_owned(), serde_json::to_value(&self.planted)?);
        let path = &self.all.summary;
        let directory = path.parent().context("the summary's path names a file")?;
        std::fs::create_dir_all(directory)?;
        std::fs::write(path, serde_json::to_vec_pretty(&summary)?).context("write the summary")
    }
}
