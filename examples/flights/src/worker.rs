//! The process that is killed: opens the store, runs the clients, tells the parent what was answered.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dormouse::{Dormouse, Store};
use tokio::task::JoinSet;

use crate::aircraft::Aircraft;
use crate::arguments::Arguments;
use crate::client::{Client, Fleet};
use crate::console;
use crate::data;
use crate::flight::Flight;
use crate::steps::{shares, steps};
use crate::wire::{Gauges, Pipe};

/// How often the parent is shown the gauges: so much of them is lost when the worker is killed.
const SHOWN_EVERY: Duration = Duration::from_millis(50);

/// Runs until every command is answered. Standard input says how many of each client's commands are acknowledged
/// already, as a JSON list; standard output belongs to the parent.
pub(crate) fn run(arguments: &Arguments) -> Result<()> {
    let acknowledged: Vec<usize> = serde_json::from_reader(std::io::stdin())
        .context("standard input is no list of acknowledged commands")?;
    let clients = arguments.clients();
    ensure!(
        acknowledged.len() == clients,
        "{} counts for {clients} clients",
        acknowledged.len()
    );
    // before anything that takes time: a page that lost the worker before finds this one
    let ops = console::start(arguments.console_port());
    let pipe = Pipe::to_parent()?;
    if let Some(port) = ops.as_ref().and_then(console::port) {
        pipe.tell_console(port)?;
    }
    let records = data::read(&arguments.months())?;
    let shares = shares(&steps(&records), &records, clients);
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let started = Instant::now();
            let store = Store::open(arguments.store()?)?;
            let runtime = Dormouse::builder(store.clone())
                .aggregate::<Flight>()
                .aggregate::<Aircraft>()
                .memory_budget_bytes(arguments.memory_budget_bytes())
                .start()
                .await?;
            if let Some(ops) = &ops {
                ops.attach(&runtime);
            }
            let opened_ms = u64::try_from(started.elapsed().as_millis())?;
            let in_flight_max = arguments.in_flight_max();
            let fleet = Arc::new(Fleet {
                runtime,
                records,
                pipe,
                in_flight_max,
            });
            let watch = tokio::spawn(show_gauges(Arc::clone(&fleet), opened_ms));
            let mut running = JoinSet::new();
            for ((number, mut share), acknowledged) in (0..).zip(shares).zip(acknowledged) {
                share.drain(..acknowledged);
                running.spawn(Client::new(number, Arc::clone(&fleet)).run(share));
            }
            while let Some(ended) = running.join_next().await {
                ended.context("a client panicked")??;
            }
            watch.abort();
            fleet.pipe.show(&gauges(&fleet.runtime, opened_ms))?;
            fleet.runtime.shutdown().await?;
            if let Some(ops) = ops {
                ops.stop().await;
            }
            store.close()?;
            Ok(())
        })
}

async fn show_gauges(fleet: Arc<Fleet>, opened_ms: u64) {
    let mut every = tokio::time::interval(SHOWN_EVERY);
    loop {
        every.tick().await;
        // The parent is gone when this fails, and the clients notice it as well.
        if fleet.pipe.show(&gauges(&fleet.runtime, opened_ms)).is_err() {
            return;
        }
    }
}

fn gauges(runtime: &Dormouse, opened_ms: u64) -> Gauges {
    let now = runtime.statistics();
    Gauges {
        opened_ms,
        commits: now.store.commits,
        batches: now.store.batches,
        syncs: now.store.syncs,
        sync_micros: u64::try_from(now.store.sync_time.as_micros()).unwrap_or(u64::MAX),
        activations: now.activations,
        activation_micros: now.activation_micros,
        events_replayed: now.events_replayed,
        evictions: now.passivated_memory + now.passivated_idle,
        residents_peak: now.residents_peak as u64,
        resident_bytes_peak: now.resident_bytes_peak as u64,
        id_look_ups: now.id_look_ups,
        memory_peak_bytes: memory_peak_bytes(),
        processor_ms: processor_ms(),
    }
}

/// The most memory this process has had resident, where the system tells.
fn memory_peak_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1_024)
}

/// The processor time that this process has used on all cores, where the system tells.
fn processor_ms() -> Option<u64> {
    const MS_A_TICK: u64 = 10; // Linux shows hundredths of a second, whatever the kernel's own tick is
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses; user and system time are the 14th and 15th.
    let mut times = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (u64, u64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some((user + system) * MS_A_TICK)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells_memory_and_processor_time() {
        assert!(memory_peak_bytes().unwrap() > 1 << 20);
        let before = processor_ms().unwrap();
        let started = Instant::now();
        while processor_ms().unwrap() == before {
            assert!(
                started.elapsed() < Duration::from_secs(60),
                "this loop uses no processor time"
            );
        }
    }
}
