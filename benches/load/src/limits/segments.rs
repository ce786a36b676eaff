//! L1 and L2: one thread that writes to RocksDB what the program wrote, in the very batches it made.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rocksdb::WriteBatch;

use super::{rocks, stored_log};
use crate::latency::{Latencies, Percentiles};
use crate::outcome::Outcome;

/// L1: each segment is one row and one synced write.
pub(crate) fn run_segments(directory: &Path, from: &Path) -> Result<Outcome> {
    let segments = stored_log::read(from)?;
    let db = rocks::create(directory, &rocks::log_options()?)?;
    let synced = rocks::synced();
    let latencies = Latencies::new();
    let started = Instant::now();
    for segment in &segments {
        let began = Instant::now();
        db.put_opt(&segment.key, &segment.bytes, &synced)?;
        latencies.record(0, began.elapsed());
    }
    let took = started.elapsed();
    Ok(outcome(&segments, took, rocks::drain(&db)?, latencies.merged()))
}

/// L2: each commit is one row; a segment's rows are one synced write.
pub(crate) fn run_rows(directory: &Path, from: &Path) -> Result<Outcome> {
    let segments = stored_log::read(from)?;
    let db = rocks::create(directory, &rocks::rows_options()?)?;
    let synced = rocks::synced();
    let latencies = Latencies::new();
    let mut key = Vec::new();
    let started = Instant::now();
    for segment in &segments {
        let began = Instant::now();
        let mut batch = WriteBatch::default();
        for record in segment.records() {
            record.put_row_key(&mut key);
            batch.put(&key, record.0);
        }
        db.write_opt(batch, &synced)?;
        latencies.record(0, began.elapsed());
    }
    let took = started.elapsed();
    Ok(outcome(&segments, took, rocks::drain(&db)?, latencies.merged()))
}

fn outcome(
    segments: &[stored_log::Segment],
    took: Duration,
    drained: Duration,
    latency: Percentiles,
) -> Outcome {
    let commits: u64 = segments.iter().map(stored_log::Segment::commits).sum();
    let events: u64 = segments.iter().map(stored_log::Segment::events).sum();
    let sizes = Latencies::new();
    for segment in segments {
        // The histogram's unit is the microsecond; here it stands for one commit.
        sizes.record(0, Duration::from_micros(segment.commits()));
    }
    let mut outcome = Outcome::of(1, commits, took.as_secs_f64(), latency);
    outcome.set("events", events as f64);
    outcome.set("batches", segments.len() as f64);
    outcome.set("batch_commits", commits as f64 / segments.len() as f64);
    outcome.set("drain_s", drained.as_secs_f64());
    outcome.set(
        "drained_commands_per_s",
        commits as f64 / (took + drained).as_secs_f64(),
    );
    outcome
        .distributions
        .insert("batch_commits".into(), sizes.merged());
    outcome
}
