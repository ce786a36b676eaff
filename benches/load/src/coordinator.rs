//! The process that plans: has one measurement after another made, and puts their results together.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::arguments::Arguments;
use crate::machine::Machine;
use crate::noise;
use crate::outcome::{Outcome, Round};
use crate::plan::Plan;
use crate::progress::Progress;
use crate::quiet::Patience;
use crate::step::{Pace, Step, Work};
use crate::summary::{About, Summary};
use crate::{peers, ratios, report, table};

/// Draws the picture again from the figures that an earlier run left in `from`.
pub(crate) fn draw(from: &Path, plot: &Path) -> Result<()> {
    let json = fs::read_to_string(from).with_context(|| format!("can't read {}", from.display()))?;
    let summary = Summary::from_json(&json).with_context(|| from.display().to_string())?;
    let picture =
        report::picture(&summary).context("none of the scenarios that the picture shows was measured")?;
    write(plot, &picture)
}

/// Measures everything, prints the table, writes summary, report and picture.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let directory = Directory::make(&arguments.store)?;
    let about = About::new(arguments, Machine::look(&directory.0));
    let peers = peers::find(arguments);
    let plan = Plan::new(arguments, peers.is_some());
    if let Some(note) = plan.leaves_out() {
        eprintln!("{note}");
    }
    let rounds: Vec<Vec<Step>> = (0..plan.runs)
        .map(|round| plan.round(round, &directory.0))
        .collect();
    eprintln!("{}\n{}", about.machine.line(), about.settings);
    let mut progress = Progress::new(rounds.iter().map(Vec::len).sum());
    let mut patience = Patience::new(arguments.patience);
    let mut results = Vec::new();
    for (number, steps) in rounds.iter().enumerate() {
        let of = (number, plan.runs);
        results.push(round(of, steps, peers.as_deref(), &mut progress, &mut patience)?);
        // After each round: a run of an hour that is interrupted leaves those that it had.
        let summary = Summary::new(about.clone(), &results);
        write(&arguments.json, &summary.to_json()?)?;
        write(&arguments.report, &report::page(&summary, &results))?;
    }
    progress.finish();
    let summary = Summary::new(about, &results);
    print!("{}", table::render(&summary));
    println!("\n{}\n{}", arguments.json.display(), arguments.report.display());
    // Whoever measured other scenarios only has nothing to draw.
    if let (Some(plot), Some(picture)) = (&arguments.plot, report::picture(&summary)) {
        write(plot, &picture)?;
        println!("{}", plot.display());
    }
    // Last, where it is not overlooked.
    if let Some(warning) = noise::warning(&summary) {
        eprintln!("\n{warning}");
    }
    Ok(())
}

fn round(
    (number, runs): (usize, u32),
    steps: &[Step],
    peers: Option<&Path>,
    progress: &mut Progress,
    patience: &mut Patience,
) -> Result<Round> {
    let mut round = Round::new();
    for at in 0..steps.len() {
        let mut step = steps[at].clone();
        set_pace(&mut step, &round)?;
        progress.begins(&step.name, number + 1, runs);
        if let Some(stores) = step.directory.parent() {
            patience.wait_for_disk(stores)?;
        }
        patience.wait();
        match (measure(&step, peers), &step.work) {
            // What others can't do here must not cost the rest of the run.
            (Err(error), Work::Peer(_)) => progress.fails(&step.name, &error),
            (outcome, _) => {
                let outcome = outcome.with_context(|| format!("{} failed", step.name))?;
                progress.ends(&step.name, &outcome);
                round.insert(step.name.clone(), outcome);
            }
        }
        remove_unused(&steps[..=at], &steps[at + 1..]);
    }
    ratios::add(&mut round);
    Ok(round)
}

/// The open loop runs at half of what the closed one reached in the same round.
fn set_pace(step: &mut Step, round: &Round) -> Result<()> {
    const SHARE_OF_MAXIMUM: f64 = 0.5;
    if let Work::Traffic(traffic) = &mut step.work
        && let Pace::Open { per_second } = &mut traffic.pace
    {
        let most = round
            .get("spread-512")
            .and_then(|spread| spread.get("commands_per_s"));
        *per_second = most.context("the open loop needs spread with 512 clients")? * SHARE_OF_MAXIMUM;
    }
    Ok(())
}

/// In a process of its own, which is killed at the end: where it did not end by itself, that is part of the scenario.
fn measure(step: &Step, peers: Option<&Path>) -> Result<Outcome> {
    let program = match &step.work {
        Work::Peer(_) => peers.context("peers were not found")?.to_owned(),
        _ => std::env::current_exe().context("this program doesn't know where it is")?,
    };
    let mut worker = Command::new(program)
        .arg("--step")
        .arg(serde_json::to_string(step)?)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()?;
    let output = worker.stdout.take().context("standard output was asked for")?;
    let mut line = String::new();
    BufReader::new(output).read_line(&mut line)?;
    let outcome = serde_json::from_str(&line);
    let killed = matches!(step.work, Work::Grow { .. });
    if killed {
        worker.kill()?;
    }
    let status = worker.wait()?;
    ensure!(killed || status.success(), "its process ended with {status}");
    outcome.context("its process said nothing that can be read")
}

/// Stores are large: each goes as soon as no later step reads it.
fn remove_unused(done: &[Step], ahead: &[Step]) {
    for step in done {
        let is_needed = ahead.iter().any(|later| match &later.work {
            Work::Segments { from } | Work::Rows { from } | Work::Reopen { from } => *from == step.directory,
            _ => false,
        });
        if !is_needed {
            // What can't be removed now goes with the whole directory.
            let _ = fs::remove_dir_all(&step.directory);
        }
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    let written = path.parent().map_or(Ok(()), fs::create_dir_all);
    written
        .and_then(|()| fs::write(path, text))
        .with_context(|| format!("{} can't be written", path.display()))
}

/// A folder of this process alone, removed at the end.
struct Directory(PathBuf);

impl Directory {
    fn make(parent: &Path) -> Result<Self> {
        let path = parent.join(format!("stores-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("{} can't be made", path.display()))?;
        Ok(Self(path))
    }
}

impl Drop for Directory {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}
