//! How often reading the index found a block in the cache.
//!
//! RocksDB counts that for each thread in any case. Its statistics for a whole database would tell as much, and cost
//! each activation 3,000 instructions (docs/decisions/0016).

use std::sync::atomic::{AtomicU64, Ordering};

use rocksdb::perf::{PerfContext, PerfMetric};

thread_local! {
    static COUNTED: PerfContext = PerfContext::default();
}

/// Blocks that reading asked for.
#[derive(Default)]
pub(crate) struct CacheUse {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl CacheUse {
    /// Counts what `read` asks for on this thread.
    pub(crate) fn counting<T>(&self, read: impl FnOnce() -> T) -> T {
        let before = counted();
        let read = read();
        let after = counted();
        add(&self.hits, before.0, after.0);
        add(&self.misses, before.1, after.1);
        read
    }

    pub(crate) fn hits(&self) -> u64 {
        self.hits.load(Ordering::Relaxed)
    }

    pub(crate) fn misses(&self) -> u64 {
        self.misses.load(Ordering::Relaxed)
    }
}

/// Hits and misses of this thread, ever. Nothing while it ends: its locals may be gone already.
fn counted() -> (u64, u64) {
    let metric = |counted: &PerfContext| {
        let of = |metric| counted.metric(metric);
        (of(PerfMetric::BlockCacheHitCount), of(PerfMetric::BlockReadCount))
    };
    COUNTED.try_with(metric).unwrap_or_default()
}

fn add(count: &AtomicU64, before: u64, after: u64) {
    if after > before {
        count.fetch_add(after - before, Ordering::Relaxed);
    }
}
