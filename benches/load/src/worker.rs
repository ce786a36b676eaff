//! The process that makes one measurement: its result is one line of JSON on standard output.

use std::io::{Write, stdin, stdout};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::limits::{actors, put, segments, sync};
use crate::outcome::Outcome;
use crate::process::{Usage, machine_cpu_seconds};
use crate::scenarios::{cold, embedded, flights, grow, resident, zipf};
use crate::step::{Step, Work};
use crate::traffic;

/// Measures and tells.
pub(crate) fn run(step: &Step) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let (started, own, all) = (Instant::now(), Usage::now().cpu_s, machine_cpu_seconds());
    let mut outcome = measure(step, &runtime)?;
    // The demonstration's processes would count as others.
    let is_alone = !matches!(step.work, Work::Flights { .. });
    if let (true, Some(before), Some(after)) = (is_alone, all, machine_cpu_seconds()) {
        let others = (after - before) - (Usage::now().cpu_s - own);
        outcome.set("others_cores", others.max(0.0) / started.elapsed().as_secs_f64());
    }
    let mut out = stdout().lock();
    serde_json::to_writer(&mut out, &outcome)?;
    out.write_all(b"\n")?;
    out.flush()?;
    if matches!(step.work, Work::Grow { .. }) {
        // The parent kills this process: nothing is closed. Should the parent be gone, this ends.
        stdin().read_line(&mut String::new())?;
        std::process::abort();
    }
    Ok(())
}

fn measure(step: &Step, runtime: &tokio::runtime::Runtime) -> Result<Outcome> {
    let (directory, seed) = (&step.directory, step.seed);
    match &step.work {
        Work::Sync { seconds } => sync::run(directory, *seconds),
        Work::Put { seconds } => put::run(directory, *seconds, seed),
        Work::Segments { from } => segments::run_segments(directory, from),
        Work::Rows { from } => segments::run_rows(directory, from),
        Work::Actors { count } => actors::run(*count),
        Work::Traffic(traffic) => runtime.block_on(traffic::run(traffic, directory, seed)),
        Work::Cold { lengths, wakes } => runtime.block_on(cold::run(directory, seed, lengths, *wakes)),
        Work::Resident { count } => runtime.block_on(resident::run(directory, *count, seed)),
        Work::Zipf {
            ids,
            events_each,
            memory_share,
            traffic,
        } => runtime.block_on(zipf::run(
            directory,
            seed,
            (*ids, *events_each, *memory_share),
            traffic,
        )),
        Work::Grow { events, clients } => {
            let outcome = runtime.block_on(grow::run(directory, seed, *events, *clients))?;
            Ok(outcome)
        }
        Work::Reopen { from } => runtime.block_on(grow::reopen(from)),
        Work::Flights { fast } => flights::run(directory, *fast),
        Work::Peer(_) => bail!("this is for the program peers"),
        Work::Embedded { clients, seconds } => embedded::run(directory, *clients, *seconds, seed),
    }
}
