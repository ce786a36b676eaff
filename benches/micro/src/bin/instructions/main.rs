//! How many instructions a command takes, by callgrind: `make instructions`, with `ARGS='PATH…'` for some of the paths and
//! `ARGS=--update` to take the counts over into `benches/micro/instructions.txt`.
//!
//! Each path is gone N times and 2N times; the difference is what N of them take, without start-up. What the journal's
//! thread spends waiting for work is left out: it spins by the clock.

mod callgrind;
mod table;

use std::collections::BTreeMap;
use std::path::{Path as FilePath, PathBuf};
use std::process::{Command, ExitCode};

use anyhow::{Context, Result, ensure};
use micro::Path;
use serde_json::json;

use self::table::{Table, Verdict};

const REPORT: &str = "target/bench/instructions.json";

fn main() -> Result<ExitCode> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let update = arguments.iter().any(|argument| argument == "--update");
    let paths = chosen(arguments.iter().filter(|argument| *argument != "--update"))?;
    let Some(valgrind) = version("valgrind") else {
        println!("instructions: skipped, valgrind is not installed");
        return Ok(ExitCode::SUCCESS);
    };
    let rustc = version("rustc").context("no rustc in PATH")?;
    let root = FilePath::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let file = root.join("benches/micro/instructions.txt");
    let mut table = Table::read(&file)?;
    let comparable = table.rustc == rustc;
    if !comparable {
        println!(
            "The table is of {}, this is {rustc}: the counts are shown and not judged.",
            table.rustc
        );
    }
    println!(
        "{:<14} {:>12} {:>12} {:>9}",
        "", "instructions", "table", "change"
    );
    let (mut report, mut over) = (BTreeMap::new(), false);
    for path in paths {
        let counted = count(path)?;
        let compared = table.compare(path.name(), counted);
        over |= comparable && compared.verdict == Verdict::Over;
        println!("{:<14} {counted:>12} {compared}", path.name());
        report.insert(path.name(), counted);
        table.put(path.name(), counted);
    }
    let report = json!({ "rustc": rustc, "valgrind": valgrind, "instructions": report });
    write(&root.join(REPORT), &serde_json::to_string_pretty(&report)?)?;
    if update {
        table.rustc = rustc;
        write(&file, &table.to_string())?;
        println!("written to {}", file.display());
    } else if over {
        println!("over the table: find out why, or take the counts over with ARGS=--update");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}

fn chosen<'a>(names: impl Iterator<Item = &'a String>) -> Result<Vec<Path>> {
    let named = |name: &String| Path::named(name).with_context(|| format!("no path is called {name}"));
    let paths: Vec<_> = names.map(named).collect::<Result<_>>()?;
    Ok(if paths.is_empty() {
        Path::ALL.to_vec()
    } else {
        paths
    })
}

/// How often each path is gone in the shorter run: enough that what differs between two runs is about a hundredth, and a
/// multiple of every batch.
fn times(path: Path) -> u64 {
    match path {
        Path::Replay100 => 192,
        _ => 6_400,
    }
}

/// The least of so many runs counts: what threads do by chance, wake each other once more, only adds.
fn runs(path: Path) -> usize {
    match path {
        Path::Decide | Path::Entity | Path::Replay100 => 1,
        _ => 3,
    }
}

fn count(path: Path) -> Result<u64> {
    let times = times(path);
    let least = |times| -> Result<u64> {
        let counts: Vec<_> = (0..runs(path)).map(|_| run(path, times)).collect::<Result<_>>()?;
        counts.into_iter().min().context("a path is gone at least once")
    };
    let (once, twice) = (least(times)?, least(2 * times)?);
    Ok(twice.saturating_sub(once) / times)
}

/// The program `count` beside this one, under callgrind.
fn run(path: Path, times: u64) -> Result<u64> {
    let program = std::env::current_exe()?.with_file_name("count");
    let profile = scratch();
    // valgrind runs one thread at a time anyway; on one core their turns come more evenly
    let output = Command::new("taskset")
        .args(["--cpu-list", "0", "valgrind", "--tool=callgrind"])
        .arg(format!("--callgrind-out-file={}", profile.display()))
        .arg(&program)
        .args([path.name(), &times.to_string()])
        .output()
        .context("taskset, or valgrind under it, does not start")?;
    ensure!(
        output.status.success(),
        "{} under valgrind: {}",
        program.display(),
        String::from_utf8_lossy(&output.stderr)
    );
    let text = std::fs::read_to_string(&profile).context("callgrind wrote no profile")?;
    std::fs::remove_file(&profile)?;
    callgrind::working(&text).context("callgrind's profile is not as expected")
}

fn scratch() -> PathBuf {
    std::env::temp_dir().join(format!("dormouse-callgrind-{}", std::process::id()))
}

/// What a program says of itself, in one line; none if it is not there.
fn version(program: &str) -> Option<String> {
    let said = Command::new(program).arg("--version").output().ok()?;
    let said = String::from_utf8(said.stdout).ok()?;
    // without the commit and its date
    let words: Vec<_> = said.split_whitespace().take(2).collect();
    Some(words.join(" "))
}

fn write(file: &FilePath, text: &str) -> Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text).with_context(|| format!("{} can't be written", file.display()))
}
