//! Running a test under many schedules.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use shuttle::scheduler::{PctScheduler, RandomScheduler, Scheduler};
use shuttle::{Config, FailurePersistence, Runner};

/// What a test explores if `SCHEDULES` does not say: enough for a look.
const SCHEDULES: usize = 100;
/// Preemptions that are placed in a schedule of the second kind. After Burckhardt and others, "A randomized scheduler with
/// probabilistic guarantees of finding bugs", ASPLOS 2010: a few suffice for nearly all bugs.
const PREEMPTIONS: usize = 4;
/// Of each thread; shuttle's 60 KiB are too few for a store.
const STACK_BYTES: usize = 512 * 1024;

/// Runs the test under `SCHEDULES` schedules, half of them random at each point, half of them with few preemptions, from
/// the seed `SCHEDULES_SEED` on. Says how many there were, or in which one the test failed.
pub fn explore(name: &'static str, test: impl Fn() + Send + Sync + Clone + 'static) {
    let schedules = number("SCHEDULES").map_or(SCHEDULES, |n| n as usize);
    let seed = number("SCHEDULES_SEED").unwrap_or(1);
    let told = Told {
        name,
        seed,
        explored: Arc::default(),
    };
    let explored = Arc::clone(&told.explored);
    let counted = move || {
        explored.fetch_add(1, Ordering::Relaxed);
        test();
    };
    let few = schedules / 2;
    run(
        RandomScheduler::new_from_seed(seed, schedules - few),
        counted.clone(),
    );
    run(PctScheduler::new_from_seed(seed, PREEMPTIONS, few), counted);
}

/// Told as it is dropped.
struct Told {
    name: &'static str,
    seed: u64,
    explored: Arc<AtomicUsize>,
}

impl Drop for Told {
    fn drop(&mut self) {
        let (name, seed) = (self.name, self.seed);
        let explored = self.explored.load(Ordering::Relaxed);
        if std::thread::panicking() {
            println!("failed in schedule {explored} of seed {seed}: {name}");
        } else {
            println!("explored {explored} schedules: {name}");
        }
    }
}

fn run(scheduler: impl Scheduler + 'static, test: impl Fn() + Send + Sync + 'static) {
    let mut config = Config::new();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    // the seed finds it again; written out it may be megabytes
    config.failure_persistence = FailurePersistence::None;
    Runner::new(scheduler, config).run(test);
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}
