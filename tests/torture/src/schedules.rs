//! Schedules (P1, P2, P3, P7, P13): the store and the runtime's hand-shakes under a scheduler that decides who runs.
//!
//! The tests are `schedules` in `persistence/src` and `runtime/src`, built with `--cfg shuttle`; here they are only run and
//! counted.

use std::path::PathBuf;

use anyhow::{Context, Result, bail, ensure};

use crate::cargo::cargo;
use crate::tally::Tally;
use crate::violation::Violation;

/// Where there are such tests.
const PACKAGES: [&str; 2] = ["dormouse-persistence", "dormouse-runtime"];
/// What all of their names contain.
const ALL: &str = "schedules";
/// From so many schedules a test on, an optimised build is worth its time.
const OPTIMISED_FROM: u32 = 1_000;

/// The exploration's settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Schedules {
    /// How many of each test.
    #[arg(long, default_value_t = 10_000)]
    pub(crate) schedules: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// One test alone, or those whose names contain this.
    #[arg(long, default_value = ALL)]
    pub(crate) test: String,
    /// Where the output of a test that fails is kept. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

pub(crate) fn run(schedules: &Schedules) -> Result<Tally> {
    let mut tally = Tally::new("schedules", 0);
    for package in PACKAGES {
        let out = explore(schedules, package)?;
        let (told, said) = (
            String::from_utf8_lossy(&out.stdout),
            String::from_utf8_lossy(&out.stderr),
        );
        let before = tally.tried;
        for line in told.lines() {
            if let Some((many, test)) = explored(line) {
                tally.tried_many(test, many);
            }
        }
        if out.status.success() {
            // a name may be of the other package's tests
            ensure!(
                tally.tried > before || schedules.test != ALL,
                "no test of {package} tells of a schedule"
            );
            continue;
        }
        let failed: Vec<Violation> = told
            .lines()
            .filter(|line| line.starts_with("failed in schedule "))
            .map(|line| Violation::new(ALL, line))
            .collect();
        if failed.is_empty() {
            bail!("{package} can't be built or run with --cfg shuttle:\n{said}");
        }
        let place = match &schedules.directory {
            Some(directory) => directory.clone(),
            None => tempfile::Builder::new()
                .prefix("torture-schedules")
                .tempdir()?
                .keep(),
        };
        std::fs::create_dir_all(&place)?;
        let kept = place.join(format!("{package}.txt"));
        std::fs::write(&kept, format!("{told}\n{said}")).context("keep the output")?;
        let rerun = format!(
            "cargo run --release -p torture -- schedules --seed {} --schedules {} --test {}",
            schedules.seed, schedules.schedules, schedules.test
        );
        tally.failed(&failed, package, &kept, &rerun);
    }
    Ok(tally)
}

fn explore(schedules: &Schedules, package: &str) -> Result<std::process::Output> {
    let mut cargo = cargo(
        "shuttle",
        &[
            "test",
            "--package",
            package,
            "--no-default-features",
            "--lib",
            "--no-fail-fast",
        ],
    );
    if schedules.schedules >= OPTIMISED_FROM {
        cargo.arg("--release");
    }
    cargo
        .args(["--", "--nocapture", &schedules.test])
        .env("RUSTFLAGS", "--cfg shuttle")
        .env("RUST_BACKTRACE", "0")
        .env("SCHEDULES", schedules.schedules.to_string())
        .env("SCHEDULES_SEED", schedules.seed.to_string());
    cargo.output().context("run cargo")
}

/// What `explore` in `persistence/src/sync` tells of a test that holds.
fn explored(line: &str) -> Option<(u64, &str)> {
    // a line of the test runner may stand before it
    let (_, told) = line.split_once("explored ")?;
    let (many, test) = told.split_once(" schedules: ")?;
    Some((many.parse().ok()?, test))
}
