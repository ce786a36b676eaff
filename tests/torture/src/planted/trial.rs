//! One harness, run once as a process of its own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde::Deserialize;

/// Chooses the bug (`persistence/src/planted.rs`).
const VARIABLE: &str = "DORMOUSE_PLANTED";
/// A harness that runs longer is ended: a bug may make it hang.
const TIME_MAX: Duration = Duration::from_secs(300);

/// What a harness made of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Red {
        /// One at least, in the order in which they were found.
        broken: Vec<Broken>,
        tried: u64,
        seconds: f64,
    },
    Green {
        tried: u64,
        seconds: f64,
        /// What can't be tried on this machine, and why.
        skipped: Vec<String>,
    },
    /// It can't run on this machine, for this reason: that it found nothing says nothing.
    NotTried(String),
    /// It came to no judgement.
    Failed(String),
}

/// A violation, as its process wrote it down.
#[derive(Debug, Deserialize)]
pub(crate) struct Broken {
    pub(crate) promise: String,
    pub(crate) what: String,
}

pub(crate) fn try_harness(
    binary: &Path,
    harness: &str,
    bug: Option<&str>,
    seed: u64,
    place: &Path,
) -> Result<Outcome> {
    let (store, told, said) = (place.join("kept"), place.join("tally.json"), place.join("said"));
    let _ = fs::remove_dir_all(&store);
    let _ = fs::remove_file(&told);
    let mut command = Command::new(binary);
    command
        .args(harness.split_whitespace())
        .args(["--seed", &seed.to_string()]);
    command.arg("--directory").arg(&store).arg("--tally").arg(&told);
    match bug {
        Some(bug) => command.env(VARIABLE, bug),
        None => command.env_remove(VARIABLE),
    };
    let said_to = File::create(&said)?;
    command.stdin(Stdio::null()).stdout(said_to.try_clone()?);
    command.stderr(said_to).process_group(0);
    let mut child = command.spawn().context("start a harness")?;
    let started = Instant::now();
    while child.try_wait()?.is_none() {
        if started.elapsed() > TIME_MAX {
            let group = format!("-{}", child.id());
            Command::new("kill").args(["-KILL", "--", &group]).status()?;
            child.wait()?;
            return Ok(Outcome::Failed(format!("nothing within {TIME_MAX:?}")));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    let Ok(tally) = fs::read(&told) else {
        let said = fs::read_to_string(&said).unwrap_or_default();
        return Ok(Outcome::Failed(said.trim().to_owned()));
    };
    outcome(&tally)
}

/// What is of interest of a tally.
#[derive(Debug, Deserialize)]
struct Told {
    tried: u64,
    seconds: f64,
    violations: Vec<Broken>,
    skipped: Vec<String>,
}

/// Of the one tally that a harness writes.
fn outcome(tally: &[u8]) -> Result<Outcome> {
    let [told]: [Told; 1] = serde_json::from_slice(tally).context("read a harness's tally")?;
    let (broken, tried, seconds) = (told.violations, told.tried, told.seconds);
    Ok(if !broken.is_empty() {
        Outcome::Red {
            broken,
            tried,
            seconds,
        }
    } else if tried == 0 {
        Outcome::NotTried(told.skipped.join("; "))
    } else {
        let skipped = told.skipped;
        Outcome::Green {
            tried,
            seconds,
            skipped,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(tried: u64, violations: &str, skipped: &str) -> Outcome {
        let tally = format!(
            r#"[{{"tried":{tried},"seconds":1.0,"violations":[{violations}],"skipped":[{skipped}]}}]"#
        );
        outcome(tally.as_bytes()).unwrap()
    }

    #[test]
    fn a_harness_that_tried_nothing_is_not_green() {
        assert!(matches!(of(0, "", r#""no root""#), Outcome::NotTried(why) if why == "no root"));
        assert!(matches!(
            of(7, "", r#""no strace""#),
            Outcome::Green { tried: 7, .. }
        ));
        let broken = of(0, r#"{"promise":"P1","what":"lost"}"#, "");
        assert!(matches!(broken, Outcome::Red { .. }));
    }
}
