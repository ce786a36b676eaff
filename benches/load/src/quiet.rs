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
pub(crate) struct Patience(Duration);

impl Patience {
    pub(crate) fn new(seconds: f64) -> Self {
        Self(Duration::from_secs_f64(seconds))
    }

    /// Waits until the machine is quiet, or patience is at its end.
    pub(crate) fn wait(&mut self) {
        while !self.0.is_zero() {
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
            self.0 = self.0.saturating_sub(took);
        }
    }
}

/// Waits until synced writes in `directory` take their usual time again. A store that was just removed keeps the disk
/// busy for seconds where the file system tells it of every freed block.
pub(crate) fn disk_settles(directory: &Path) -> io::Result<()> {
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
        assert!(none.0.is_zero());
    }
}
