//! Every metric the runtime records, with its unit and meaning. Labels are bounded: aggregate type, command type,
//! outcome, cause; never an id.

use dormouse_domain::Bound;
use metrics::{Unit, counter, describe_counter, describe_gauge, describe_histogram};

/// Commands by `aggregate`, `command` and `outcome` (committed, replied, replayed, refused, not_done).
pub const COMMANDS: &str = "dormouse_commands_total";
/// Seconds an entity's turn took: decide, encode, apply, hand over. At most one in 100 µs on each arbiter.
pub const HANDLING_SECONDS: &str = "dormouse_command_handling_seconds";
/// Seconds from when a command was taken in hand until its commit was durable. One of each batch that an arbiter is
/// told of, its oldest.
pub const COMMIT_WAIT_SECONDS: &str = "dormouse_commit_wait_seconds";
/// Events handed to the journal.
pub const EVENTS: &str = "dormouse_events_total";
/// Queries answered.
pub const QUERIES: &str = "dormouse_queries_total";
/// Commands in flight to one entity, sampled at its turns.
pub const MAILBOX_DEPTH: &str = "dormouse_mailbox_depth";
/// Turns that held an arbiter for more than 10 ms.
pub const LONG_TURNS: &str = "dormouse_long_turns_total";
/// Panics of domain code.
pub const PANICS: &str = "dormouse_panics_total";
/// Commands and queries answered *overloaded*, by `bound` (mailbox, runtime).
pub const OVERLOADED: &str = "dormouse_overloaded_total";
/// Aggregates in memory.
pub const RESIDENTS: &str = "dormouse_residents";
/// Bytes they are reckoned to take.
pub const RESIDENT_BYTES: &str = "dormouse_resident_bytes";
/// What they may take.
pub const MEMORY_BUDGET_BYTES: &str = "dormouse_memory_budget_bytes";
/// 1 while commands are taken, else 0.
pub const READY: &str = "dormouse_ready";
/// Commands and queries in flight.
pub const IN_FLIGHT: &str = "dormouse_in_flight";
/// How many there may be.
pub const IN_FLIGHT_LIMIT: &str = "dormouse_in_flight_limit";
/// Activations by `outcome` (done, failed).
pub const ACTIVATIONS: &str = "dormouse_activations_total";
/// Seconds an activation took on its reader thread.
pub const ACTIVATION_SECONDS: &str = "dormouse_activation_seconds";
/// Reader threads at work: activations that were admitted, look-ups of command ids.
pub const READERS_BUSY: &str = "dormouse_readers_busy";
/// Activations and look-ups that wait for a reader thread.
pub const ACTIVATIONS_WAITING: &str = "dormouse_activations_waiting";
/// Events folded by an activation.
pub const ACTIVATION_EVENTS: &str = "dormouse_activation_events";
/// Passivations by `cause` (idle, memory, operator).
pub const PASSIVATIONS: &str = "dormouse_passivations_total";
/// Snapshots stored.
pub const SNAPSHOTS_WRITTEN: &str = "dormouse_snapshots_written_total";
/// When the newest one was taken, in seconds since 1970.
pub const SNAPSHOT_WRITTEN_TIMESTAMP: &str = "dormouse_snapshot_written_timestamp_seconds";
/// Snapshots that could not be stored.
pub const SNAPSHOTS_FAILED: &str = "dormouse_snapshots_failed_total";
/// Snapshots given up because too many waited to be written.
pub const SNAPSHOTS_DROPPED: &str = "dormouse_snapshots_dropped_total";
/// Snapshots that wait to be written.
pub const SNAPSHOTS_WAITING: &str = "dormouse_snapshots_waiting";
/// Snapshots that could not be used at an activation.
pub const SNAPSHOTS_UNREADABLE: &str = "dormouse_snapshots_unreadable_total";
/// Command ids for which the store had to be asked, by `outcome` (found, new, failed).
pub const ID_LOOK_UPS: &str = "dormouse_command_id_look_ups_total";

/// The label `bound` of [`OVERLOADED`].
pub(crate) fn bound(bound: Bound) -> &'static str {
    match bound {
        Bound::Mailbox => "mailbox",
        Bound::Runtime => "runtime",
        _ => "other",
    }
}

/// Tells the installed recorder what each metric means, and makes what counts rare events begin at 0, so that the first
/// one shows as a step.
pub(crate) fn describe() {
    describe_commands();
    describe_residents();
    describe_snapshots();
    begin_at_zero();
}

fn begin_at_zero() {
    for name in [
        LONG_TURNS,
        PANICS,
        SNAPSHOTS_WRITTEN,
        SNAPSHOTS_FAILED,
        SNAPSHOTS_DROPPED,
        SNAPSHOTS_UNREADABLE,
    ] {
        counter!(name).increment(0);
    }
    for (name, label, values) in [
        (OVERLOADED, "bound", ["mailbox", "runtime"].as_slice()),
        (ACTIVATIONS, "outcome", &["done", "failed"]),
        (PASSIVATIONS, "cause", &["idle", "memory", "operator"]),
        (ID_LOOK_UPS, "outcome", &["found", "new", "failed"]),
    ] {
        for value in values {
            counter!(name, label => *value).increment(0);
        }
    }
}

fn describe_commands() {
    let meaning = "Commands by aggregate type, command type and outcome";
    describe_counter!(COMMANDS, Unit::Count, meaning);
    let meaning = "Turn of an entity: decide, encode, apply, hand over; at most one in 100 µs an arbiter";
    describe_histogram!(HANDLING_SECONDS, Unit::Seconds, meaning);
    let meaning = "From being taken in hand until durable, of each batch an arbiter is told of the oldest";
    describe_histogram!(COMMIT_WAIT_SECONDS, Unit::Seconds, meaning);
    describe_counter!(EVENTS, Unit::Count, "Events handed to the journal");
    describe_counter!(QUERIES, Unit::Count, "Queries answered");
    let meaning = "Commands in flight to one entity, sampled";
    describe_histogram!(MAILBOX_DEPTH, Unit::Count, meaning);
    describe_gauge!(READY, Unit::Count, "1 while commands are taken");
    describe_gauge!(IN_FLIGHT, Unit::Count, "Commands and queries in flight");
    let meaning = "How many commands and queries may be in flight";
    describe_gauge!(IN_FLIGHT_LIMIT, Unit::Count, meaning);
    let meaning = "Commands and queries answered overloaded, by bound";
    describe_counter!(OVERLOADED, Unit::Count, meaning);
    let meaning = "Command ids looked up in the store, by outcome";
    describe_counter!(ID_LOOK_UPS, Unit::Count, meaning);
    describe_counter!(LONG_TURNS, Unit::Count, "Turns longer than 10 ms");
    describe_counter!(PANICS, Unit::Count, "Panics of domain code");
}

fn describe_residents() {
    describe_gauge!(RESIDENTS, Unit::Count, "Aggregates in memory");
    let meaning = "Memory that resident aggregates are reckoned to take";
    describe_gauge!(RESIDENT_BYTES, Unit::Bytes, meaning);
    let meaning = "Memory that resident aggregates may take";
    describe_gauge!(MEMORY_BUDGET_BYTES, Unit::Bytes, meaning);
    describe_counter!(ACTIVATIONS, Unit::Count, "Aggregates woken, by outcome");
    let meaning = "Reading and folding an aggregate";
    describe_histogram!(ACTIVATION_SECONDS, Unit::Seconds, meaning);
    describe_histogram!(ACTIVATION_EVENTS, Unit::Count, "Events folded by an activation");
    let meaning = "Activations and look-ups that wait for a reader thread";
    describe_gauge!(ACTIVATIONS_WAITING, Unit::Count, meaning);
    describe_gauge!(READERS_BUSY, Unit::Count, "Reader threads at work");
    describe_counter!(PASSIVATIONS, Unit::Count, "Aggregates evicted, by cause");
}

fn describe_snapshots() {
    describe_counter!(SNAPSHOTS_WRITTEN, Unit::Count, "Snapshots stored");
    let meaning = "When the newest snapshot was taken";
    describe_gauge!(SNAPSHOT_WRITTEN_TIMESTAMP, Unit::Seconds, meaning);
    let meaning = "Snapshots that could not be stored";
    describe_counter!(SNAPSHOTS_FAILED, Unit::Count, meaning);
    let meaning = "Snapshots given up because too many waited";
    describe_counter!(SNAPSHOTS_DROPPED, Unit::Count, meaning);
    let meaning = "Snapshots that wait to be written";
    describe_gauge!(SNAPSHOTS_WAITING, Unit::Count, meaning);
    let meaning = "Snapshots that could not be used";
    describe_counter!(SNAPSHOTS_UNREADABLE, Unit::Count, meaning);
}
