//! `flights`: the demonstration's year, as its own program replays it.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::latency::Latencies;
use crate::outcome::Outcome;

/// Where the demonstration would be if it was built: beside this program.
pub(crate) fn program() -> Option<std::path::PathBuf> {
    let path = std::env::current_exe().ok()?.with_file_name("flights");
    path.is_file().then_some(path)
}

/// Runs it, and reads its report: a program of its own, with its own clients.
pub(crate) fn run(directory: &Path, fast: bool) -> Result<Outcome> {
    let program = program().context("build it first: cargo build --release --package flights")?;
    std::fs::create_dir_all(directory)?;
    let mut command = Command::new(program);
    command.arg("--store").arg(directory.join("store"));
    if fast {
        command.arg("--fast");
    }
    let output = command.stdin(Stdio::null()).stderr(Stdio::null()).output()?;
    ensure!(output.status.success(), "it ended with {}", output.status);
    let report = String::from_utf8_lossy(&output.stdout);
    let rate = number_after(&report, "commands a second").context("its report names no rate")?;
    let commands = number_after(&report, "commands ").unwrap_or_default();
    let none = Latencies::new().merged();
    let mut outcome = Outcome::of(64, commands as u64, commands / rate, none);
    for (name, label) in [("p50_us", "p50 "), ("p99_us", "p99 "), ("max_us", "max ")] {
        if let Some(millis) = latency(&report, label) {
            outcome.set(name, millis * 1e3);
        }
    }
    Ok(outcome)
}

/// The first number after a label at the beginning of a line.
fn number_after(report: &str, label: &str) -> Option<f64> {
    let line = report
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(label)?.trim_start().into())?;
    let digits: String = line
        .chars()
        .take_while(|c| c.is_ascii_digit() || *c == ',')
        .filter(char::is_ascii_digit)
        .collect();
    digits.parse().ok()
}

/// Milliseconds after a label in the line on latency.
fn latency(report: &str, label: &str) -> Option<f64> {
    let line = report
        .lines()
        .find(|line| line.trim_start().starts_with("latency"))?;
    let after = line.split_once(label)?.1;
    after.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_report_is_read() {
        let report = "Speed\n  commands           1,658,199 in 50.1 s\n  commands a second  33,061, each answered\n  \
                      latency            p50 1.52 ms, p99 6.01 ms, max 40.00 ms\n";
        assert_eq!(number_after(report, "commands a second"), Some(33_061.0));
        assert_eq!(number_after(report, "commands "), Some(1_658_199.0));
        assert_eq!(latency(report, "p99 "), Some(6.01));
        assert_eq!(latency(report, "max "), Some(40.0));
        assert_eq!(number_after(report, "nothing"), None);
    }
}
