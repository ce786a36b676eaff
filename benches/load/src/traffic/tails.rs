//! Readers that follow the log: the store's own followers, until there are subscriptions.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};

use dormouse::Store;

/// Several threads, each reading every commit as it becomes durable.
pub(super) struct Tails {
    ends: Arc<AtomicBool>,
    seen: Arc<AtomicU64>,
    threads: Vec<JoinHandle<()>>,
}

impl Tails {
    /// Readers that begin at the log's end.
    pub(super) fn start(store: &Store, readers: u64) -> Self {
        let (ends, seen) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let threads = (0..readers)
            .map(|_| {
                let (store, ends, seen) = (store.clone(), Arc::clone(&ends), Arc::clone(&seen));
                thread::spawn(move || follow(&store, &ends, &seen))
            })
            .collect();
        Self { ends, seen, threads }
    }

    /// How many events all of them have seen.
    pub(super) fn finish(self) -> u64 {
        self.ends.store(true, Ordering::Relaxed);
        for thread in self.threads {
            let _ = thread.join();
        }
        self.seen.load(Ordering::Relaxed)
    }
}

fn follow(store: &Store, ends: &AtomicBool, seen: &AtomicU64) {
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
    else {
        return;
    };
    let Ok(mut follower) = store.follow(store.durable().next()) else {
        return;
    };
    while !ends.load(Ordering::Relaxed) {
        let mut events = 0;
        let read = follower.read(&mut |commit| {
            events += commit.events().count() as u64;
            ControlFlow::Continue(())
        });
        if read.is_err() {
            return;
        }
        seen.fetch_add(events, Ordering::Relaxed);
        // So that it looks now and then whether it should end.
        let limit = std::time::Duration::from_millis(50);
        let _ = runtime.block_on(async { tokio::time::timeout(limit, follower.wait()).await });
    }
}
