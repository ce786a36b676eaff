//! Looks at a running program now and then.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use dormouse::Dormouse;
use dormouse::store::FamilyStatistics;

use crate::outcome::Sample;
use crate::process::Usage;

const SLICES: u32 = 40;
const SLICE_MIN: Duration = Duration::from_millis(50);
const SLICE_MAX: Duration = Duration::from_millis(500);
const MIB: f64 = 1024.0 * 1024.0;

/// A thread that fills a list of samples until it is told to end.
pub(crate) struct Sampler {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Vec<Sample>>,
}

impl Sampler {
    /// Begins; `expected` is about how long it will run.
    pub(crate) fn start(bank: &Dormouse, expected: Duration) -> Self {
        let (bank, ends) = (bank.clone(), Arc::<AtomicBool>::default());
        let told = Arc::clone(&ends);
        let every = (expected / SLICES).clamp(SLICE_MIN, SLICE_MAX);
        let thread = thread::spawn(move || {
            let mut samples = Vec::new();
            let started = Instant::now();
            let mut before = Look::at(&bank);
            while !told.load(Ordering::Relaxed) {
                thread::park_timeout(every);
                let now = Look::at(&bank);
                // A slice cut short by the end says little.
                if now.at.duration_since(before.at) >= every / 2 {
                    samples.push(now.since(&before, started));
                    before = now;
                }
            }
            samples
        });
        Self { ends, thread }
    }

    /// What was seen.
    pub(crate) fn finish(self) -> Vec<Sample> {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        self.thread.join().unwrap_or_default()
    }
}

struct Look {
    at: Instant,
    answered: u64,
    commits: u64,
    batches: u64,
    syncs: u64,
    sync_time: Duration,
    usage: Usage,
    tail_bytes: u64,
    disk_bytes: u64,
    families: Vec<FamilyStatistics>,
}

impl Look {
    fn at(bank: &Dormouse) -> Self {
        let now = bank.statistics();
        Self {
            at: Instant::now(),
            answered: now.committed + now.replied + now.replayed + now.queries,
            commits: now.store.commits,
            batches: now.store.batches,
            syncs: now.store.syncs,
            sync_time: now.store.sync_time,
            usage: Usage::now(),
            tail_bytes: now.store.tail_bytes,
            disk_bytes: now.store.disk_bytes,
            families: now.store.engine.families,
        }
    }

    fn since(&self, before: &Self, started: Instant) -> Sample {
        let seconds = self.at.duration_since(before.at).as_secs_f64();
        let sync_us = (self.sync_time - before.sync_time).as_secs_f64() * 1e6;
        Sample {
            at_s: self.at.duration_since(started).as_secs_f64(),
            commands_per_s: (self.answered - before.answered) as f64 / seconds,
            batch_commits: each(
                (self.commits - before.commits) as f64,
                self.batches - before.batches,
            ),
            sync_us: each(sync_us, self.syncs - before.syncs),
            cores: (self.usage.cpu_s - before.usage.cpu_s) / seconds,
            resident_mib: self.usage.resident_bytes as f64 / MIB,
            tail_mib: self.tail_bytes as f64 / MIB,
            disk_mib: self.disk_bytes as f64 / MIB,
            level0_streams: self.level0("streams"),
            level0_commands: self.level0("commands"),
            level0_meta: self.level0("meta"),
        }
    }

    fn level0(&self, family: &str) -> f64 {
        let family = self.families.iter().find(|of| of.name == family);
        let level = family.and_then(|family| family.levels.first());
        level.map_or(0.0, |level| level.tables as f64)
    }
}

fn each(sum: f64, count: u64) -> f64 {
    if count == 0 { 0.0 } else { sum / count as f64 }
}
