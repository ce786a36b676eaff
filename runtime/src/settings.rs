use std::time::Duration;

use crate::options::Options;

/// What a runtime runs with: what its [`Builder`](crate::Builder) was told, or the defaults. From
/// [`Dormouse::settings`](crate::Dormouse::settings).
///
/// `RuntimeSettings::default()` is what a builder gives that was told nothing, on this machine: whatever differs from it was
/// set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct RuntimeSettings {
    /// [`Builder::arbiters`](crate::Builder::arbiters): threads.
    pub arbiters: usize,
    /// [`Builder::readers`](crate::Builder::readers): threads.
    pub readers: usize,
    /// [`Builder::mailbox`](crate::Builder::mailbox): commands and queries.
    pub mailbox: usize,
    /// [`Builder::in_flight_max`](crate::Builder::in_flight_max): commands and queries.
    pub in_flight_max: usize,
    /// [`Builder::memory_budget_bytes`](crate::Builder::memory_budget_bytes).
    pub memory_budget_bytes: usize,
    /// [`Builder::passivate_after`](crate::Builder::passivate_after).
    pub passivate_after: Duration,
    /// [`Builder::snapshot_every`](crate::Builder::snapshot_every): events; 0 for no snapshots.
    pub snapshot_every: u32,
    /// [`Builder::recent_ids`](crate::Builder::recent_ids): command ids an aggregate.
    pub recent_ids: usize,
    /// [`Builder::default_deadline`](crate::Builder::default_deadline).
    pub default_deadline: Duration,
    /// [`Builder::shutdown_limit`](crate::Builder::shutdown_limit).
    pub shutdown_limit: Duration,
}

impl RuntimeSettings {
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            arbiters: options.arbiters,
            readers: options.readers,
            mailbox: options.mailbox_commands,
            in_flight_max: options.in_flight_max,
            memory_budget_bytes: options.memory_budget_bytes,
            passivate_after: options.passivate_after,
            snapshot_every: options.snapshot_every_events,
            recent_ids: options.recent_ids,
            default_deadline: options.default_deadline,
            shutdown_limit: options.shutdown_limit,
        }
    }
}

impl Default for RuntimeSettings {
    fn default() -> Self {
        Self::of(&Options::default())
    }
}
