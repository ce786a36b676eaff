//! Copies of the store, made one after the other while it is written to, and how long writes take meanwhile.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use dormouse::store::CheckpointStep;
use dormouse::{Distribution, Store, StoreError};

use crate::outcome::Outcome;

/// From the end of one copy to the next: writes of this time are what the others are compared with.
const PAUSE: Duration = Duration::from_millis(300);
/// Steps of a copy on the store's own file system, by the names of their figures.
const STEPS: [(CheckpointStep, &str); 3] = [
    (CheckpointStep::Index, "append_max_us_linking_index"),
    (CheckpointStep::Log, "append_max_us_linking_log"),
    (CheckpointStep::Syncing, "append_max_us_syncing"),
];

/// A thread that makes copies until it is told to end.
pub(super) struct Copies {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<Result<Found, StoreError>>,
    directory: PathBuf,
}

/// What came of it. Distributions are of synced appends, in nanoseconds.
#[derive(Default)]
struct Found {
    copies: u32,
    took: Duration,
    between: Distribution,
    copying: Distribution,
    by_step: [Distribution; STEPS.len()],
}

impl Copies {
    /// Begins, in a directory that is made, and removed in the end.
    pub(super) fn start(store: &Store, directory: &Path) -> Result<Self> {
        std::fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        let (store, ends) = (store.clone(), Arc::<AtomicBool>::default());
        let (told, place) = (Arc::clone(&ends), directory.to_path_buf());
        Ok(Self {
            ends,
            thread: thread::spawn(move || copy_on(&store, &place, &told)),
            directory: directory.to_path_buf(),
        })
    }

    /// Waits for the last copy, and puts down what was seen.
    pub(super) fn finish(self, outcome: &mut Outcome) -> Result<()> {
        self.ends.store(true, Ordering::Relaxed);
        let found = self.thread.join();
        std::fs::remove_dir_all(&self.directory)?;
        let found = found.ok().context("the thread that copies panicked")??;
        ensure!(found.copies > 0, "it was over before the first copy was made");
        outcome.set("copies", f64::from(found.copies));
        outcome.set("copy_s", found.took.as_secs_f64() / f64::from(found.copies));
        let us = |nanos: u64| nanos as f64 / 1e3;
        for (name, appends) in [("between", &found.between), ("copying", &found.copying)] {
            outcome.set(&format!("append_p50_us_{name}"), us(appends.quantile(0.5)));
            outcome.set(&format!("append_p99_us_{name}"), us(appends.quantile(0.99)));
            outcome.set(&format!("append_max_us_{name}"), us(appends.max()));
        }
        outcome.set(
            "ratio_append_p99",
            found.copying.quantile(0.99) as f64 / found.between.quantile(0.99) as f64,
        );
        for ((_, name), appends) in STEPS.iter().zip(&found.by_step) {
            outcome.set(name, us(appends.max()));
        }
        Ok(())
    }
}

/// Looks at what was appended since the last look.
struct Window<'s> {
    store: &'s Store,
    seen: Distribution,
}

impl Window<'_> {
    fn close(&mut self, of: &mut Distribution) {
        let now = self.store.statistics().sync;
        of.merge(&now.since(&self.seen));
        self.seen = now;
    }
}

fn copy_on(store: &Store, directory: &Path, ends: &AtomicBool) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let mut window = Window {
        store,
        seen: store.statistics().sync,
    };
    while !ends.load(Ordering::Relaxed) {
        thread::sleep(PAUSE);
        window.close(&mut found.between);
        let (started, mut step) = (Instant::now(), None);
        let mut by_step: [Distribution; STEPS.len()] = Default::default();
        let mut begin = |next: Option<usize>| {
            if step != next
                && let Some(ended) = std::mem::replace(&mut step, next)
            {
                window.close(&mut by_step[ended]);
            }
        };
        store.checkpoint(directory.join(found.copies.to_string()), &mut |progress| {
            begin(STEPS.iter().position(|(step, _)| *step == progress.step));
            ControlFlow::Continue(())
        })?;
        begin(None);
        found.took += started.elapsed();
        found.copies += 1;
        for (all, appends) in found.by_step.iter_mut().zip(&by_step) {
            all.merge(appends);
            found.copying.merge(appends);
        }
    }
    Ok(found)
}
