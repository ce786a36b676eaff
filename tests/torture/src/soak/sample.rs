//! What is looked at, all few seconds.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use dormouse::Dormouse;
use serde::Serialize;

use super::load::Traffic;

/// How things stand at one moment, and how fast commands were since the last one.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Sample {
    pub(crate) at_s: f64,
    pub(crate) commands_per_s: f64,
    pub(crate) p50_us: u64,
    pub(crate) p99_us: u64,
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
    pub(crate) fn at(runtime: &Dormouse) -> Self {
        let now = runtime.statistics();
        Self {
            at: Instant::now(),
            commands: now.store.commits,
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

    pub(crate) fn since(&self, before: &Self, started: Instant, traffic: &Traffic, store: &Path) -> Sample {
        let latency_us = traffic.take_latencies();
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        Sample {
            at_s: self.at.duration_since(started).as_secs_f64(),
            commands_per_s: (self.commands - before.commands) as f64 / seconds,
            p50_us: latency_us.value_at_quantile(0.5),
            p99_us: latency_us.value_at_quantile(0.99),
            sync_us: sync_us(store),
            rss_bytes: status("VmRSS:") * 1_024,
            resident_bytes: self.resident_bytes,
            residents: self.residents,
            tail_bytes: self.tail_bytes,
            memtable_bytes: self.memtable_bytes,
            cache_bytes: self.cache_bytes,
            table_reader_bytes: self.table_reader_bytes,
            files: entries("/proc/self/fd".as_ref(), |_| true),
            threads: status("Threads:"),
            disk_bytes: self.disk_bytes,
            disk_bytes_per_event: self.disk_bytes as f64 / self.events.max(1) as f64,
            wals: entries(&store.join("log"), |name| name.ends_with(".log")),
        }
    }
}

fn sync_us(store: &Path) -> u64 {
    let started = Instant::now();
    let path = store.with_extension("probe");
    let synced = fs::File::create(path).and_then(|mut file| {
        file.write_all(&[7; 4_096])?;
        file.sync_data()
    });
    synced.map_or(0, |()| started.elapsed().as_micros() as u64)
}

/// A number that the system tells of this process; 0 where it does not.
fn status(field: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or_default()
}

fn entries(directory: &Path, counted: impl Fn(&str) -> bool) -> u64 {
    let Ok(entries) = fs::read_dir(directory) else {
        return 0;
    };
    let names = entries.flatten().map(|entry| entry.file_name());
    names.filter(|name| counted(&name.to_string_lossy())).count() as u64
}
