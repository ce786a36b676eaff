//! One harness as a process.

use std::fmt::{self, Display};
use std::fs::{self, File};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use serde_json::{Value, json};

/// A harness and its arguments.
#[derive(Debug)]
pub(super) struct Process {
    harness: &'static str,
    arguments: Vec<String>,
}

impl Process {
    pub(super) fn new(harness: &'static str) -> Self {
        Self {
            harness,
            arguments: Vec::new(),
        }
    }

    pub(super) fn with(mut self, option: &str, value: impl Display) -> Self {
        self.arguments.extend([option.to_owned(), value.to_string()]);
        self
    }

    /// Its tally, and prints what it said once it is over: two lanes would mix their lines. What it says meanwhile is
    /// found beside the summary. One that could not be run keeps no other from running, and is a violation.
    pub(super) fn run(&self, summary: &Path) -> Value {
        let said = summary.with_file_name(format!("{}.txt", self.harness));
        let tally = self.tally(summary, &said).unwrap_or_else(|error| {
            let what = format!("{self} could not be run: {error:#}");
            eprintln!("{what}");
            json!({
                "harness": self.harness,
                "tried": 0,
                "violations": [{ "promise": "none", "what": what }],
                "seconds": 0.0,
                "skipped": [],
            })
        });
        println!("{}", fs::read_to_string(&said).unwrap_or_default());
        tally
    }

    fn tally(&self, summary: &Path, said: &Path) -> Result<Value> {
        let told = summary.with_file_name(format!("{}.json.new", self.harness));
        let said = File::create(said).context("make a file for what it says")?;
        let status = Command::new(std::env::current_exe()?)
            .arg(self.harness)
            .args(&self.arguments)
            .arg("--tally")
            .arg(&told)
            .stdin(Stdio::null())
            .stdout(said.try_clone()?)
            .stderr(said)
            .status()
            .context("start it")?;
        let tally = fs::read(&told).with_context(|| format!("it left no tally: {status}"))?;
        fs::remove_file(&told)?;
        let tallies: Value = serde_json::from_slice(&tally)?;
        Ok(tallies[0].clone())
    }
}

impl Display for Process {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} {}", self.harness, self.arguments.join(" "))
    }
}
