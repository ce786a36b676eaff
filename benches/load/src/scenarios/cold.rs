//! `cold`: waking streams of several lengths, with and without a snapshot, against RocksDB's own scan of the same rows.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dormouse::Dormouse;

use crate::account::Account;
use crate::bank::{self, Settings, account_id};
use crate::latency::Latencies;
use crate::limits::scan::Rows;
use crate::outcome::Outcome;
use crate::step::Traffic;
use crate::traffic::{Fleet, Keys};

/// Streams with a snapshot have ids from here on.
const WITH_SNAPSHOT: u64 = 1_000_000;
const EVENTS_A_SNAPSHOT: u32 = 100;
/// Small runs, so that all streams are in the index and not in the tail, and the scan finds what the waking reads.
const GENERATION_BYTES: usize = 256 * 1024;

/// One process, everything it needs to know for one length.
pub(crate) async fn run(directory: &Path, seed: u64, lengths: &[u64], wakes: u32) -> Result<Outcome> {
    let streams = u64::from(wakes);
    for (number, length) in (0..).zip(lengths) {
        fill(directory, seed, (number * streams, streams), *length).await?;
    }
    let mut outcome = Outcome::default();
    let all = Latencies::new();
    let started = Instant::now();
    for (number, length) in (0..).zip(lengths) {
        let ids = number * streams..(number + 1) * streams;
        for kind in ["cold", "warm"] {
            if kind == "cold" {
                drop_page_cache(directory);
            }
            let without = wake(directory, ids.clone(), kind == "warm", &all).await?;
            let with = wake(directory, with_snapshots(&ids), kind == "warm", &all).await?;
            if kind == "cold" {
                drop_page_cache(directory);
            }
            let scan = scan(directory, ids.clone(), kind == "warm")?;
            outcome.set(&format!("events_{length}_{kind}_us"), micros(without));
            outcome.set(&format!("events_{length}_snapshot_{kind}_us"), micros(with));
            outcome.set(&format!("events_{length}_scan_{kind}_us"), micros(scan));
            let ratio = without.as_secs_f64() / scan.as_secs_f64();
            outcome.set(&format!("ratio_raw_scan_{length}_{kind}"), ratio);
        }
    }
    let latency = all.merged();
    let measured = Outcome::of(1, latency.count, started.elapsed().as_secs_f64(), latency);
    outcome.figures.extend(measured.figures);
    outcome.latency = measured.latency;
    if let (Some(longest), true) = (lengths.last(), outcome.get("p50_us").is_some()) {
        let ratio = outcome.get(&format!("ratio_raw_scan_{longest}_warm")).unwrap_or_default();
        outcome.set("ratio_raw_scan", ratio);
    }
    Ok(outcome)
}

fn with_snapshots(ids: &std::ops::Range<u64>) -> std::ops::Range<u64> {
    ids.start + WITH_SNAPSHOT..ids.end + WITH_SNAPSHOT
}

fn settings(snapshot_every: u32) -> Settings {
    Settings {
        snapshot_every,
        generation_bytes: GENERATION_BYTES,
        ..Settings::default()
    }
}

async fn fill(directory: &Path, seed: u64, (first, streams): (u64, u64), length: u64) -> Result<()> {
    const FILLERS: u64 = 256;
    let traffic = Traffic::spread(FILLERS, 0.0);
    for (snapshot_every, first) in [(0, first), (EVENTS_A_SNAPSHOT, first + WITH_SNAPSHOT)] {
        let bank = bank::open(directory, &settings(snapshot_every)).await?;
        let fleet = Arc::new(Fleet::new(&bank, &traffic, Keys::even(1), seed));
        fleet.fill(FILLERS, first..first + streams, length).await?;
        // Pushes what came before out of the tail, into a run.
        let filler = 2_000_000 + first;
        let events = 2 * GENERATION_BYTES as u64 / 150;
        let goal = bank.store().durable();
        fleet.fill(FILLERS, filler..filler + 50, events / 50).await?;
        indexed(&bank, goal).await?;
        bank.shutdown().await?;
    }
    Ok(())
}

/// Waits until the index has reached an offset.
async fn indexed(bank: &Dormouse, goal: dormouse::Offset) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(60);
    let started = Instant::now();
    while bank.store().statistics().indexed < goal {
        ensure!(started.elapsed() < LIMIT, "the indexer does not reach {goal}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    Ok(())
}

/// Opens the store anew, so that nothing is in its cache, and wakes each account once, or twice when warm (the second
/// time counts). Returns the median.
async fn wake(directory: &Path, ids: std::ops::Range<u64>, warm: bool, all: &Latencies) -> Result<Duration> {
    let bank = bank::open(directory, &settings(0)).await?;
    let store = bank.store().clone();
    if warm {
        for number in ids.clone() {
            let stream = dormouse::StreamId::new(
                dormouse::AggregateType::from_static("account"),
                account_id(number).as_str().try_into()?,
            );
            let mut keep = |_: &dormouse::StoredCommit<'_>| std::ops::ControlFlow::Continue(());
            store.read_stream(&stream, dormouse::Version::new(1), &mut keep)?;
        }
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

fn scan(directory: &Path, ids: std::ops::Range<u64>, warm: bool) -> Result<Duration> {
    let rows = Rows::open(directory)?;
    let mut took = Vec::new();
    for number in ids {
        let id = account_id(number);
        if warm {
            rows.read(&id)?;
        }
        took.push(rows.read(&id)?.0);
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

/// Tells the system to forget the store's files, by Debian's `dd`: the call itself is not to be had without `unsafe`.
fn drop_page_cache(directory: &Path) {
    for folder in ["log", "derived"] {
        let Ok(files) = std::fs::read_dir(directory.join(folder)) else {
            continue;
        };
        for file in files.flatten() {
            let input = format!("if={}", file.path().display());
            let dropped = std::process::Command::new("dd")
                .args([&input, "iflag=nocache", "count=0", "status=none"])
                .status();
            if dropped.is_err() {
                return;
            }
        }
    }
}
