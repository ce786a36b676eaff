use std::ops::Add;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use crate::Timestamp;

/// Where Dormouse takes its time from: the machine's clocks, or one that a test holds. Clones share it.
///
/// ```
/// # use dormouse_domain as dormouse;
/// use std::time::Duration;
/// use dormouse::{Clock, Timestamp};
///
/// let clock = Clock::held(Timestamp::EPOCH);
/// let deadline = clock.monotonic() + Duration::from_secs(2);
/// clock.advance(Duration::from_secs(3));
/// assert!(clock.monotonic() > deadline);
/// assert_eq!(clock.now(), Timestamp::from_millis(3_000));
/// ```
#[derive(Debug, Clone, Default)]
pub struct Clock(Option<Arc<Held>>);

#[derive(Debug)]
struct Held {
    wall_micros: AtomicU64,
    monotonic_nanos: AtomicU64,
}

impl Clock {
    /// The machine's clocks.
    #[must_use]
    pub const fn system() -> Self {
        Self(None)
    }

    /// A clock that stands still at `wall` until it is moved.
    #[must_use]
    pub fn held(wall: Timestamp) -> Self {
        Self(Some(Arc::new(Held {
            wall_micros: AtomicU64::new(wall.as_micros()),
            monotonic_nanos: AtomicU64::new(0),
        })))
    }

    /// The wall clock's time. It may step back when the machine's clock is set.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            None => SystemTime::now().into(),
            Some(held) => Timestamp::from_micros(held.wall_micros.load(Ordering::SeqCst)),
        }
    }

    /// The time that never steps back, for deadlines and durations.
    #[must_use]
    pub fn monotonic(&self) -> Moment {
        match &self.0 {
            None => Moment(process_start().elapsed()),
            Some(held) => Moment(Duration::from_nanos(held.monotonic_nanos.load(Ordering::SeqCst))),
        }
    }

    /// Moves a held clock on, wall clock and monotonic time both.
    ///
    /// # Panics
    /// For the system's clock.
    pub fn advance(&self, by: Duration) {
        let held = self.hold();
        held.wall_micros
            .fetch_add(saturated(by.as_micros()), Ordering::SeqCst);
        held.monotonic_nanos
            .fetch_add(saturated(by.as_nanos()), Ordering::SeqCst);
    }

    /// Sets a held wall clock, forwards or backwards, as an administrator would; monotonic time stays.
    ///
    /// # Panics
    /// For the system's clock.
    pub fn set_wall(&self, to: Timestamp) {
        self.hold().wall_micros.store(to.as_micros(), Ordering::SeqCst);
    }

    fn hold(&self) -> &Held {
        self.0
            .as_deref()
            .expect("only a held clock can be moved: Clock::held(…)")
    }
}

/// A point in monotonic time, as [`Clock::monotonic`] tells it: the time since the process first asked. Means nothing
/// in another process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Moment(Duration);

impl Moment {
    /// The time since `earlier`; zero if that is not earlier.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Duration {
        self.0.saturating_sub(earlier.0)
    }
}

impl Add<Duration> for Moment {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(duration))
    }
}

fn process_start() -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    *START.get_or_init(Instant::now)
}

fn saturated(n: u128) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
