//! A year of real flights through durable aggregates, with the process killed in the middle and nothing lost.
//!
//! This process supervises: it starts a worker, which replays the year against the store, kills it half-way, starts
//! another, and at the end compares what the store holds with the table. `README.md` tells the rest.

mod aircraft;
mod arguments;
mod check;
mod client;
mod console;
mod data;
mod disk;
mod flight;
mod history;
mod progress;
mod report;
mod steps;
mod supervise;
mod truth;
mod wire;
mod worker;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use dormouse::Store;

use crate::arguments::Arguments;
use crate::report::count;

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.is_worker() {
        worker::run(&arguments)?;
        return Ok(ExitCode::SUCCESS);
    }
    demonstrate(&arguments)
}

fn demonstrate(arguments: &Arguments) -> Result<ExitCode> {
    let path = arguments.prepare_store()?;
    let sync_time = disk::sync_time(&path)?;
    let commands = steps::steps(&data::read(&arguments.months())?).len() as u64;
    println!(
        "{} commands from {} clients, {} in flight each; store in {}",
        count(commands),
        arguments.clients(),
        arguments.in_flight_max(),
        path.display()
    );
    let replay = supervise::replay(arguments, commands)?;
    println!("reading everything back, and counting the table by other code …\n");
    let store_bytes = disk::size(&path)?;
    let truth = truth::count(&data::table()?, &arguments.months())?;
    let store = Store::open(&path)?;
    let finished = match arguments.stays() {
        true => console::Finished::open(&store, replay.console_port)?,
        false => None,
    };
    let mut comparison = check::compare(&store, &truth)?;
    comparison.refusals(&replay.outcomes, &truth.refused);
    println!(
        "{}",
        report::speed(
            &replay,
            comparison.events,
            sync_time,
            store_bytes,
            arguments.memory_budget_bytes() as u64
        )
    );
    println!("{}", report::kill(&replay));
    println!("{}", report::refusals(&replay, &truth.refused));
    println!("{}", history::two_histories(&store, &truth)?);
    println!("{}", report::comparison(&comparison));
    if finished.is_none() {
        store.close()?;
    }
    if !comparison.equal() {
        println!("The store DIFFERS from the table.");
        return Ok(ExitCode::FAILURE);
    }
    println!(
        "Every total is equal{}.",
        if arguments.kills() {
            ", after a SIGKILL"
        } else {
            ""
        }
    );
    if let Some(finished) = finished {
        finished.stay()?;
    }
    Ok(ExitCode::SUCCESS)
}
