//! Mutants: cargo-mutants breaks commit, recovery, idempotency and eviction in small ways, and the tests must notice.
//!
//! Not part of `torture all`: each mutant takes a build and a crate's tests. What is broken is in `.cargo/mutants.toml`.

use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::cargo::{answers, cargo, root};
use crate::tally::Tally;
use crate::violation::Violation;

/// The settings of a run.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Mutants {
    /// One share of all mutants, such as `0/20`.
    #[arg(long, default_value = "0/1")]
    pub(crate) shard: String,
    /// One file alone, such as `runtime/src/entries.rs`.
    #[arg(long)]
    pub(crate) file: Option<String>,
    /// Where cargo-mutants leaves what it found. Default: `target/torture`.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

pub(crate) fn run(mutants: &Mutants) -> Result<Tally> {
    let mut tally = Tally::new("mutants", 0);
    if !answers(cargo("mutants", &["mutants", "--version"])) {
        tally.skip("cargo-mutants is not installed (cargo install cargo-mutants): nothing was tried");
        return Ok(tally);
    }
    let kept = mutants
        .directory
        .clone()
        .unwrap_or_else(|| root().join("target/torture"));
    std::fs::create_dir_all(&kept)?;
    let mut run = cargo(
        "mutants",
        &["mutants", "--workspace", "--shard", &mutants.shard, "--output"],
    );
    run.arg(&kept).env_remove("CARGO_TARGET_DIR");
    if let Some(file) = &mutants.file {
        // `--file` would add to the files that the configuration names; a mutant's name begins with its file's
        run.args(["--re", &format!("^{}:", file.replace('.', r"\."))]);
    }
    run.status().context("run cargo-mutants")?;
    let outcomes = std::fs::read(kept.join("mutants.out/outcomes.json"));
    let outcomes: Value = serde_json::from_slice(&outcomes.context("cargo-mutants left nothing")?)?;
    let all = outcomes["outcomes"].as_array().context("no outcomes")?;
    let mut survivors = Vec::new();
    for outcome in all {
        let Some(name) = outcome["scenario"]["Mutant"]["name"].as_str() else {
            if outcome["summary"] != "Success" {
                bail!("the tests fail without a mutant: see {}", kept.display());
            }
            continue;
        };
        let summary = outcome["summary"].as_str().unwrap_or("unknown");
        tally.tried_many(summary, 1);
        if summary == "MissedMutant" {
            survivors.push(name.to_owned());
        }
    }
    for survivor in survivors {
        let rerun = format!(
            "cargo run --release -p torture -- mutants --shard {}",
            mutants.shard
        );
        let what = format!("no test notices: {survivor}");
        tally.failed(&[Violation::new("tests", what)], &survivor, &kept, &rerun);
    }
    Ok(tally)
}
