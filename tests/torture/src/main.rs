//! Harnesses that attack what Dormouse promises: `docs/guarantees.md`.
//!
//! Each is one command that prints what it tried and found, and ends with a failure if a promise was broken.

mod all;
mod child;
mod counter;
mod derived;
mod ioerr;
mod judge;
mod kill;
mod life;
mod linearizability;
mod model;
mod power;
mod random;
mod simulation;
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
    /// Cuts the power of a disk under load; takes root
    Power(power::Power),
    /// Lets a process under load meet errors of its disk
    Ioerr(ioerr::IoErrors),
    /// Runs the runtime without its threads, in an order that a seed decides, against a reference
    Simulate(simulation::Simulate),
    /// Holds what several clients of one aggregate are told to what one alone could be told
    Linearize(linearizability::Linearize),
    /// What is killed
    #[command(hide = true)]
    Child(child::Load),
    /// Whose disk fails
    #[command(hide = true)]
    IoerrChild(child::Load),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let tallies = match Arguments::parse().harness {
        Harness::Child(load) => {
            child::run(&load).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Harness::IoerrChild(load) => {
            ioerr::subject::run(&load).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Harness::All(all) => all::run(&all).await?,
        Harness::Kill(kill) => vec![kill::run(&kill).await?],
        Harness::Power(power) => vec![power::run(&power).await?],
        Harness::Ioerr(ioerr) => vec![ioerr::run(&ioerr).await?],
        Harness::Linearize(linearize) => vec![linearizability::run(&linearize).await?],
        Harness::Simulate(simulate) => vec![simulation::run(&simulate)?],
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
