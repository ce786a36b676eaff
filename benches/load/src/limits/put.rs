//! One synced RocksDB put of one record: what a single client can hope for.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::rocks;
use crate::latency::Latencies;
use crate::outcome::Outcome;
use crate::random::Random;

/// About what a segment with one deposit takes.
const RECORD_BYTES: usize = 290;

/// One thread, for so long, and once at least.
pub(crate) fn run(directory: &Path, seconds: f64, seed: u64) -> Result<Outcome> {
    let db = rocks::create(directory, &rocks::log_options()?)?;
    let synced = rocks::synced();
    let record = Random::new(seed, 0).bytes(RECORD_BYTES);
    let latencies = Latencies::new();
    let (started, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut puts: u64 = 0;
    loop {
        let began = Instant::now();
        db.put_opt(puts.to_be_bytes(), &record, &synced)?;
        latencies.record(0, began.elapsed());
        puts += 1;
        if started.elapsed() >= limit {
            break;
        }
    }
    Ok(Outcome::of(
        1,
        puts,
        started.elapsed().as_secs_f64(),
        latencies.merged(),
    ))
}
