//! Whether a runtime takes commands.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use dormouse_persistence::Health;

use crate::shared::Shared;

/// Whether a runtime takes commands, and if not, why.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Readiness {
    /// It does.
    Ready,
    /// The store stopped writing after an error, and every command is answered *not done* until it is reopened.
    Stopped {
        /// Why.
        reason: Arc<str>,
    },
    /// [`drain`](crate::Dormouse::drain) was called: commands are answered *not done*, what is stored can be read.
    Draining,
    /// As much is in flight as may be: new commands are answered *overloaded*. Passes by itself.
    Overloaded {
        /// Commands and queries in flight.
        in_flight: usize,
        /// How many may be.
        limit: usize,
    },
    /// [`shutdown`](crate::Dormouse::shutdown) was called.
    ShutDown,
}

impl Readiness {
    pub(crate) fn of(shared: &Shared) -> Self {
        if shared.shut_down.load(Ordering::Acquire) {
            return Self::ShutDown;
        }
        if shared.is_stopping() {
            return Self::Draining;
        }
        if let Health::Stopped { reason } = shared.store.health() {
            return Self::Stopped { reason };
        }
        let (in_flight, limit) = (shared.gauges.in_flight(), shared.options.in_flight_max);
        if in_flight >= limit {
            Self::Overloaded { in_flight, limit }
        } else {
            Self::Ready
        }
    }
}
