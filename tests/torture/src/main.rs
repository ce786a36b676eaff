//! Harnesses that attack what Dormouse promises: `docs/guarantees.md`.
//!
//! Each is one command that prints what it tried and found, and ends with a failure if a promise was broken.

mod all;
mod child;
mod counter;
mod judge;
mod kill;
mod life;
mod model;
mod random;
mod rot;
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
    /// Damages the files of stores of known content
    Rot(rot::Rot),
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
        Harness::Rot(rot) => vec![rot::run(&rot).await?],
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
