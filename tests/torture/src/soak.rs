//! The soak: seventy percent of what the machine can do, for as long as one likes, with eviction, snapshots and a
//! memory budget. Memory, latency, files, threads and disk are looked at all the time, and must not drift.

mod judge;
mod load;
mod plot;
mod sample;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use dormouse::{Dormouse, Health, Store, StoreOptions};

use self::judge::Measured;
use self::load::Traffic;
use self::sample::{Look, Sample};
use crate::counter::Counter;
use crate::place;
use crate::tally::Tally;
use crate::violation::Violation;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Soak {
    /// How long; an hour to see a slow leak.
    #[arg(long, default_value_t = 60.0)]
    pub(crate) minutes: f64,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the store is made: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
    /// Where the samples go; a plot goes beside them.
    #[arg(long, default_value = "target/torture/soak.json")]
    pub(crate) samples: PathBuf,
}

/// Of what it can do at most.
const SHARE: f64 = 0.7;
/// Not more, whatever it can do: an hour of this fills some 20 GB.
const RATE_MAX: f64 = 15_000.0;
/// The maximum is measured for so long, after a third as much of warming up; a tenth of the whole at most.
const MEASURE_MAX: Duration = Duration::from_secs(6);
const PROBES: u32 = 9;
const SAMPLES: u32 = 360;
const SAMPLE_MIN: Duration = Duration::from_millis(250);
const SAMPLE_MAX: Duration = Duration::from_secs(5);
/// Memory for a quarter of the counters.
pub(crate) const BUDGET_BYTES: usize = 8 << 20;
/// Small enough for caches and tail to be full soon: what grows after that is a leak.
const CACHE_BYTES: usize = 32 << 20;
const GENERATION_BYTES: usize = 8 << 20;

pub(crate) async fn run(soak: &Soak) -> Result<Tally> {
    let place = place::make(soak.directory.as_deref(), "soak")?;
    let store = place.join("store");
    let whole = Duration::from_secs_f64(soak.minutes * 60.0);
    let every = (whole / SAMPLES).clamp(SAMPLE_MIN, SAMPLE_MAX);
    let mut tally = Tally::new("soak", (whole.as_secs_f64() / every.as_secs_f64()).ceil() as u32);
    let runtime = open(&store).await?;
    let traffic = Arc::new(Traffic::new(runtime.clone(), soak.seed));

    let measure = MEASURE_MAX.min(whole / 10);
    load::at_most(&traffic, measure / 3).await?;
    let probed = tokio::spawn(probe(store.clone(), measure));
    let most = load::at_most(&traffic, measure).await?;
    let measured = Measured {
        commands_per_s: most,
        sync_us: probed.await??,
    };
    let rate = (most * SHARE).min(RATE_MAX);
    traffic.begin();

    let sending = tokio::spawn(load::at_rate(Arc::clone(&traffic), rate));
    let (started, mut samples) = (Instant::now(), Vec::<Sample>::new());
    let mut before = Look::at(&runtime, &traffic);
    while started.elapsed() < whole && !traffic.is_broken() {
        tokio::time::sleep(every).await;
        let now = Look::at(&runtime, &traffic);
        samples.push(now.since(&before, started, &traffic, &store)?);
        before = now;
        tally.tried("samples", "");
    }
    traffic.end();
    sending.await?;
    traffic.settled().await;

    let mut violations = traffic.violations();
    if runtime.health() != Health::Healthy {
        violations.push(Violation::new("P11", format!("{:?}", runtime.health())));
    }
    let stored = runtime.store().durable().get();
    if violations.is_empty() && stored != traffic.events() {
        let what = format!(
            "{} events were acknowledged, the log holds {stored}",
            traffic.events()
        );
        violations.push(Violation::new("P1", what));
    }
    let verdict = judge::judge(&measured, &samples);
    violations.extend(verdict.violations);
    tally.count("commands a second at most", most as u64);
    tally.count("commands a second sent", rate as u64);
    tally.count("commands", traffic.commands());
    tally.count("events", traffic.events());
    tally.count("commands passed over", traffic.passed_over());
    let longest_us = samples.iter().map(|sample| sample.longest_us).max();
    tally.count("longest wait, ms", longest_us.unwrap_or_default() / 1_000);
    tally.count("evicted", runtime.statistics().passivated_memory);
    tally.count("snapshots written", runtime.statistics().snapshots_written);
    verdict.notes.into_iter().for_each(|note| tally.note(note));
    runtime.shutdown().await?;
    keep(soak, &samples)?;
    if violations.is_empty() {
        place::remove(&place)?;
    } else {
        let rerun = format!(
            "cargo run --release -p torture -- soak --minutes {} --seed {}",
            soak.minutes, soak.seed
        );
        tally.failed(&violations, &format!("sample {}", samples.len()), &store, &rerun);
    }
    Ok(tally)
}

/// What the disk does by itself while the store does what it can: the median of a few syncs.
async fn probe(store: PathBuf, time: Duration) -> Result<u64> {
    let mut syncs_us = Vec::new();
    for _ in 0..PROBES {
        tokio::time::sleep(time / PROBES).await;
        syncs_us.push(sample::sync_us(&store)?);
    }
    syncs_us.sort_unstable();
    Ok(syncs_us[syncs_us.len() / 2])
}

async fn open(store: &std::path::Path) -> Result<Dormouse> {
    let options = StoreOptions::default()
        .cache_bytes(CACHE_BYTES)
        .generation_bytes(GENERATION_BYTES)
        .tail_bytes_max(4 * GENERATION_BYTES);
    let builder = Dormouse::builder(Store::open_with(store, options)?).aggregate::<Counter>();
    let builder = builder
        .memory_budget_bytes(BUDGET_BYTES)
        .passivate_after(Duration::from_secs(20))
        .snapshot_every(20);
    Ok(builder.start().await?)
}

fn keep(soak: &Soak, samples: &[Sample]) -> Result<()> {
    let directory = soak.samples.parent().context("the samples' path names a file")?;
    std::fs::create_dir_all(directory)?;
    std::fs::write(&soak.samples, serde_json::to_vec_pretty(samples)?)?;
    plot::draw(samples, &soak.samples.with_extension("svg"))
}
