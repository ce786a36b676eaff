//! Harnesses that attack what Dormouse promises: `docs/guarantees.md`.
//!
//! Each is one command that prints what it tried and found, and ends with a failure if a promise was broken.

mod all;
mod cargo;
mod child;
mod counter;
mod fuzz;
mod judge;
mod kill;
mod life;
mod miri;
mod model;
mod mutants;
mod random;
mod schedules;
mod tally;
mod violation;
mod wire;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

#[derive(Debug, Parser)]
#[command(name = "torture", version, about)]
struct Arguments {
    #[command(subcommand)]
    harness: Harness,
}

#[derive(Debug, Subcommand)]
enum Harness {
    /// Runs all of the others and writes a summary
    All(all::All),
    /// Kills a process under load at random instants and at exact system calls
    Kill(kill::Kill),
    /// Explores schedules of the hand-overs between threads
    Schedules(schedules::Schedules),
    /// Throws hostile bytes at every decoder, each for some time
    Fuzz(fuzz::Fuzz),
    /// Runs the tests of what is pure under miri, if it is installed
    Miri,
    /// Breaks the code in small ways and runs the tests, where cargo-mutants is installed; takes hours
    Mutants(mutants::Mutants),
    /// What is killed
    #[command(hide = true)]
    Child(child::Load),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let tallies = match Arguments::parse().harness {
        Harness::Child(load) => {
            child::run(&load).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Harness::All(all) => all::run(&all).await?,
        Harness::Kill(kill) => vec![kill::run(&kill).await?],
        Harness::Schedules(schedules) => vec![schedules::run(&schedules)?],
        Harness::Fuzz(fuzz) => vec![fuzz::run(&fuzz)?],
        Harness::Mutants(mutants) => vec![mutants::run(&mutants)?],
        Harness::Miri => vec![miri::run()?],
    };
    for tally in &tallies {
        tally.print();
    }
    let sound = tallies.iter().all(|tally| tally.violations.is_empty());
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
