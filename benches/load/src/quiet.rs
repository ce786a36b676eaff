//! Waiting for other programs, and for what the disk still has to do, before something is measured.

use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, Instant};

use crate::process::machine_cpu_seconds;

/// Busy cores of others below which a machine counts as quiet.
pub(crate) const QUIET_CORES: f64 = 0.15;
const LOOK: Duration = Duration::from_millis(200);

/// How long a run may still wait in all: a machine that is never quiet is measured all the same, and the figures say so.
#[derive(Debug)]
pub(crate) struct Patience {
    left: Duration,
    /// Nothing is waited for, the disk neither.
    is_none: bool,
}

impl Patience {
    pub(crate) fn new(seconds: f64) -> Self {
        let left = Duration::from_secs_f64(seconds);
        Self {
            left,
            is_none: left.is_zero(),
        }
    }

    /// Waits until synced writes in `directory` take their usual time again, by a bound of its own: figures of a disk that
    /// still frees what the last step left are worth nothing.
    pub(crate) fn wait_for_disk(&self, directory: &Path) -> io::Result<()> {
        match self.is_none {
            true => Ok(()),
            false => disk_settles(directory),
        }
    }

    /// Waits until the machine is quiet, or patience is at its end.
    pub(crate) fn wait(&mut self) {
        while !self.left.is_zero() {
            let started = Instant::now();
            let Some(before) = machine_cpu_seconds() else {
                return;
            };
            std::thread::sleep(LOOK);
            let Some(after) = machine_cpu_seconds() else {
                return;
            };
            let took = started.elapsed();
            if (after - before) / took.as_secs_f64() < QUIET_CORES {
                return;
            }
            self.left = self.left.saturating_sub(took);
        }
    }
}

/// A store that was just removed keeps the disk busy for seconds where the file system tells it of every freed block.
fn disk_settles(directory: &Path) -> io::Result<()> {
    const GIVE_UP_AFTER: Duration = Duration::from_secs(30);
    const QUIET_ROUNDS: u32 = 3;
    let path = directory.join("settling");
    let (mut file, started) = (File::create(&path)?, Instant::now());
    let mut quiet = 0;
    while quiet < QUIET_ROUNDS && started.elapsed() < GIVE_UP_AFTER {
        quiet = if is_steady(&mut file)? { quiet + 1 } else { 0 };
        std::thread::sleep(LOOK);
    }
    std::fs::remove_file(path)
}

/// Whether none of some syncs takes much longer than most.
fn is_steady(file: &mut File) -> io::Result<bool> {
    const SYNCS: usize = 200;
    const STALL: u32 = 20;
    let mut took = Vec::with_capacity(SYNCS);
    for _ in 0..SYNCS {
        let started = Instant::now();
        file.write_all(&[1; 4096])?;
        file.sync_data()?;
        took.push(started.elapsed());
    }
    took.sort_unstable();
    Ok(took[SYNCS - 1] < took[SYNCS / 2] * STALL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patience_ends() {
        let started = Instant::now();
        let mut patience = Patience::new(0.3);
        (0..3).for_each(|_| patience.wait());
        // Three looks at a quiet machine, or patience and one look more at a busy one.
        assert!(started.elapsed() < Duration::from_secs(30));
        let mut none = Patience::new(0.0);
        none.wait();
        assert!(none.left.is_zero());
        none.wait_for_disk(Path::new("/not/there")).unwrap();
    }
}
