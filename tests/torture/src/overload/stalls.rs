//! When this process was kept from running: what is late by less is not late by its own fault.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

const TICK: Duration = Duration::from_millis(5);
/// A thread wakes up as much late on a quiet machine.
const STALL_MIN: Duration = Duration::from_millis(1);
/// So many of the last are known: for a minute at the least, since each takes a tick at the least.
const STALLS_MAX: usize = 12_000;

/// A thread that sleeps, and notes how much longer it slept.
#[derive(Debug)]
pub(crate) struct Stalls {
    seen: Arc<Mutex<Seen>>,
}

#[derive(Debug)]
struct Seen {
    /// From when to when: oldest first, none beside another.
    stalls: VecDeque<(Instant, Instant)>,
    longest: Duration,
    /// When the thread was to wake up.
    wakes_at: Instant,
}

impl Stalls {
    /// Watches until it is dropped.
    pub(crate) fn watch() -> Self {
        let seen = Arc::new(Mutex::new(Seen::new(Instant::now() + TICK)));
        let watched = Arc::downgrade(&seen);
        std::thread::spawn(move || {
            while let Some(seen) = watched.upgrade() {
                std::thread::sleep(TICK);
                let mut seen = seen.lock().expect("nobody panics with it");
                seen.woke(Instant::now());
            }
        });
        Self { seen }
    }

    /// For how long it was kept from running between these two.
    pub(crate) fn between(&self, from: Instant, to: Instant) -> Duration {
        self.seen.lock().expect("nobody panics with it").between(from, to)
    }

    pub(crate) fn longest(&self) -> Duration {
        self.seen.lock().expect("nobody panics with it").longest
    }
}

impl Seen {
    fn new(wakes_at: Instant) -> Self {
        Self {
            stalls: VecDeque::new(),
            longest: Duration::ZERO,
            wakes_at,
        }
    }

    fn woke(&mut self, now: Instant) {
        let stall = now.saturating_duration_since(self.wakes_at);
        if stall >= STALL_MIN {
            self.longest = stall.max(self.longest);
            self.stalls.push_back((self.wakes_at, now));
        }
        if self.stalls.len() > STALLS_MAX {
            self.stalls.pop_front();
        }
        self.wakes_at = now + TICK;
    }

    fn between(&self, from: Instant, to: Instant) -> Duration {
        // the one that goes on, too: who asks may have been woken before the thread that watches
        let last = (self.wakes_at, to);
        let stalls = std::iter::once(&last).chain(self.stalls.iter().rev());
        stalls
            .take_while(|(_, end)| *end > from)
            .map(|(begin, end)| to.min(*end).saturating_duration_since(from.max(*begin)))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stall_excuses_those_alone_who_waited_through_it() {
        let began = Instant::now();
        let at = |ms| began + Duration::from_millis(ms);
        let ms = Duration::from_millis;
        let mut seen = Seen::new(at(5));
        seen.woke(at(5));
        // to wake at 10: 700 ms late
        seen.woke(at(710));
        seen.woke(at(715));
        assert_eq!(seen.longest, ms(700));
        assert_eq!(seen.between(at(0), at(720)), ms(700));
        assert_eq!(seen.between(at(700), at(720)), ms(10), "the part that it met");
        assert_eq!(
            seen.between(at(710), at(720)),
            ms(0),
            "the next one's excuse is not this"
        );
        assert_eq!(seen.between(at(0), at(10)), ms(0));
        // the thread was to wake at 720, and has not yet
        assert_eq!(seen.between(at(710), at(750)), ms(30));
    }
}
