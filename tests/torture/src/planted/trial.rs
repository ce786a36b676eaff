//! One harness, run once as a process of its own.

use std::fs::{self, File};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use serde_json::Value;

/// Chooses the bug (`persistence/src/planted.rs`).
const VARIABLE: &str = "DORMOUSE_PLANTED";
/// A harness that runs longer is ended: a bug may make it hang.
const TIME_MAX: Duration = Duration::from_secs(300);

/// What a harness made of it.
#[derive(Debug)]
pub(crate) enum Outcome {
    Red {
        promise: String,
        /// Of the first violation.
        what: String,
        tried: u64,
        seconds: f64,
    },
    Green {
        tried: u64,
        seconds: f64,
    },
    /// It came to no judgement.
    Failed(String),
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
    Ok(outcome(&serde_json::from_slice(&tally)?))
}

/// Of the one tally that a harness writes.
fn outcome(tallies: &Value) -> Outcome {
    let tally = &tallies[0];
    let tried = tally["tried"].as_u64().unwrap_or_default();
    let seconds = tally["seconds"].as_f64().unwrap_or_default();
    let violation = &tally["violations"][0];
    match violation["promise"].as_str() {
        Some(promise) => Outcome::Red {
            promise: promise.to_owned(),
            what: violation["what"].as_str().unwrap_or_default().to_owned(),
            tried,
            seconds,
        },
        None => Outcome::Green { tried, seconds },
    }
}
