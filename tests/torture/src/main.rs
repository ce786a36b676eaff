//! Harnesses that attack what Dormouse promises: `docs/guarantees.md`.
//!
//! Each is one command that prints what it tried and found, and ends with a failure if a promise was broken.

mod all;
mod cargo;
mod child;
mod copies;
mod copy;
mod counter;
mod derived;
mod findings;
mod fuse;
mod fuzz;
mod heard;
mod holes;
mod ioerr;
mod judge;
mod kill;
mod life;
mod linearizability;
mod miri;
mod model;
mod mutants;
mod overload;
mod panics;
mod place;
mod planted;
mod power;
mod random;
mod readers;
mod report;
mod rot;
mod schedules;
mod schemas;
mod simulation;
mod slow;
mod soak;
mod strace;
mod sum;
mod sweep;
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
    /// Writes what was tried and found there, too.
    #[arg(long, global = true, hide = true)]
    tally: Option<std::path::PathBuf>,
}

#[derive(Debug, Subcommand)]
enum Harness {
    /// Runs all of the others and writes a summary
    All(all::All),
    /// Copies running stores to places that fill up or fail; takes root
    Copies(copies::Copies),
    /// Deletes rows of a store beneath it
    Holes(holes::Holes),
    /// Kills a process under load at random instants and at exact system calls
    Kill(kill::Kill),
    /// Damages the files of stores of known content
    Rot(rot::Rot),
    /// Cuts the power of a disk under load; takes root
    Power(power::Power),
    /// Lets a process under load meet errors of its disk
    Ioerr(ioerr::IoErrors),
    /// Runs the runtime without its threads, in an order that a seed decides, against a reference
    Simulate(simulation::Simulate),
    /// Holds what several clients of one aggregate are told to what one alone could be told
    Linearize(linearizability::Linearize),
    /// Asks for more than can be done, and of more than there is memory for
    Overload(overload::Overload),
    /// Panics in domain code, in the midst of commands to thousands of aggregates
    Panics(panics::Panics),
    /// Shows that the others see: runs them in a build with known bugs
    Planted(planted::Planted),
    /// Reads what was answered in every way there is, while runs are published and aggregates evicted
    Readers(readers::Readers),
    /// Lets two programs of different state schemas take turns with one store
    Schemas(schemas::Schemas),
    /// Lets it work at seventy percent for a long time, and looks for what drifts
    Soak(soak::Soak),
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
    /// Whose disk fails
    #[command(hide = true)]
    IoerrChild(child::Load),
}

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    let mut tallies = match arguments.harness {
        Harness::Child(load) => {
            child::run(&load).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Harness::IoerrChild(load) => {
            ioerr::subject::run(&load).await?;
            return Ok(ExitCode::SUCCESS);
        }
        Harness::All(all) => return all::run(&all),
        Harness::Copies(copies) => vec![copies::run(&copies).await?],
        Harness::Holes(holes) => vec![holes::run(&holes).await?],
        Harness::Kill(kill) => vec![kill::run(&kill).await?],
        Harness::Rot(rot) => vec![rot::run(&rot).await?],
        Harness::Power(power) => vec![power::run(&power).await?],
        Harness::Ioerr(ioerr) => vec![ioerr::run(&ioerr).await?],
        Harness::Linearize(linearize) => vec![linearizability::run(&linearize).await?],
        Harness::Simulate(simulate) => vec![simulation::run(&simulate)?],
        Harness::Overload(overload) => vec![overload::run(&overload).await?],
        Harness::Panics(panics) => vec![panics::run(&panics).await?],
        Harness::Planted(planted) => vec![planted::run(&planted)?],
        Harness::Readers(readers) => vec![readers::run(&readers).await?],
        Harness::Schemas(schemas) => vec![schemas::run(&schemas).await?],
        Harness::Soak(soak) => vec![soak::run(&soak).await?],
        Harness::Schedules(schedules) => vec![schedules::run(&schedules)?],
        Harness::Fuzz(fuzz) => vec![fuzz::run(&fuzz)?],
        Harness::Mutants(mutants) => vec![mutants::run(&mutants)?],
        Harness::Miri => vec![miri::run()?],
    };
    for tally in &mut tallies {
        tally.require_tries();
        tally.print();
    }
    if let Some(path) = arguments.tally {
        std::fs::write(path, serde_json::to_vec(&tallies)?)?;
    }
    let sound = tallies.iter().all(|tally| tally.violations.is_empty());
    Ok(if sound {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
