//! The thread that passivates: what is idle, at intervals; what is least valuable, as soon as memory is short.

use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::nudge::Nudge;
use crate::shared::Shared;

/// Bounds of the interval between two looks for idle aggregates; within them an eighth of the idle time.
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
        let tick = (shared.options.passivate_after / 8).clamp(TICK_MIN, TICK_MAX);
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

impl Drop for Sweeper {
    fn drop(&mut self) {
        self.nudge.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
