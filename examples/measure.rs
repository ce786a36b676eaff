//! What this machine makes of it: `cargo run --release --example measure [-- STORE_DIRECTORY]`.
//!
//! Prints durable commands a second spread over many aggregates and on one, what waking a long stream takes, and what an
//! idle aggregate weighs. The store is made anew in the directory given (default: `measure-store`) and removed at the end.

use std::time::{Duration, Instant};

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Dormouse, Event, Handle, Store};
use serde::{Deserialize, Serialize};

const SPREAD_IDS: usize = 10_000;
const RUN: Duration = Duration::from_secs(5);
const LONG_STREAM_EVENTS: u64 = 10_000;
const IDLE_AGGREGATES: usize = 200_000;

#[derive(Default, Serialize, Deserialize)]
struct Account {
    cents: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum Entry {
    Deposited { cents: i64, reference: String, day: u32 },
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
enum Never {}

#[derive(Serialize, Deserialize, Command)]
#[command(reply = i64)]
struct Deposit {
    cents: i64,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Never;

    fn apply(&mut self, event: &Entry) {
        let Entry::Deposited { cents, .. } = event;
        self.cents += cents;
    }
}

impl Handle<Deposit> for Account {
    fn handle(&self, c: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
        let reference = "SEPA transfer, invoice 2026-1104, thank you for your order".into();
        Ok(Decision::event(Entry::Deposited {
            cents: c.cents,
            reference,
            day: 20_413,
        })
        .reply(|after| after.cents))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let directory = std::env::args().nth(1).unwrap_or_else(|| "measure-store".into());
    let _ = std::fs::remove_dir_all(&directory);
    throughput(&directory).await?;
    activation(&directory).await?;
    idle(&directory).await?;
    std::fs::remove_dir_all(&directory)?;
    Ok(())
}

async fn open(directory: &str, snapshot_every: u32) -> anyhow::Result<Dormouse> {
    let builder = Dormouse::builder(Store::open(directory)?).aggregate::<Account>();
    Ok(builder
        .memory_budget_bytes(4 << 30)
        .snapshot_every(snapshot_every)
        .start()
        .await?)
}

async fn throughput(directory: &str) -> anyhow::Result<()> {
    let bank = open(directory, 100).await?;
    println!(
        "{:>8} {:>8} {:>14} {:>10} {:>10} {:>12}",
        "ids", "clients", "commands/s", "p50 ms", "p99 ms", "a batch"
    );
    for (ids, clients) in [
        (SPREAD_IDS, 1),
        (SPREAD_IDS, 64),
        (1, 64),
        (SPREAD_IDS, 512),
        (1, 512),
    ] {
        let before = bank.statistics().store;
        let mut waits = run(&bank, ids, clients).await?;
        let after = bank.statistics().store;
        waits.sort_unstable();
        let at = |share: f64| waits[((waits.len() - 1) as f64 * share) as usize].as_secs_f64() * 1e3;
        let per_second = waits.len() as f64 / RUN.as_secs_f64();
        let batch = (after.commits - before.commits) as f64 / (after.batches - before.batches) as f64;
        println!(
            "{ids:>8} {clients:>8} {per_second:>14.0} {:>10.2} {:>10.2} {batch:>12.1}",
            at(0.5),
            at(0.99)
        );
    }
    bank.shutdown().await?;
    Ok(())
}

async fn run(bank: &Dormouse, ids: usize, clients: usize) -> anyhow::Result<Vec<Duration>> {
    let until = Instant::now() + RUN;
    let clients: Vec<_> = (0..clients)
        .map(|client| {
            let bank = bank.clone();
            tokio::spawn(async move {
                let (mut waits, mut n) = (Vec::new(), client);
                while Instant::now() < until {
                    let account = bank.entity::<Account>(format!("acc-{}", n % ids))?;
                    n += 61;
                    let sent = Instant::now();
                    account.execute(Deposit { cents: 1 }).await?;
                    waits.push(sent.elapsed());
                }
                anyhow::Ok(waits)
            })
        })
        .collect();
    let mut waits = Vec::new();
    for client in clients {
        waits.extend(client.await??);
    }
    Ok(waits)
}

async fn activation(directory: &str) -> anyhow::Result<()> {
    for snapshot_every in [0, 1_000] {
        let id = format!("long-{snapshot_every}");
        let bank = open(directory, snapshot_every).await?;
        let account = bank.entity::<Account>(id.as_str())?;
        for _ in 0..LONG_STREAM_EVENTS {
            account.execute(Deposit { cents: 1 }).await?;
        }
        bank.shutdown().await?;
        drop((account, bank));
        let mut took = Duration::MAX;
        for _ in 0..5 {
            let bank = open(directory, snapshot_every).await?;
            let started = Instant::now();
            bank.entity::<Account>(id.as_str())?
                .query(|state| state.cents)
                .await?;
            took = took.min(started.elapsed());
            bank.shutdown().await?;
        }
        let snapshot = if snapshot_every == 0 { "without" } else { "with" };
        println!(
            "waking a stream of {LONG_STREAM_EVENTS} events {snapshot} a snapshot: {:.2} ms",
            took.as_secs_f64() * 1e3
        );
    }
    Ok(())
}

async fn idle(directory: &str) -> anyhow::Result<()> {
    let bank = open(directory, 0).await?;
    let before = resident_bytes()?;
    for n in 0..IDLE_AGGREGATES {
        bank.entity::<Account>(format!("idle-{n:07}"))?
            .query(|_| ())
            .await?;
    }
    let grown = resident_bytes()?.saturating_sub(before);
    let reckoned = bank.statistics().resident_bytes;
    println!(
        "an idle aggregate takes {} bytes, and is reckoned at {} ({IDLE_AGGREGATES} of them)",
        grown / IDLE_AGGREGATES,
        reckoned / IDLE_AGGREGATES
    );
    bank.shutdown().await?;
    Ok(())
}

/// Of this process, from the kernel.
fn resident_bytes() -> anyhow::Result<usize> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:"))
        .unwrap_or("0 kB");
    Ok(line.trim().trim_end_matches(" kB").parse::<usize>()? * 1_024)
}
