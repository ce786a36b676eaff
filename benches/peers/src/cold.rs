//! Waking long streams, and one command to each. cqrs-es wakes an aggregate for every command.

use std::ops::Range;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cqrs_es::{AggregateContext, EventStore};
use sqlx::{Connection, Executor};

use crate::account::{Deposit, account_id};
use crate::bank::{Bank, correlation};
use crate::outcome::{Latencies, Outcome};
use crate::random::Random;
use crate::server::Server;
use crate::step::{Cold, Store};

/// Ids of the streams with snapshots begin here.
const WITH_SNAPSHOT_FROM: u64 = 1_000_000;

/// Both kinds of streams, everything in the caches.
pub(crate) async fn run(server: &Server, cold: &Cold, seed: u64) -> Result<Outcome> {
    server.prepare().await?;
    let mut random = Random::new(seed, 0);
    let plain = Bank::open(server, Store::Events).await?;
    let every = cold.snapshot_every;
    let with_snapshots = Bank::open(server, Store::Snapshots { every }).await?;
    let kinds = [
        ("", &plain, 0..cold.wakes),
        (
            "_snapshot",
            &with_snapshots,
            WITH_SNAPSHOT_FROM..WITH_SNAPSHOT_FROM + cold.wakes,
        ),
    ];
    for (_, bank, ids) in &kinds {
        fill(bank, ids.clone(), cold.events, &mut random).await?;
    }
    settle(server).await?;
    let (latencies, started) = (Latencies::new(), Instant::now());
    let mut figures = Vec::new();
    for (kind, bank, ids) in &kinds {
        let woken = wake(bank, ids.clone(), cold.events).await?;
        let mut commanded = Vec::new();
        for number in ids.clone() {
            let sent = Instant::now();
            bank.deposit(number, &mut random).await?;
            commanded.push(sent.elapsed());
            latencies.record(0, sent.elapsed());
        }
        figures.push((format!("events_{}{kind}_warm_us", cold.events), median(woken)?));
        figures.push((
            format!("command_{}{kind}_warm_us", cold.events),
            median(commanded)?,
        ));
    }
    let seconds = started.elapsed().as_secs_f64();
    let mut outcome = Outcome::of(1, latencies.count(), seconds, &latencies);
    for (name, took) in figures {
        outcome.set(&name, took.as_secs_f64() * 1e6);
    }
    plain.close().await;
    with_snapshots.close().await;
    Ok(outcome)
}

/// One transaction a stream.
async fn fill(bank: &Bank, ids: Range<u64>, events: u64, random: &mut Random) -> Result<()> {
    let store = bank.store();
    for number in ids {
        let empty = store.load_aggregate(&account_id(number)).await?;
        let entries = (0..events).map(|_| Deposit::random(random).entry()).collect();
        store.commit(entries, empty, correlation(random)).await?;
    }
    Ok(())
}

/// What the server would do by and by: statistics for its planner, and its caches written.
async fn settle(server: &Server) -> Result<()> {
    let mut connection = server.connect().await?;
    connection.execute("VACUUM ANALYZE").await?;
    connection.execute("CHECKPOINT").await?;
    Ok(connection.close().await?)
}

/// Loads each aggregate twice: the first time brings its stream into the caches.
async fn wake(bank: &Bank, ids: Range<u64>, events: u64) -> Result<Vec<Duration>> {
    let store = bank.store();
    let mut took = Vec::new();
    for number in ids {
        let id = account_id(number);
        store.load_aggregate(&id).await?;
        let started = Instant::now();
        let mut woken = store.load_aggregate(&id).await?;
        took.push(started.elapsed());
        let entries = woken.aggregate().entries;
        ensure!(
            entries == events,
            "{id} has {entries} entries after {events} events"
        );
    }
    Ok(took)
}

fn median(mut took: Vec<Duration>) -> Result<Duration> {
    took.sort_unstable();
    took.get(took.len() / 2).copied().context("no stream was woken")
}
