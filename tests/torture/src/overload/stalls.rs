//! How long this process was kept from running: what is late by less is not late by its own fault.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(5);

/// A thread that sleeps, and looks how much longer it slept.
#[derive(Debug)]
pub(crate) struct Stalls {
    longest_us: Arc<AtomicU64>,
}

impl Stalls {
    /// Watches until it is dropped.
    pub(crate) fn watch() -> Self {
        let longest_us = Arc::<AtomicU64>::default();
        let watched = Arc::downgrade(&longest_us);
        std::thread::spawn(move || {
            while let Some(longest_us) = watched.upgrade() {
                let before = Instant::now();
                std::thread::sleep(TICK);
                let stall = before.elapsed().saturating_sub(TICK);
                longest_us.fetch_max(stall.as_micros() as u64, Ordering::Relaxed);
            }
        });
        Self { longest_us }
    }

    pub(crate) fn longest(&self) -> Duration {
        Duration::from_micros(self.longest_us.load(Ordering::Relaxed))
    }
}
