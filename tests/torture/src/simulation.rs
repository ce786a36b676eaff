//! The simulation (P1 to P4, P6 to P8, P10, P13, P14): the runtime and the store without their threads, run a step at a time
//! in an order that a seed decides, and held to a reference after each step.

pub(crate) mod account;
mod client;
mod judge;
mod plan;
mod shrink;
mod truth;
mod world;

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{Sender, channel};

use anyhow::{Context, Result};

use self::plan::Plan;
use self::world::Done;
use crate::tally::Tally;
use crate::violation::Violation;

/// The simulation's settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Simulate {
    /// How many seeds, one world each.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) seeds: u32,
    /// The first of them.
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Operations in each world.
    #[arg(long, default_value_t = 200)]
    pub(crate) operations: u32,
    /// Where a failure's trace goes. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// What came of one seed.
type Told = (u64, Result<Done, Violation>);

pub(crate) fn run(simulate: &Simulate) -> Result<Tally> {
    let mut tally = Tally::new("simulate", simulate.seeds);
    silence_planned_panics();
    let (next, failed) = (AtomicU64::new(0), AtomicBool::new(false));
    let (tell, told) = channel::<Told>();
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            let (tell, next, failed) = (tell.clone(), &next, &failed);
            scope.spawn(move || run_seeds(simulate, next, failed, &tell));
        }
        drop(tell);
        for (seed, outcome) in told {
            tally.tried("seeds", "");
            match outcome {
                Ok(done) => count(&mut tally, &done),
                Err(violation) => {
                    failed.store(true, Ordering::Relaxed);
                    tell_of(simulate, seed, &violation, &mut tally)?;
                }
            }
        }
        Ok(tally)
    })
}

fn run_seeds(simulate: &Simulate, next: &AtomicU64, failed: &AtomicBool, tell: &Sender<Told>) {
    loop {
        let number = next.fetch_add(1, Ordering::Relaxed);
        if number >= u64::from(simulate.seeds) || failed.load(Ordering::Relaxed) {
            return;
        }
        let seed = simulate.seed + number;
        let _ = tell.send((seed, world::run(&Plan::of(seed, simulate.operations), None)));
    }
}

fn count(tally: &mut Tally, done: &Done) {
    for (what, many) in [
        ("commands and queries", done.sent),
        ("commits", done.commits),
        ("steps", done.steps),
        ("crashes and restarts", done.lives - 1),
        ("runs indexed", done.runs),
        ("snapshots written", done.snapshots),
        ("evictions", done.evicted),
        ("look-ups of command ids", done.looked_up),
        ("replays", done.replayed),
    ] {
        tally.count(what, many);
    }
}

/// Runs the seed again, with as few operations as still fail, and writes down what happened.
fn tell_of(simulate: &Simulate, seed: u64, violation: &Violation, tally: &mut Tally) -> Result<()> {
    let place = match &simulate.directory {
        Some(directory) => directory.clone(),
        None => tempfile::Builder::new()
            .prefix("torture-simulate")
            .tempdir()?
            .keep(),
    };
    std::fs::create_dir_all(&place)?;
    let plan = Plan::of(seed, simulate.operations);
    // on a thread of its own: this one is an executor's, whose tasks have to pause after so many polls
    let traced = std::thread::scope(|scope| scope.spawn(|| shrink::traced(plan, violation)).join());
    let (plan, trace) = traced.expect("it ran before");
    let file = place.join(format!("seed-{seed}.txt"));
    std::fs::write(&file, trace.join("\n")).context("write the trace")?;
    let rerun = format!(
        "cargo run --release -p torture -- simulate --seed {seed} --seeds 1 --operations {}",
        simulate.operations
    );
    let kinds = format!(
        "seed {seed}; {} of its {} operations are enough",
        plan.operations.len(),
        simulate.operations
    );
    tally.failed(std::slice::from_ref(violation), &kinds, &file, &rerun);
    Ok(())
}

/// The hook prints every other panic as before.
fn silence_planned_panics() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let said = panic.payload();
        let text = said.downcast_ref::<&str>().copied();
        let text = text.or_else(|| said.downcast_ref::<String>().map(String::as_str));
        if text != Some(account::PLANNED) {
            before(panic);
        }
    }));
}
