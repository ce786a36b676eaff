//! Failed attempts to log in, counted by address.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::time::{Duration, Instant};

use parking_lot::Mutex;

/// After so many failures an address is not listened to for the rest of the window, unless it is told otherwise. A scraper
/// with a stale token, every 15 seconds, stays below it.
pub(crate) const FAILURES_MAX: u32 = 10;
/// What the failures are counted over.
const WINDOW: Duration = Duration::from_secs(60);
/// Addresses remembered. At the bound the one whose window began first is forgotten: 256 bits aren't guessed by whoever has
/// many addresses either.
const ADDRESSES_MAX: usize = 1_024;

/// Who failed of late, and how often.
pub(crate) struct Attempts {
    failures_max: u32,
    windows: Mutex<HashMap<IpAddr, Window>>,
}

struct Window {
    began: Instant,
    failures: u32,
}

impl Attempts {
    pub(crate) fn new(failures_max: u32) -> Self {
        Self {
            failures_max,
            windows: Mutex::default(),
        }
    }

    /// How long an address has to wait, if it has failed too often.
    pub(crate) fn held(&self, address: IpAddr, now: Instant) -> Option<Duration> {
        let windows = self.windows.lock();
        let window = windows.get(&network(address))?;
        let left = WINDOW.checked_sub(now.saturating_duration_since(window.began))?;
        (window.failures >= self.failures_max && !left.is_zero()).then_some(left)
    }

    pub(crate) fn failed(&self, address: IpAddr, now: Instant) {
        let mut windows = self.windows.lock();
        let address = network(address);
        if !windows.contains_key(&address) && windows.len() >= ADDRESSES_MAX {
            forget_oldest(&mut windows);
        }
        let window = windows.entry(address).or_insert(Window {
            began: now,
            failures: 0,
        });
        if now.saturating_duration_since(window.began) >= WINDOW {
            *window = Window {
                began: now,
                failures: 0,
            };
        }
        window.failures += 1;
    }
}

fn forget_oldest(windows: &mut HashMap<IpAddr, Window>) {
    let oldest = windows.iter().min_by_key(|(_, window)| window.began);
    if let Some(address) = oldest.map(|(address, _)| *address) {
        windows.remove(&address);
    }
}

/// A host on the internet has at least 2⁶⁴ addresses of version 6: its network counts.
pub(crate) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() >> 64 << 64)),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn who_fails_too_often_waits_for_the_window_to_end() {
        let (attempts, start) = (Attempts::new(FAILURES_MAX), Instant::now());
        let (one, other) = (address("10.0.0.1"), address("10.0.0.2"));
        for _ in 1..FAILURES_MAX {
            attempts.failed(one, start);
        }
        assert_eq!(attempts.held(one, start), None);
        attempts.failed(one, start);
        let later = start + WINDOW / 4;
        assert_eq!(attempts.held(one, later), Some(WINDOW - WINDOW / 4));
        assert_eq!(attempts.held(other, later), None);
        assert_eq!(attempts.held(one, start + WINDOW), None);
        attempts.failed(one, start + WINDOW);
        assert_eq!(attempts.held(one, start + WINDOW), None, "a new window");
    }

    #[test]
    fn addresses_of_one_network_count_together() {
        let (attempts, now) = (Attempts::new(FAILURES_MAX), Instant::now());
        for n in 0..FAILURES_MAX {
            attempts.failed(address(&format!("2001:db8::{n:x}")), now);
        }
        assert!(attempts.held(address("2001:db8::ffff"), now).is_some());
        assert!(attempts.held(address("2001:db8:0:1::1"), now).is_none());
    }

    #[test]
    fn the_table_does_not_grow_beyond_its_bound() {
        let (attempts, start) = (Attempts::new(FAILURES_MAX), Instant::now());
        for n in 0..2 * ADDRESSES_MAX as u32 {
            let now = start + Duration::from_millis(u64::from(n));
            attempts.failed(IpAddr::V4(n.into()), now);
        }
        assert_eq!(attempts.windows.lock().len(), ADDRESSES_MAX);
    }
}
