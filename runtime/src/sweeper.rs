//! The thread that passivates: what is idle, at intervals; what is least valuable, as soon as memory is short.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::nudge::Nudge;
use crate::shared::Shared;

/// Bounds of the interval between two looks for idle aggregates.
const TICK_MIN: Duration = Duration::from_millis(20);
const TICK_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub(crate) struct Sweeper {
    nudge: Arc<Nudge>,
    thread: Option<JoinHandle<()>>,
}

impl Sweeper {
    pub(crate) fn start(shared: &Arc<Shared>) -> std::io::Result<Self> {
        let nudge = Arc::clone(&shared.nudge);
        let tick = tick(shared.options.passivate_after);
        let swept = Arc::clone(shared);
        let thread = std::thread::Builder::new()
            .name("dormouse-sweeper".into())
            .spawn(move || {
                let mut swept_at = Instant::now();
                loop {
                    let patience = if swept.residents.over_budget() {
                        TICK_MIN
                    } else {
                        tick
                    };
                    if swept.nudge.wait(patience) {
                        return;
                    }
                    swept.make_room();
                    if swept_at.elapsed() >= tick {
                        swept_at = Instant::now();
                        swept.sweep_idle();
                        swept.record_gauges();
                    }
                }
            })?;
        Ok(Self {
            nudge,
            thread: Some(thread),
        })
    }
}

/// How often to look for aggregates that were idle for so long: they leave at most an eighth of it late, within the bounds.
fn tick(passivate_after: Duration) -> Duration {
    (passivate_after / 8).clamp(TICK_MIN, TICK_MAX)
}

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.nudge.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn idle_aggregates_leave_at_most_an_eighth_of_their_time_late() {
        assert_eq!(tick(Duration::from_secs(8)), Duration::from_secs(1));
        assert_eq!(tick(Duration::ZERO), TICK_MIN);
        assert_eq!(tick(Duration::from_secs(3_600)), TICK_MAX);
    }
}
