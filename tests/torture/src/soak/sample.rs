//! What is looked at, all few seconds.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::{Context, Result};
use dormouse::Dormouse;
use serde::Serialize;

use super::load::Traffic;

/// How things stand at one moment, and how fast commands were since the last one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) at_s: f64,
    pub(crate) commands_per_s: f64,
    /// Commands that got a reply since the last sample.
    pub(crate) answered: u64,
    /// Commands that were turned away, or not even sent in time.
    pub(crate) passed_over: u64,
    /// How long commands waited, both the ones and the others.
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
    pub(crate) longest_us: u64,
    /// How long a small file beside the store takes to be written and synced: what the machine does by itself.
    pub(crate) sync_us: u64,
    /// The process's memory.
    pub(crate) rss_bytes: u64,
    /// What resident aggregates are reckoned to take.
    pub(crate) resident_bytes: u64,
    pub(crate) residents: u64,
    pub(crate) tail_bytes: u64,
    /// What RocksDB says that it holds in memory.
    pub(crate) memtable_bytes: u64,
    pub(crate) cache_bytes: u64,
    pub(crate) table_reader_bytes: u64,
    /// Open file descriptors.
    pub(crate) files: u64,
    pub(crate) threads: u64,
    pub(crate) disk_bytes: u64,
    pub(crate) disk_bytes_per_event: f64,
    /// Write-ahead logs of `log/`.
    pub(crate) wals: u64,
}

/// Counts at one moment.
#[derive(Debug)]
pub(crate) struct Look {
    at: Instant,
    commands: u64,
    answered: u64,
    passed_over: u64,
    resident_bytes: u64,
    residents: u64,
    tail_bytes: u64,
    memtable_bytes: u64,
    cache_bytes: u64,
    table_reader_bytes: u64,
    disk_bytes: u64,
    events: u64,
}

impl Look {
    pub(crate) fn at(runtime: &Dormouse, traffic: &Traffic) -> Self {
        let now = runtime.statistics();
        Self {
            at: Instant::now(),
            commands: now.store.commits,
            answered: traffic.commands(),
            passed_over: traffic.passed_over(),
            resident_bytes: now.resident_bytes as u64,
            residents: now.residents as u64,
            tail_bytes: now.store.tail_bytes,
            memtable_bytes: now.store.engine.memtable_bytes,
            cache_bytes: now.store.engine.cache_bytes,
            table_reader_bytes: now.store.engine.table_reader_bytes,
            disk_bytes: now.store.disk_bytes,
            events: now.store.events,
        }
    }

    /// What cannot be read is an error: a 0 in its place would never be too much.
    pub(crate) fn since(
        &self,
        before: &Self,
        started: Instant,
        traffic: &Traffic,
        store: &Path,
    ) -> Result<Sample> {
        let latency_us = traffic.take_latencies();
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        Ok(Sample {
            at_s: self.at.duration_since(started).as_secs_f64(),
            commands_per_s: (self.commands - before.commands) as f64 / seconds,
            answered: self.answered - before.answered,
            passed_over: self.passed_over - before.passed_over,
            p50_us: latency_us.value_at_quantile(0.5),
            p99_us: latency_us.value_at_quantile(0.99),
            longest_us: latency_us.max(),
            sync_us: sync_us(store)?,
            rss_bytes: status("VmRSS:")? * 1_024,
            resident_bytes: self.resident_bytes,
            residents: self.residents,
            tail_bytes: self.tail_bytes,
            memtable_bytes: self.memtable_bytes,
            cache_bytes: self.cache_bytes,
            table_reader_bytes: self.table_reader_bytes,
            files: entries("/proc/self/fd".as_ref(), |_| true)?,
            threads: status("Threads:")?,
            disk_bytes: self.disk_bytes,
            disk_bytes_per_event: self.disk_bytes as f64 / self.events.max(1) as f64,
            wals: entries(&store.join("log"), |name| name.ends_with(".log"))?,
        })
    }
}

/// How long a small file beside the store takes to be written and synced.
pub(crate) fn sync_us(store: &Path) -> Result<u64> {
    let started = Instant::now();
    let mut file = fs::File::create(store.with_extension("probe")).context("make a file beside the store")?;
    file.write_all(&[7; 4_096])?;
    file.sync_data().context("sync a file beside the store")?;
    Ok(started.elapsed().as_micros() as u64)
}

/// A number that the system tells of this process.
fn status(field: &str) -> Result<u64> {
    let status = fs::read_to_string("/proc/self/status").context("read /proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    let number = number.with_context(|| format!("/proc/self/status says nothing of {field}"))?;
    Ok(number.parse()?)
}

fn entries(directory: &Path, counted: impl Fn(&str) -> bool) -> Result<u64> {
    let entries = fs::read_dir(directory).with_context(|| format!("list {}", directory.display()))?;
    let mut many = 0;
    for entry in entries {
        many += u64::from(counted(&entry?.file_name().to_string_lossy()));
    }
    Ok(many)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_system_does_not_tell_is_no_zero() {
        assert!(status("Threads:").unwrap() > 0);
        assert!(status("Nothing:").is_err());
        assert!(entries("/proc/self/fd".as_ref(), |_| true).unwrap() > 0);
        assert!(entries("/nowhere".as_ref(), |_| true).is_err());
    }
}
