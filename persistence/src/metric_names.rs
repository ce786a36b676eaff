//! Every metric of this crate: name, unit, meaning. Recorded through the `metrics` facade once per batch or run,
//! never per commit.

/// Histogram, commits: how many commits one segment holds.
pub const JOURNAL_BATCH_COMMITS: &str = "dormouse_journal_batch_commits";
/// Histogram, bytes: how large one segment is.
pub const JOURNAL_BATCH_BYTES: &str = "dormouse_journal_batch_bytes";
/// Histogram, seconds: how long one synced append to the log takes.
pub const JOURNAL_SYNC_SECONDS: &str = "dormouse_journal_sync_seconds";
/// Histogram, seconds: how long the journal waited for room in the tail, each time that it had to. A histogram since
/// counters are whole numbers; its sum is the time in all.
pub const JOURNAL_ROOM_WAIT_SECONDS: &str = "dormouse_journal_room_wait_seconds";
/// Gauge, commits: submitted and not settled yet, as of the last batch.
pub const JOURNAL_QUEUE_COMMITS: &str = "dormouse_journal_queue_commits";
/// Counter, commits: settled as unknown because their write failed.
pub const JOURNAL_UNKNOWN_COMMITS: &str = "dormouse_journal_unknown_commits_total";
/// Counter, commits: settled as not done because their writer was stale.
pub const JOURNAL_STALE_COMMITS: &str = "dormouse_journal_stale_commits_total";
/// Gauge, bytes: memory taken by what is durable and not indexed yet.
pub const TAIL_BYTES: &str = "dormouse_tail_bytes";
/// Gauge, events: durable and not indexed yet.
pub const INDEX_LAG_EVENTS: &str = "dormouse_index_lag_events";
/// Histogram, seconds: how long one run takes to build and store.
pub const INDEX_RUN_SECONDS: &str = "dormouse_index_run_seconds";
/// Gauge, 1 or 0: whether the store has stopped writing.
pub const STORE_STOPPED: &str = "dormouse_store_stopped";

/// Tells the installed recorder units and meanings. Called when a store opens.
pub(crate) fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};

    describe_histogram!(JOURNAL_BATCH_COMMITS, Unit::Count, "Commits in one segment");
    describe_histogram!(JOURNAL_BATCH_BYTES, Unit::Bytes, "Size of one segment");
    describe_histogram!(
        JOURNAL_SYNC_SECONDS,
        Unit::Seconds,
        "Time of one synced append to the log"
    );
    describe_histogram!(
        JOURNAL_ROOM_WAIT_SECONDS,
        Unit::Seconds,
        "Time the journal waited for room in the tail"
    );
    describe_gauge!(
        JOURNAL_QUEUE_COMMITS,
        Unit::Count,
        "Commits submitted and not settled yet"
    );
    describe_counter!(JOURNAL_UNKNOWN_COMMITS, Unit::Count, "Commits whose write failed");
    describe_counter!(JOURNAL_STALE_COMMITS, Unit::Count, "Commits of stale writers");
    describe_gauge!(
        TAIL_BYTES,
        Unit::Bytes,
        "Memory taken by what is durable and not indexed yet"
    );
    describe_gauge!(
        INDEX_LAG_EVENTS,
        Unit::Count,
        "Events durable and not indexed yet"
    );
    describe_histogram!(
        INDEX_RUN_SECONDS,
        Unit::Seconds,
        "Time to build and store one run"
    );
    describe_gauge!(STORE_STOPPED, Unit::Count, "1 when the store has stopped writing");
}
