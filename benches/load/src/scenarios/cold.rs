//! `cold`: waking streams of several lengths, with and without a snapshot, against RocksDB's own scan of the same events
//! as rows.

mod fill;
mod page_cache;

use std::ops::Range;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use self::fill::{Filled, settings};
use crate::account::Account;
use crate::bank::{self, account_id};
use crate::latency::Latencies;
use crate::limits::scan::Rows;
use crate::outcome::Outcome;

/// What is in the caches when a stream is read.
#[derive(Clone, Copy, PartialEq)]
enum Caches {
    /// Neither the system nor RocksDB has anything of the store.
    Dropped,
    /// Everything was read once before.
    Warm,
}

/// Each length is woken `wakes` times, each time another stream.
pub(crate) async fn run(directory: &Path, seed: u64, lengths: &[u64], wakes: u32) -> Result<Outcome> {
    let store = directory.join("store");
    let filled = fill::fill(&store, seed, lengths, wakes.into()).await?;
    let rows = directory.join("rows");
    Rows::build(&store, &rows)?;
    let mut figures = Outcome::default();
    let (all, started) = (Latencies::new(), Instant::now());
    for (caches, name) in [(Caches::Dropped, "cold"), (Caches::Warm, "warm")] {
        for (number, length) in lengths.iter().enumerate() {
            let without = wake(&store, filled.plain(number), caches, &all).await?;
            let with = wake(&store, filled.with_snapshots(number), caches, &all).await?;
            let scan = scan(&rows, filled.plain(number), *length, caches)?;
            figures.set(&format!("events_{length}_{name}_us"), micros(without));
            figures.set(&format!("events_{length}_snapshot_{name}_us"), micros(with));
            figures.set(&format!("events_{length}_scan_{name}_us"), micros(scan));
            figures.set(
                &format!("ratio_raw_scan_{length}_{name}"),
                micros(without) / micros(scan),
            );
        }
    }
    let latency = all.merged();
    let mut outcome = Outcome::of(1, latency.count, started.elapsed().as_secs_f64(), latency);
    let longest = lengths.last().context("no lengths")?;
    let ratio = figures.get(&format!("ratio_raw_scan_{longest}_warm"));
    outcome.set("ratio_raw_scan", ratio.unwrap_or(f64::NAN));
    outcome.figures.extend(figures.figures);
    many(&store, &rows, &filled, &mut outcome).await?;
    Ok(outcome)
}

/// Many short streams at once: activations a second, against seeks and scans on as many cores.
async fn many(store: &Path, rows: &Path, filled: &Filled, outcome: &mut Outcome) -> Result<()> {
    let ids = filled.short();
    let bank = bank::open(store, &settings(0)).await?;
    read_streams(&bank, ids.clone())?;
    let started = Instant::now();
    for first in ids.clone().step_by(fill::AT_ONCE) {
        let mut waking = tokio::task::JoinSet::new();
        for number in first..ids.end.min(first + fill::AT_ONCE as u64) {
            let account = bank.entity::<Account>(account_id(number))?;
            waking.spawn(async move { account.query(|state| state.cents).await });
        }
        while let Some(woken) = waking.join_next().await {
            woken??;
        }
    }
    let woken = (ids.end - ids.start) as f64 / started.elapsed().as_secs_f64();
    bank.shutdown().await?;
    let rows = Rows::open(rows)?;
    rows.read_all(&ids, fill::SHORT_EVENTS)?;
    let raw = rows.read_all(&ids, fill::SHORT_EVENTS)?;
    outcome.set("activations_per_s", woken);
    outcome.set("raw_seeks_per_s", raw);
    outcome.set("ratio_raw_seeks", woken / raw);
    Ok(())
}

/// Opens the store anew, so that nothing is in its cache, and wakes each account once. Returns the median.
async fn wake(store: &Path, ids: Range<u64>, caches: Caches, all: &Latencies) -> Result<Duration> {
    if caches == Caches::Dropped {
        page_cache::forget(store);
    }
    let bank = bank::open(store, &settings(0)).await?;
    if caches == Caches::Warm {
        read_streams(&bank, ids.clone())?;
    }
    let mut took = Vec::new();
    for number in ids {
        let account = bank.entity::<Account>(account_id(number))?;
        let started = Instant::now();
        account.query(|state| state.cents).await?;
        took.push(started.elapsed());
        all.record(0, started.elapsed());
    }
    bank.shutdown().await?;
    median(took)
}

/// Brings streams into the caches without waking anybody.
fn read_streams(bank: &dormouse::Dormouse, ids: Range<u64>) -> Result<()> {
    for number in ids {
        let account = dormouse::AggregateType::from_static("account");
        let stream = dormouse::StreamId::new(account, account_id(number).as_str().try_into()?);
        bank.store().snapshot(&stream)?;
        let mut go_on = |_: &dormouse::StoredCommit<'_>| std::ops::ControlFlow::Continue(());
        bank.store()
            .read_stream(&stream, dormouse::Version::new(1), &mut go_on)?;
    }
    Ok(())
}

fn scan(rows: &Path, ids: Range<u64>, events: u64, caches: Caches) -> Result<Duration> {
    if caches == Caches::Dropped {
        page_cache::forget(rows);
    }
    let rows = Rows::open(rows)?;
    let mut took = Vec::new();
    for number in ids {
        if caches == Caches::Warm {
            rows.read(number, events)?;
        }
        took.push(rows.read(number, events)?);
    }
    median(took)
}

fn median(mut took: Vec<Duration>) -> Result<Duration> {
    took.sort_unstable();
    took.get(took.len() / 2).copied().context("no stream was woken")
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}
