//! Planted bugs: the other harnesses, in a build of their own with one bug after another in it. Each must turn red, by the
//! promise that the bug breaks. And green without any: a harness that is red for another reason proves nothing.

mod bugs;
mod trial;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Serialize;

use self::bugs::{BUGS, Bug};
use self::trial::{Outcome, try_harness};
use crate::cargo::{cargo, root};
use crate::place;
use crate::tally::Tally;
use crate::violation::Violation;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Planted {
    /// This program, built with `--cfg planted_bugs`. Default: it is built, into `target/planted`.
    #[arg(long)]
    binary: Option<PathBuf>,
    /// Only this bug.
    #[arg(long)]
    bug: Option<String>,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the harnesses make their stores: new or empty; removed if nothing is found. Default: in memory, or else a temporary directory.
    #[arg(long)]
    directory: Option<PathBuf>,
}

/// What became of one bug, as it goes into `summary.json`.
#[derive(Debug, Serialize)]
pub(crate) struct Fate {
    bug: &'static str,
    /// Whether its harness can run on this machine; nothing is known of a bug that was not tried.
    was_tried: bool,
    /// The harness that turned red.
    caught_by: Option<&'static str>,
    /// The promise that it found broken, one of those that the bug breaks.
    promise: Option<String>,
    /// How much it tried until then, all seeds together.
    tries: u64,
    seconds: f64,
}

/// A bug that one seed's run does not meet gets so many.
const SEEDS: u64 = 3;

impl Planted {
    fn bugs(&self) -> Vec<Bug> {
        let named = |bug: &Bug| self.bug.as_ref().is_none_or(|name| bug.name == name);
        BUGS.into_iter().filter(named).collect()
    }
}

pub(crate) fn run(planted: &Planted) -> Result<Tally> {
    let bugs = planted.bugs();
    ensure!(!bugs.is_empty(), "no bug is called {:?}", planted.bug);
    let binary = match &planted.binary {
        Some(binary) => binary.clone(),
        None => build()?,
    };
    // kills and readers need no disk, and find as much without one
    let place = place::make_in_memory(planted.directory.as_deref(), "planted")?;
    std::fs::create_dir_all(&place)?;
    let mut tally = Tally::new("planted", bugs.len() as u32);
    let mut harnesses: Vec<&str> = bugs.iter().map(|bug| bug.harness).collect();
    harnesses.sort_unstable();
    harnesses.dedup();
    for harness in harnesses {
        let outcome = try_harness(&binary, harness, None, planted.seed, &place)?;
        let said = match outcome {
            Outcome::Green { .. } | Outcome::NotTried(_) => continue,
            Outcome::Red { broken, .. } => format!("{} broken: {}", broken[0].promise, broken[0].what),
            Outcome::Failed(why) => why,
        };
        let what = format!("without any bug, {harness}: {said}");
        give_up(&mut tally, planted, &place, "none", &what);
    }
    for bug in bugs {
        let fate = catch(&binary, bug, planted.seed, &place, &mut tally)?;
        if fate.caught_by.is_none() && fate.was_tried {
            let what = format!("{} is planted, and {} does not see it", bug.name, bug.harness);
            give_up(&mut tally, planted, &place, bug.name, &what);
        }
        tally.planted.push(fate);
    }
    if tally.violations.is_empty() {
        place::remove(&place)?;
    }
    Ok(tally)
}

/// Lets the harness look for the bug, with one seed after another.
fn catch(binary: &Path, bug: Bug, seed: u64, place: &Path, tally: &mut Tally) -> Result<Fate> {
    let mut fate = Fate {
        bug: bug.name,
        was_tried: true,
        caught_by: None,
        promise: None,
        tries: 0,
        seconds: 0.0,
    };
    let mut not_tried = Vec::new();
    for seed in seed..seed + SEEDS {
        match try_harness(binary, bug.harness, Some(bug.name), seed, place)? {
            Outcome::Red {
                broken,
                tried,
                seconds,
            } => {
                fate.tries += tried;
                fate.seconds += seconds;
                let Some(promise) = bug.broken_in(&broken) else {
                    // red, for another reason than this bug as far as anybody knows
                    tally.note(format!(
                        "{}: {} by {}, where {} was to be: {}",
                        bug.name,
                        broken[0].promise,
                        bug.harness,
                        bug.breaks.join(" or "),
                        broken[0].what
                    ));
                    continue;
                };
                let what = format!(
                    "{}: {promise} by {}, {} tries, {:.1} s",
                    bug.name, bug.harness, fate.tries, fate.seconds
                );
                tally.tried(&what, "");
                fate.caught_by = Some(bug.harness);
                fate.promise = Some(promise.to_owned());
                return Ok(fate);
            }
            Outcome::Green {
                tried,
                seconds,
                skipped,
            } => {
                fate.tries += tried;
                fate.seconds += seconds;
                not_tried = skipped;
            }
            Outcome::NotTried(why) => {
                not_tried = vec![why];
                break;
            }
            // something is wrong, but nobody knows what: that is not seeing
            Outcome::Failed(why) => tally.note(format!("{}: {} ended with {why}", bug.name, bug.harness)),
        }
    }
    if not_tried.is_empty() {
        tally.tried(bug.name, "not caught");
    } else {
        // what would see it may be among that
        tally.skip(format!(
            "{}, by {}: {}",
            bug.name,
            bug.harness,
            not_tried.join("; ")
        ));
        fate.was_tried = false;
    }
    Ok(fate)
}

fn give_up(tally: &mut Tally, planted: &Planted, place: &Path, bug: &str, what: &str) {
    let violation = Violation::new("harness", what);
    let mut rerun = format!(
        "cargo run --release -p torture -- planted --seed {}",
        planted.seed
    );
    if bug != "none" {
        rerun += &format!(" --bug {bug}");
    }
    tally.failed(&[violation], bug, place, &rerun);
}

/// Builds this program with bugs in it. It can't share a target directory with the one that runs: it has its name.
fn build() -> Result<PathBuf> {
    let target = root().join("target/planted");
    eprintln!(
        "building torture with bugs planted in it, into {}",
        target.display()
    );
    let mut cargo = cargo(
        "planted",
        &["build", "--quiet", "--release", "--package", "torture"],
    );
    cargo.env("RUSTFLAGS", "--cfg planted_bugs");
    ensure!(
        cargo.status().context("run cargo")?.success(),
        "the build with bugs fails"
    );
    Ok(target.join("release/torture"))
}
