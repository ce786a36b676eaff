//! What a failure says: to people, and in `summary.json`.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::model::Compared;
use crate::strace::Struck;
use crate::violation::Violation;

/// A report names so many promises; what breaks one mostly breaks others.
const VIOLATIONS_MAX: usize = 10;

/// What is known of a failure. A harness leaves out what it can't have.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The promises broken, and how it shows.
    pub(crate) violations: Vec<Violation>,
    /// As the rerun has it.
    seed: Option<u64>,
    /// The point, cut or case.
    place: String,
    /// The system call at which the child was killed, and its thread.
    #[serde(skip_serializing_if = "Option::is_none")]
    struck: Option<Struck>,
    /// What was acknowledged, and what the log has of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    log: Option<Compared>,
    /// Where the store is.
    kept: PathBuf,
    /// The command line that runs it again.
    rerun: String,
}

impl Report {
    pub(crate) fn new(violations: &[Violation], place: &str, kept: &Path, rerun: &str) -> Self {
        Self {
            violations: violations.iter().take(VIOLATIONS_MAX).cloned().collect(),
            seed: seed_of(rerun),
            place: place.to_owned(),
            struck: None,
            log: None,
            kept: kept.to_path_buf(),
            rerun: rerun.to_owned(),
        }
    }

    pub(crate) fn struck(mut self, struck: Option<Struck>) -> Self {
        self.struck = struck;
        self
    }

    pub(crate) fn log(mut self, log: Compared) -> Self {
        self.log = Some(log);
        self
    }
}

/// The line that runs it again names its seed, if it has one.
fn seed_of(rerun: &str) -> Option<u64> {
    let mut words = rerun.split_whitespace();
    words.find(|word| *word == "--seed")?;
    words.next()?.parse().ok()
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for violation in &self.violations {
            writeln!(f, "{} broken: {}", violation.promise, violation.what)?;
        }
        if let Some(seed) = self.seed {
            writeln!(f, "seed {seed}")?;
        }
        writeln!(f, "at {}", self.place)?;
        if let Some(struck) = &self.struck {
            writeln!(f, "{struck}")?;
        }
        if let Some(log) = &self.log {
            write!(f, "{log}")?;
        }
        write!(f, "store kept in {}\nagain: {}", self.kept.display(), self.rerun)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_seed_place_store_and_rerun() {
        let rerun = "cargo run --release -p torture -- kill --seed 7 --first 100 --points 3";
        let broken = [Violation::new("P1", "gone")];
        let report = Report::new(&broken, "point 102", Path::new("kept/as-left"), rerun);
        let report = report.log(Compared::default());
        let said = report.to_string();
        for part in [
            "P1 broken: gone",
            "seed 7",
            "point 102",
            "recovered",
            "kept/as-left",
            rerun,
        ] {
            assert!(said.contains(part), "{part} in {said}");
        }
        let json = serde_json::to_value(&report).expect("it is plain data");
        assert_eq!(json["seed"], 7);
        assert_eq!(json["kept"], "kept/as-left");
        assert_eq!(json["rerun"], rerun);
        assert_eq!(seed_of("cargo nextest run"), None);
    }
}
