//! Log lines about what may happen thousands of times a second.

use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// A line of a kind at most so often; what happens in between is told with the next.
const EVERY: Duration = Duration::from_secs(10);

/// Bounds the rate of one kind of line.
#[derive(Debug, Default)]
pub(crate) struct Seldom {
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    told: Option<Instant>,
    untold: u64,
}

impl Seldom {
    /// It has happened `times`: how often in all since the last line, if it is time for one.
    pub(crate) fn tell(&self, times: u64) -> Option<u64> {
        self.tell_at(Instant::now(), times)
    }

    fn tell_at(&self, now: Instant, times: u64) -> Option<u64> {
        let mut state = self.state.lock();
        state.untold += times;
        if state.untold == 0 || state.told.is_some_and(|told| now.duration_since(told) < EVERY) {
            return None;
        }
        state.told = Some(now);
        Some(std::mem::take(&mut state.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_happens_often_is_told_at_intervals_and_counted() {
        let (seldom, start) = (Seldom::default(), Instant::now());
        assert_eq!(seldom.tell_at(start, 0), None);
        assert_eq!(seldom.tell_at(start, 2), Some(2));
        assert_eq!(seldom.tell_at(start + EVERY / 2, 3), None);
        assert_eq!(seldom.tell_at(start + EVERY, 4), Some(7));
        assert_eq!(seldom.tell_at(start + 2 * EVERY, 0), None);
    }
}
