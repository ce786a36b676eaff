//! Commands through the runtime: who sends what, when, and what came of it.

mod client;
mod closed;
mod copies;
mod fill;
mod open;
mod tails;

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use dormouse::{Dormouse, Statistics};

pub(crate) use self::client::{Fleet, Keys};
use self::copies::Copies;
use crate::bank::{self, Settings};
use crate::latency::Percentiles;
use crate::outcome::{Outcome, Sample};
use crate::process::Usage;
use crate::sampler::Sampler;
use crate::step::{Pace, Traffic};
use crate::watch::Watch;

/// Measured by nobody: caches, allocator and the runtime's queues find their size.
const WARM_UP_SHARE: f64 = 0.25;
const WARM_UP_MAX_S: f64 = 3.0;

/// A run on a new store, which is left behind closed.
pub(crate) async fn run(traffic: &Traffic, directory: &Path, seed: u64) -> Result<Outcome> {
    let watch = Watch::start(traffic.watched)?;
    let bank = bank::open(directory, &Settings::default()).await?;
    watch.attach(&bank);
    let fleet = Arc::new(Fleet::new(&bank, traffic, Keys::even(traffic.ids), seed));
    fleet.wake_all().await?;
    let outcome = measure(&fleet, traffic).await?;
    watch.stop().await?;
    bank.shutdown().await?;
    Ok(outcome)
}

/// Warms up, measures, and waits for the debt.
pub(crate) async fn measure(fleet: &Arc<Fleet>, traffic: &Traffic) -> Result<Outcome> {
    let warm_up = (traffic.seconds * WARM_UP_SHARE).min(WARM_UP_MAX_S);
    let warm_commands = (traffic.commands as f64 * WARM_UP_SHARE) as u64;
    paced(fleet, traffic, warm_up, warm_commands).await?;
    let bank = &fleet.bank;
    let tails = tails::Tails::start(bank.store(), traffic.tails);
    let copies = traffic.copies.as_deref();
    let copies = copies.map(|to| Copies::start(bank.store(), to)).transpose()?;
    let expected = Duration::from_secs_f64(traffic.seconds);
    let sampler = Sampler::start(bank, expected);
    let (before, usage) = (bank.statistics(), Usage::now());
    let started = Instant::now();
    let latency = paced(fleet, traffic, traffic.seconds, traffic.commands).await?;
    let seconds = started.elapsed().as_secs_f64();
    let (after, used) = (bank.statistics(), Usage::now());
    let samples = sampler.finish();
    let tailed = tails.finish();
    let drained = {
        let bank = bank.clone();
        tokio::task::spawn_blocking(move || bank::drain(&bank)).await?
    };
    ensure!(latency.count > 0, "no command was answered in {seconds:.1} s");
    let clients = if matches!(traffic.pace, Pace::Open { .. }) {
        0
    } else {
        traffic.clients
    };
    let mut outcome = Outcome::of(clients, latency.count, seconds, latency);
    for (name, level0) in [
        (
            "level0_streams_max",
            (|at| at.level0_streams) as fn(&Sample) -> f64,
        ),
        ("level0_commands_max", |at| at.level0_commands),
        ("level0_meta_max", |at| at.level0_meta),
    ] {
        outcome.set(name, samples.iter().map(level0).fold(0.0, f64::max));
    }
    outcome.samples = samples;
    outcome.set("drain_s", drained.as_secs_f64());
    let commands = outcome.latency.count as f64;
    outcome.set(
        "drained_commands_per_s",
        commands / (seconds + drained.as_secs_f64()),
    );
    outcome.set("cores_used", (used.cpu_s - usage.cpu_s) / seconds);
    outcome.set("cpu_us_per_command", (used.cpu_s - usage.cpu_s) * 1e6 / commands);
    outcome.set("resident_mib", used.resident_bytes as f64 / f64::from(1 << 20));
    store_figures(&mut outcome, bank, &before, &after, &usage);
    if let Pace::Open { per_second } = traffic.pace {
        outcome.set("intended_per_s", per_second);
    }
    if traffic.tails > 0 {
        outcome.set("tail_events_per_s", tailed as f64 / seconds);
    }
    if let Some(copies) = copies {
        copies.finish(&mut outcome)?;
    }
    outcome.set("errors", fleet.errors() as f64);
    Ok(outcome)
}

async fn paced(fleet: &Arc<Fleet>, traffic: &Traffic, seconds: f64, commands: u64) -> Result<Percentiles> {
    match traffic.pace {
        Pace::Closed => closed::run(fleet, traffic.clients, seconds, commands).await,
        Pace::Open { per_second } => open::run(fleet, per_second, seconds).await,
    }
}

fn store_figures(
    outcome: &mut Outcome,
    bank: &Dormouse,
    before: &Statistics,
    after: &Statistics,
    usage: &Usage,
) {
    let (then, now) = (&before.store, &after.store);
    let batches = (now.batches - then.batches) as f64;
    let commits = (now.commits - then.commits) as f64;
    let syncs = (now.syncs - then.syncs) as f64;
    let events = (now.events - then.events) as f64;
    let log_bytes = now.batch_bytes.since(&then.batch_bytes).sum() as f64;
    outcome.set("fsyncs_per_command", syncs / outcome.latency.count as f64);
    outcome.set("batch_commits", commits / batches);
    outcome.set("batch_commits_max", now.batch_commits.max() as f64);
    outcome.set(
        "sync_us",
        (now.sync_time - then.sync_time).as_secs_f64() * 1e6 / syncs,
    );
    // The index is another RocksDB than the log: what holds writers is the tail's bound alone.
    outcome.set("room_wait_s", (now.room_wait - then.room_wait).as_secs_f64());
    outcome.set("events", events);
    outcome.set("log_bytes_per_event", log_bytes / events);
    // With what the indexer and compactions wrote after the last command.
    let written = Usage::now().written_bytes - usage.written_bytes;
    outcome.set("written_bytes_per_event", written as f64 / events);
    outcome.set("write_amplification", written as f64 / log_bytes);
    let settled = bank.store().statistics();
    outcome.set(
        "disk_bytes_per_event",
        (settled.disk_bytes - settled.engine.obsolete_bytes) as f64 / settled.durable.get() as f64,
    );
    outcome.set("activations", (after.activations - before.activations) as f64);
    let passivated = |of: &Statistics| of.passivated_memory + of.passivated_idle;
    outcome.set("passivations", (passivated(after) - passivated(before)) as f64);
    outcome.set("id_look_ups", (after.id_look_ups - before.id_look_ups) as f64);
    outcome.set("replayed", (after.replayed - before.replayed) as f64);
}
