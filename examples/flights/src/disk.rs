//! What the disk's own sync costs, for comparison with what the demonstration reaches on it.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

const SYNCS: usize = 200;
/// Below this a "synced" write can't have left the machine's memory.
pub(crate) const SUSPICIOUSLY_FAST: Duration = Duration::from_micros(10);

/// The median time of appending 4 KiB to a file and syncing it, in this directory.
pub(crate) fn sync_time(directory: &Path) -> Result<Duration> {
    let path = directory.join("sync-probe");
    let mut file = File::create(&path).with_context(|| format!("{} can't be written", path.display()))?;
    let mut times = Vec::with_capacity(SYNCS);
    for number in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[u8::try_from(number % 256)?; 4_096])?;
        file.sync_data()?;
        times.push(started.elapsed());
    }
    drop(file);
    std::fs::remove_file(&path)?;
    times.sort_unstable();
    Ok(times[SYNCS / 2])
}

/// Bytes of all files in a directory.
pub(crate) fn size(directory: &Path) -> Result<u64> {
    let mut bytes = 0;
    for entry in directory.read_dir()? {
        let entry = entry?;
        bytes += if entry.file_type()?.is_dir() {
            size(&entry.path())?
        } else {
            entry.metadata()?.len()
        };
    }
    Ok(bytes)
}
