//! How others wake the sweeper.

use std::time::Duration;

use parking_lot::{Condvar, Mutex};

/// What the sweeper is asked for.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Wanted {
    pub(crate) room: bool,
    pub(crate) stop: bool,
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

    pub(crate) fn stop(&self) {
        self.wanted.lock().stop = true;
        self.changed.notify_one();
    }

    /// Waits for a wish, or `at_most` so long.
    pub(crate) fn wait(&self, at_most: Duration) -> Wanted {
        let mut wanted = self.wanted.lock();
        if !wanted.room && !wanted.stop {
            self.changed.wait_for(&mut wanted, at_most);
        }
        let now = *wanted;
        wanted.room = false;
        now
    }
}
