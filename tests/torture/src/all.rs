//! All harnesses, one after the other, and their summary.

use std::path::PathBuf;

use anyhow::{Context, Result};
use serde_json::{Map, Value};

use crate::kill;
use crate::rot;
use crate::tally::Tally;

/// What a full run tries; `--scale 0.1` a tenth of each.
const KILL_POINTS: u32 = 1_000;
/// Drawn cases; every byte of a write-ahead file and every end of a record come on top.
const ROT_CASES: u32 = 6_000;

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
    write(all, &tallies)?;
    tallies.push(rot::run(&rot::Rot::new(all.scaled(ROT_CASES), all.scale, all.seed)).await?);
    write(all, &tallies)?;
    Ok(tallies)
}

fn write(all: &All, tallies: &[Tally]) -> Result<()> {
    let mut harnesses = Map::new();
    for tally in tallies {
        harnesses.insert(tally.harness.to_owned(), serde_json::to_value(tally)?);
    }
    let mut summary = Map::new();
    summary.insert("scale".to_owned(), all.scale.into());
    summary.insert("harnesses".to_owned(), Value::Object(harnesses));
    let directory = all.summary.parent().context("the summary's path names a file")?;
    std::fs::create_dir_all(directory)?;
    std::fs::write(&all.summary, serde_json::to_vec_pretty(&summary)?).context("write the summary")
}
