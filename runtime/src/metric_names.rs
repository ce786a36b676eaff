//! Every metric the runtime records, with its unit and meaning. Labels are bounded: aggregate type, command type,
//! outcome, cause; never an id.

use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

/// Commands by `aggregate`, `command` and `outcome` (committed, replied, replayed, refused, not_done).
pub(crate) const COMMANDS: &str = "dormouse_commands_total";
/// Seconds an entity's turn took: decide, encode, apply, hand over. At most one in 100 µs on each arbiter.
pub(crate) const HANDLING_SECONDS: &str = "dormouse_command_handling_seconds";
/// Seconds from when a command was taken in hand until its commit was durable. One of each batch that an arbiter is
/// told of, its oldest.
pub(crate) const COMMIT_WAIT_SECONDS: &str = "dormouse_commit_wait_seconds";
/// Commands in flight to one entity, sampled at its turns.
pub(crate) const MAILBOX_DEPTH: &str = "dormouse_mailbox_depth";
/// Turns that held an arbiter for more than 10 ms.
pub(crate) const LONG_TURNS: &str = "dormouse_long_turns_total";
/// Panics of domain code.
pub(crate) const PANICS: &str = "dormouse_panics_total";
/// Commands and queries answered *overloaded*, by `bound`.
pub(crate) const OVERLOADED: &str = "dormouse_overloaded_total";
/// Aggregates in memory.
pub(crate) const RESIDENTS: &str = "dormouse_residents";
/// Bytes they are reckoned to take.
pub(crate) const RESIDENT_BYTES: &str = "dormouse_resident_bytes";
/// Commands and queries in flight.
pub(crate) const IN_FLIGHT: &str = "dormouse_in_flight";
/// Activations by `outcome` (done, failed).
pub(crate) const ACTIVATIONS: &str = "dormouse_activations_total";
/// Seconds an activation took on its reader thread.
pub(crate) const ACTIVATION_SECONDS: &str = "dormouse_activation_seconds";
/// Activations that wait for a reader thread.
pub(crate) const ACTIVATIONS_WAITING: &str = "dormouse_activations_waiting";
/// Events folded by an activation.
pub(crate) const ACTIVATION_EVENTS: &str = "dormouse_activation_events";
/// Passivations by `cause` (idle, memory).
pub(crate) const PASSIVATIONS: &str = "dormouse_passivations_total";
/// Snapshots stored.
pub(crate) const SNAPSHOTS_WRITTEN: &str = "dormouse_snapshots_written_total";
/// Snapshots that could not be used at an activation.
pub(crate) const SNAPSHOTS_UNREADABLE: &str = "dormouse_snapshots_unreadable_total";
/// Command ids for which the store had to be asked.
pub(crate) const ID_LOOK_UPS: &str = "dormouse_command_id_look_ups_total";

/// Tells the installed recorder what each metric means.
pub(crate) fn describe() {
    describe_counter!(
        COMMANDS,
        Unit::Count,
        "Commands by aggregate type, command type and outcome"
    );
    describe_histogram!(
        HANDLING_SECONDS,
        Unit::Seconds,
        "Turn of an entity: decide, encode, apply, hand over; at most one in 100 µs an arbiter"
    );
    describe_histogram!(
        COMMIT_WAIT_SECONDS,
        Unit::Seconds,
        "From being taken in hand until durable, of each batch an arbiter is told of the oldest"
    );
    describe_histogram!(
        MAILBOX_DEPTH,
        Unit::Count,
        "Commands in flight to one entity, sampled"
    );
    describe_counter!(LONG_TURNS, Unit::Count, "Turns longer than 10 ms");
    describe_counter!(PANICS, Unit::Count, "Panics of domain code");
    describe_counter!(OVERLOADED, Unit::Count, "Commands answered overloaded, by bound");
    describe_gauge!(RESIDENTS, Unit::Count, "Aggregates in memory");
    describe_gauge!(
        RESIDENT_BYTES,
        Unit::Bytes,
        "Memory that resident aggregates are reckoned to take"
    );
    describe_gauge!(IN_FLIGHT, Unit::Count, "Commands and queries in flight");
    describe_counter!(ACTIVATIONS, Unit::Count, "Aggregates woken, by outcome");
    describe_histogram!(
        ACTIVATION_SECONDS,
        Unit::Seconds,
        "Reading and folding an aggregate"
    );
    describe_gauge!(
        ACTIVATIONS_WAITING,
        Unit::Count,
        "Activations that wait for a reader thread"
    );
    describe_histogram!(ACTIVATION_EVENTS, Unit::Count, "Events folded by an activation");
    describe_counter!(PASSIVATIONS, Unit::Count, "Aggregates evicted, by cause");
    describe_counter!(SNAPSHOTS_WRITTEN, Unit::Count, "Snapshots stored");
    describe_counter!(
        SNAPSHOTS_UNREADABLE,
        Unit::Count,
        "Snapshots that could not be used"
    );
    describe_counter!(ID_LOOK_UPS, Unit::Count, "Command ids looked up in the store");
}
