//! Waiting for other programs to end before something is measured.

use std::time::{Duration, Instant};

use crate::process::machine_cpu_seconds;

/// Busy cores of others below which a machine counts as quiet.
const QUIET_CORES: f64 = 0.15;
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
