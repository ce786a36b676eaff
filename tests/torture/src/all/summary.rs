//! What all of them found, in one file.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context, Result};
use serde_json::{Map, Value, json};

/// What has run so far.
#[derive(Debug)]
pub(super) struct Summary {
    path: PathBuf,
    scale: f64,
    /// Tallies, by harness.
    harnesses: Map<String, Value>,
    /// What became of each planted bug.
    planted: Value,
}

impl Summary {
    pub(super) fn new(path: &Path, scale: f64) -> Result<Self> {
        let directory = path.parent().context("the summary's path names a file")?;
        fs::create_dir_all(directory)?;
        Ok(Self {
            path: path.to_path_buf(),
            scale,
            harnesses: Map::new(),
            planted: json!([]),
        })
    }

    /// Takes over a harness's tally, and is written anew.
    pub(super) fn add(&mut self, mut tally: Value) -> Result<()> {
        if let Some(planted) = tally.as_object_mut().and_then(|tally| tally.remove("planted")) {
            self.planted = planted;
        }
        let harness = tally["harness"].as_str().context("a tally names its harness")?;
        self.harnesses.insert(harness.to_owned(), tally);
        let summary = json!({
            "scale": self.scale,
            "harnesses": self.harnesses,
            "planted": self.planted,
        });
        fs::write(&self.path, serde_json::to_vec_pretty(&summary)?).context("write the summary")
    }

    /// Prints what was broken and what was not tried, of all of them. Whether nothing was broken.
    pub(super) fn end(&self) -> ExitCode {
        let mut broken = 0;
        for (harness, tally) in &self.harnesses {
            for violation in tally["violations"].as_array().into_iter().flatten() {
                broken += 1;
                println!(
                    "BROKEN: {harness}: {} {}",
                    violation["promise"], violation["what"]
                );
            }
            for why in tally["skipped"].as_array().into_iter().flatten() {
                println!("NOT TRIED: {harness}: {}", why.as_str().unwrap_or_default());
            }
        }
        println!(
            "{} harnesses, {broken} violations; {}",
            self.harnesses.len(),
            self.path.display()
        );
        ExitCode::from(u8::from(broken > 0))
    }
}
