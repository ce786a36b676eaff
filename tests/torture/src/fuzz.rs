//! Fuzzing (P12): hostile bytes for every decoder of what is stored, and for what comes from outside.
//!
//! The targets are those of `fuzz/`, for cargo-fuzz; here they are only run, each for some time, and counted.

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::cargo::{answers, cargo, root};
use crate::tally::Tally;
use crate::violation::Violation;

/// Of the whole process. The sanitizer keeps what was freed, 256 MB of it, and shadows all: a target that does nothing takes 800.
const MEMORY_MB: u32 = 2_048;
/// And most of it at once: a few hundred bytes may say that they unpack to a segment of the largest batch, no more.
const ALLOCATION_MB: u32 = 40;
/// Longest time for one input.
const INPUT_SECONDS: u32 = 5;
/// Longest input: four blocks of a write-ahead log.
const INPUT_BYTES: u32 = 128 * 1024;

/// The settings of fuzzing.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Fuzz {
    /// How long each target.
    #[arg(long, default_value_t = 60)]
    pub(crate) seconds: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// One target alone.
    #[arg(long)]
    pub(crate) target: Option<String>,
    /// Where new inputs go, and those that broke something. The next run
    /// begins with them. Default: `target/torture/fuzz`.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

pub(crate) fn run(fuzz: &Fuzz) -> Result<Tally> {
    let mut tally = Tally::new("fuzz", 0);
    if !answers(cargo("fuzz", &["+nightly", "fuzz", "--version"])) {
        tally.skip("cargo-fuzz or a nightly compiler is not installed: only the tests' corpus was tried");
        return Ok(tally);
    }
    let place = match &fuzz.directory {
        Some(directory) => directory.clone(),
        None => root().join("target/torture/fuzz"),
    };
    let built = cargo("fuzz", &["+nightly", "fuzz", "build"]).output()?;
    if !built.status.success() {
        bail!(
            "the targets can't be built:\n{}",
            String::from_utf8_lossy(&built.stderr)
        );
    }
    for target in targets()? {
        if fuzz.target.as_ref().is_some_and(|only| *only != target) {
            continue;
        }
        let found = place.join(&target);
        std::fs::create_dir_all(&found)?;
        let out = one(fuzz, &target, &found).output().context("run a fuzz target")?;
        let said = String::from_utf8_lossy(&out.stderr);
        tally.tried_many(&target, executions(&said));
        if let Some(violation) = violation(out.status.success(), &said) {
            let output = place.join(format!("{target}.txt"));
            std::fs::write(&output, said.as_bytes())?;
            let rerun = format!(
                "cargo run --release -p torture -- fuzz --target {target} --seconds {} --seed {}",
                fuzz.seconds, fuzz.seed
            );
            tally.failed(&[violation], &target, &output, &rerun);
        }
    }
    Ok(tally)
}

/// Of what a target said.
fn violation(ended_well: bool, said: &str) -> Option<Violation> {
    if !ended_well {
        let what = said
            .lines()
            .find(|line| line.contains("panicked at") || line.contains("ERROR: "));
        return Some(Violation::new("P12", what.unwrap_or("it ended early")));
    }
    (executions(said) == 0).then(|| Violation::new("none", "it tried nothing"))
}

/// Run directly: cargo-fuzz would look whether it must build again each time.
fn one(fuzz: &Fuzz, target: &str, found: &std::path::Path) -> Command {
    let binaries = root()
        .join("target/fuzz")
        .join(format!("{}-unknown-linux-gnu/release", std::env::consts::ARCH));
    let mut command = Command::new(binaries.join(target));
    command
        .arg(found)
        .arg(root().join("fuzz/corpus").join(target))
        .arg(format!("-artifact_prefix={}/", found.display()))
        .arg(format!("-max_total_time={}", fuzz.seconds))
        .arg(format!("-seed={}", fuzz.seed))
        .arg(format!("-rss_limit_mb={MEMORY_MB}"))
        .arg(format!("-malloc_limit_mb={ALLOCATION_MB}"))
        .arg(format!("-timeout={INPUT_SECONDS}"))
        .arg(format!("-max_len={INPUT_BYTES}"))
        .arg("-print_final_stats=1");
    command
}

/// As `fuzz/fuzz_targets` has them.
fn targets() -> Result<Vec<String>> {
    let mut targets = Vec::new();
    for file in std::fs::read_dir(root().join("fuzz/fuzz_targets"))? {
        let path = file?.path();
        let stem = path.file_stem().and_then(|stem| stem.to_str());
        targets.push(stem.context("a target's name")?.to_owned());
    }
    targets.sort();
    Ok(targets)
}

/// What libFuzzer says at its end.
fn executions(said: &str) -> u64 {
    let line = said
        .lines()
        .find_map(|line| line.strip_prefix("stat::number_of_executed_units:"));
    line.and_then(|many| many.trim().parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_target_that_tries_nothing_is_red() {
        assert!(violation(true, "stat::number_of_executed_units: 7\n").is_none());
        assert_eq!(violation(true, "").unwrap().promise, "none");
        let none = violation(true, "stat::number_of_executed_units: 0\n").unwrap();
        assert_eq!(none.what, "it tried nothing");
        let broken = violation(false, "x\nthread panicked at y\n").unwrap();
        assert_eq!(
            (broken.promise, broken.what.as_str()),
            ("P12", "thread panicked at y")
        );
    }
}
