//! All harnesses, one after the other, and their summary.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::planted::{self, Fate};
use crate::tally::Tally;
use crate::{holes, kill, overload, panics, readers, schemas, soak};

/// What a full run tries; `--scale 0.1` a tenth of each.
const KILL_POINTS: u32 = 1_000;
const HOLES: u32 = 1_000;
const OVERLOAD_COMMANDS: u32 = 2_000_000;
const PANICS: u32 = 200_000;
const READINGS: u32 = 3_000_000;
const SCHEMA_TURNS: u32 = 400;
/// An hour by hand (`soak --minutes 60`): all of them together are to take less than ninety minutes.
const SOAK_MINUTES: f64 = 20.0;

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
    let mut tallies = Vec::new();
    tallies.push(kill::run(&kill::Kill::new(all.scaled(KILL_POINTS), all.seed)).await?);
    write(all, &tallies, &[])?;
    tallies.push(holes::run(&holes::Holes::new(all.scaled(HOLES), all.seed)).await?);
    write(all, &tallies, &[])?;
    tallies.push(overload::run(&overload::Overload::new(all.scaled(OVERLOAD_COMMANDS), all.seed)).await?);
    write(all, &tallies, &[])?;
    tallies.push(panics::run(&panics::Panics::new(all.scaled(PANICS), all.seed)).await?);
    write(all, &tallies, &[])?;
    tallies.push(readers::run(&readers::Readers::new(all.scaled(READINGS), all.seed)).await?);
    write(all, &tallies, &[])?;
    tallies.push(schemas::run(&schemas::Schemas::new(all.scaled(SCHEMA_TURNS), all.seed)).await?);
    write(all, &tallies, &[])?;
    tallies.push(soak::run(&soak::Soak::new(SOAK_MINUTES * all.scale, all.seed)).await?);
    write(all, &tallies, &[])?;
    // last: it builds, and runs some of the others again
    let (tally, fates) = planted::run(&planted::Planted::new(all.seed))?;
    tallies.push(tally);
    write(all, &tallies, &fates)?;
    Ok(tallies)
}

fn write(all: &All, tallies: &[Tally], planted: &[Fate]) -> Result<()> {
    let mut harnesses = Map::new();
    for tally in tallies {
        harnesses.insert(tally.harness.to_owned(), serde_json::to_value(tally)?);
    }
    let mut summary = Map::new();
    summary.insert("scale".to_owned(), all.scale.into());
    summary.insert("harnesses".to_owned(), Value::Object(harnesses));
    summary.insert("planted".to_owned(), serde_json::to_value(planted)?);
    let directory = all.summary.parent().context("the summary's path names a file")?;
    std::fs::create_dir_all(directory)?;
    std::fs::write(&all.summary, serde_json::to_vec_pretty(&summary)?).context("write the summary")
}
