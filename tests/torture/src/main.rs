//! Harnesses that attack what Dormouse promises: `docs/guarantees.md`.
//!
//! Each is one command that prints what it tried and found, and ends with a failure if a promise was broken.

mod child;
mod counter;
mod kill;
mod model;
mod random;
mod tally;
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
    /// Kills a process under load at random instants and at exact system calls
    Kill(kill::Kill),
    /// What is killed
    #[command(hide = true)]
    Child(child::Load),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let tally = match Arguments::parse().harness {
        Harness::Child(load) => {
            child::run(&load).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Harness::Kill(kill) => kill::run(&kill).await?,
    };
    tally.print();
    Ok(if tally.violations.is_empty() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
