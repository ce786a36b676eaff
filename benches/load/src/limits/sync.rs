//! L0: what the disk takes for `fdatasync` of 4 KiB.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;

use crate::latency::Latencies;
use crate::outcome::Outcome;

const PAGE_BYTES: usize = 4_096;
/// Written over and over: allocating space is no part of it.
const FILE_PAGES: u64 = 4_096;

/// One thread, for so long, and once at least.
pub(crate) fn run(directory: &Path, seconds: f64) -> Result<Outcome> {
    fs::create_dir_all(directory)?;
    let file = File::create(directory.join("sync"))?;
    let page = [0x5a_u8; PAGE_BYTES];
    for number in 0..FILE_PAGES {
        file.write_all_at(&page, number * PAGE_BYTES as u64)?;
    }
    file.sync_all()?;
    let latencies = Latencies::new();
    let (started, limit) = (Instant::now(), Duration::from_secs_f64(seconds));
    let mut syncs = 0;
    loop {
        let began = Instant::now();
        file.write_all_at(&page, syncs % FILE_PAGES * PAGE_BYTES as u64)?;
        file.sync_data()?;
        latencies.record(0, began.elapsed());
        syncs += 1;
        if started.elapsed() >= limit {
            break;
        }
    }
    Ok(Outcome::of(
        1,
        syncs,
        started.elapsed().as_secs_f64(),
        latencies.merged(),
    ))
}
