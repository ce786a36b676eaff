//! Allocations for each time a path is gone: `cargo bench -p micro --bench allocations`, with a part of a path's name for
//! some of them. All threads are counted.

use std::alloc::System;

use micro::Path;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// Enough that what happens now and then is divided away, and a multiple of every batch.
const TIMES: u32 = 25_600;

fn main() {
    println!(
        "{:<12} {:>11} {:>13} {:>13} {:>8}",
        "", "allocations", "reallocations", "deallocations", "bytes"
    );
    // cargo itself passes `--bench`
    let wanted = std::env::args()
        .skip(1)
        .find(|argument| !argument.starts_with('-'));
    let is_wanted = |path: &Path| wanted.as_ref().is_none_or(|part| path.name().contains(part));
    for path in Path::ALL.into_iter().filter(is_wanted) {
        let mut go = path.ready();
        go(TIMES.into());
        let counted = Region::new(ALLOCATOR);
        go(TIMES.into());
        let counted = counted.change();
        let each = |count: usize| count as f64 / f64::from(TIMES);
        println!(
            "{:<12} {:>11.2} {:>13.2} {:>13.2} {:>8.0}",
            path.name(),
            each(counted.allocations),
            each(counted.reallocations),
            each(counted.deallocations),
            each(counted.bytes_allocated)
        );
    }
}
