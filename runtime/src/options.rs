//! What a runtime may be told at its start, with the defaults and their reasons.

use std::time::Duration;

use dormouse_domain::Clock;

use crate::propagation::Propagation;

/// Commands one aggregate may have in its mailbox, in hand and waiting for the disk. At the bound: *overloaded*.
/// Akka's stash and mailbox defaults are of this size.
pub(crate) const MAILBOX_COMMANDS: usize = 4_096;
/// Commands and queries in flight in the whole runtime. At the bound: *overloaded*.
pub(crate) const IN_FLIGHT_MAX: usize = 65_536;
/// Memory that resident aggregates may take together, in bytes. Past it the least valuable are passivated.
pub(crate) const MEMORY_BUDGET_BYTES: usize = 512 << 20;
/// An aggregate that saw no command for so long is passivated (Akka: 2 minutes, Orleans: 15).
pub(crate) const PASSIVATE_AFTER: Duration = Duration::from_secs(120);
/// Events between two snapshots of one aggregate: reading a hundred events costs well under a millisecond.
pub(crate) const SNAPSHOT_EVERY_EVENTS: u32 = 100;
/// A command that was not handled for so long after it was sent never is.
pub(crate) const DEFAULT_DEADLINE: Duration = Duration::from_secs(30);
/// Bytes of an encoded state. A larger one is not snapshotted: its whole stream is read at activation.
pub(crate) const SNAPSHOT_BYTES_MAX: usize = 64 << 20;
/// How long [`Dormouse::shutdown`](crate::Dormouse::shutdown) waits for queued commands.
pub(crate) const SHUTDOWN_LIMIT: Duration = Duration::from_secs(30);
/// Command ids an aggregate keeps in memory: more than the clients that usually share one, so that ids that arrive a
/// little out of order need no look-up.
pub(crate) const RECENT_IDS: usize = 256;
/// Messages one aggregate handles before it lets its arbiter's other aggregates run.
pub(crate) const TURNS_BEFORE_YIELD: u16 = 64;
/// A turn that holds its arbiter for longer is counted as long.
pub(crate) const LONG_TURN: Duration = Duration::from_millis(10);
/// An activation waits so long for residents that are busy: also on a busy machine some are answered by then.
const ROOM_PATIENCE: Duration = Duration::from_millis(20);
/// Pause before a stream whose last writer died is tried again.
const HELD_RETRY: Duration = Duration::from_millis(10);
/// A failed activation is answered from memory for so long before it is tried again.
pub(crate) const FAILED_ACTIVATION_REMEMBERED: Duration = Duration::from_secs(1);
/// Threads that read, for each core: one that waits for the disk leaves its core to others (docs/decisions/0012).
const READERS_PER_CORE: usize = 4;
/// But not more than this by default.
const READERS_MAX: usize = 64;
/// Snapshots that wait to be written. Past it a snapshot is dropped: that costs time at the next activation only.
pub(crate) const SNAPSHOTS_QUEUED: usize = 1_024;

const _: () = assert!(MAILBOX_COMMANDS <= IN_FLIGHT_MAX);
const _: () = assert!(RECENT_IDS <= MAILBOX_COMMANDS);

/// A runtime's settings; [`Builder`](crate::Builder) has a method for each.
#[derive(Debug, Clone)]
pub(crate) struct Options {
    pub(crate) arbiters: usize,
    pub(crate) readers: usize,
    pub(crate) mailbox_commands: usize,
    pub(crate) in_flight_max: usize,
    pub(crate) memory_budget_bytes: usize,
    pub(crate) passivate_after: Duration,
    pub(crate) snapshot_every_events: u32,
    pub(crate) recent_ids: usize,
    pub(crate) default_deadline: Duration,
    pub(crate) shutdown_limit: Duration,
    pub(crate) room_patience: Duration,
    pub(crate) held_retry: Duration,
    pub(crate) clock: Clock,
    /// How traces get into what is stored; without it only what callers give by hand.
    pub(crate) propagation: Option<Propagation>,
}

impl Default for Options {
    fn default() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            arbiters: cores,
            readers: (READERS_PER_CORE * cores).min(READERS_MAX),
            mailbox_commands: MAILBOX_COMMANDS,
            in_flight_max: IN_FLIGHT_MAX,
            memory_budget_bytes: MEMORY_BUDGET_BYTES,
            passivate_after: PASSIVATE_AFTER,
            snapshot_every_events: SNAPSHOT_EVERY_EVENTS,
            recent_ids: RECENT_IDS,
            default_deadline: DEFAULT_DEADLINE,
            shutdown_limit: SHUTDOWN_LIMIT,
            room_patience: ROOM_PATIENCE,
            held_retry: HELD_RETRY,
            clock: Clock::system(),
            propagation: None,
        }
    }
}
