//! How others wake the sweeper.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

#[derive(Debug, Default)]
struct Wanted {
    room: bool,
    stop: bool,
}

/// How others wake the sweeper.
#[derive(Debug, Default)]
pub(crate) struct Nudge {
    wanted: Mutex<Wanted>,
    changed: Condvar,
}

impl Nudge {
    /// Memory is short.
    pub(crate) fn make_room(&self) {
        let mut wanted = self.wanted.lock();
        if !wanted.room {
            wanted.room = true;
            self.changed.notify_one();
        }
    }

    /// Whether somebody wished for room since this was asked last.
    #[cfg(feature = "simulation")]
    pub(crate) fn take_wish(&self) -> bool {
        std::mem::take(&mut self.wanted.lock().room)
    }

    pub(crate) fn stop(&self) {
        self.wanted.lock().stop = true;
        self.changed.notify_one();
    }

    /// Waits for a wish, or `at_most` so long. `true`: the sweeper is to end.
    pub(crate) fn wait(&self, at_most: Duration) -> bool {
        let mut wanted = self.wanted.lock();
        if !wanted.room && !wanted.stop {
            self.changed.wait_for(&mut wanted, at_most);
        }
        wanted.room = false;
        wanted.stop
    }
}
