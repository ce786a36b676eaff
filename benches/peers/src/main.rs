//! What one would take instead of Dormouse, under the same commands: cqrs-es with PostgreSQL. The load harness runs this
//! program for its scenarios `cqrs-*`, one process each; `docs/performance.md` says what the figures mean.

mod account;
mod bank;
mod cold;
mod installation;
mod outcome;
mod place;
mod random;
mod server;
mod step;
mod traffic;
mod usage;

use std::process::ExitCode;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::installation::Installation;
use crate::outcome::Outcome;
use crate::server::Server;
use crate::step::{Peer, Step, Work};

const HELP: &str = "usage: peers --check        says which PostgreSQL it would use, or what is missing\n       \
                    peers --step JSON   makes one measurement, as `load` says";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match answer(&arguments) {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("peers: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// One line for standard output.
fn answer(arguments: &[String]) -> Result<String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["--check"] => Installation::find()?.version(),
        ["--step", json] => {
            let step = serde_json::from_str(json).context("--step is no step")?;
            Ok(serde_json::to_string(&run(&step)?)?)
        }
        _ => bail!(HELP),
    }
}

fn run(step: &Step) -> Result<Outcome> {
    let Work::Peer(peer) = &step.work;
    // The server is started by this thread, which outlives it: the system stops it should this process be killed.
    let server = Server::start(&Installation::find()?, &step.directory)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (started, own, all) = (Instant::now(), server.cpu_seconds(), usage::machine_cpu_seconds());
    let mut outcome = runtime.block_on(async {
        match peer {
            Peer::Traffic(traffic) => traffic::run(&server, traffic, step.seed).await,
            Peer::Cold(cold) => cold::run(&server, cold, step.seed).await,
        }
    })?;
    if let (Some(before), Some(after)) = (all, usage::machine_cpu_seconds()) {
        let others = (after - before) - (server.cpu_seconds() - own);
        outcome.set("others_cores", others.max(0.0) / started.elapsed().as_secs_f64());
    }
    Ok(outcome)
}
