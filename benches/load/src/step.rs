//! One measurement, described so that a process of its own can make it: what one leaves behind in memory, allocator or
//! caches must not colour the next.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// What to measure, and under which name it is reported.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Step {
    /// The scenario's name in tables and in the summary, such as `spread-512`.
    pub(crate) name: String,
    /// A directory for this step alone.
    pub(crate) directory: PathBuf,
    /// The random numbers' seed.
    pub(crate) seed: u64,
    pub(crate) work: Work,
}

/// The kinds of measurements.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Work {
    /// L0: one thread, `fdatasync` of 4 KiB.
    Sync { seconds: f64 },
    /// One thread, one synced RocksDB put of one record.
    Put { seconds: f64 },
    /// L1: one thread, the segments of the store in `from`, each one synced put.
    Segments { from: PathBuf },
    /// L2: one thread, the records of the same segments, one row each, a synced batch for each segment.
    Rows { from: PathBuf },
    /// Bare actix actors that hold the same state and nothing else: bytes each, and messages a second.
    Actors { count: u64 },
    /// Commands through the runtime.
    Traffic(Traffic),
    /// Waking streams of several lengths.
    Cold { lengths: Vec<u64>, wakes: u32 },
    /// Idle aggregates: bytes each.
    Resident { count: u64 },
    /// Many short streams and memory for a part of them: evictions and activations all the time.
    Zipf {
        ids: u64,
        events_each: u64,
        memory_share: f64,
        traffic: Traffic,
    },
    /// A store that grows; the process kills itself at the end.
    Grow { events: u64, clients: u64 },
    /// Opens the store that `Grow` left behind.
    Reopen { from: PathBuf },
    /// The demonstration, January only or the whole year.
    Flights { fast: bool },
    /// Called from an actix-web service under an HTTP load generator.
    Embedded { clients: u64, seconds: f64 },
    /// Somebody else's library and database, by the program `peers`.
    Peer(Peer),
}

/// What is asked of the program `peers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Peer {
    /// Deposits, closed loop. With more accounts than one each client has its own, so that none meets a conflict.
    Traffic {
        ids: u64,
        clients: u64,
        seconds: f64,
        store: PeerStore,
    },
    /// Waking streams, and one command to each.
    Cold {
        events: u64,
        wakes: u32,
        snapshot_every: u64,
    },
}

/// The ways in which cqrs-es keeps aggregates; each traffic has the one with which it is fastest.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum PeerStore {
    /// Events alone: the least writing, and reading a short stream costs little.
    Events,
    /// The newest state as well, so that no command reads a long stream.
    Aggregates,
}

/// Commands through the runtime.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Traffic {
    /// Accounts that are chosen from evenly.
    pub(crate) ids: u64,
    pub(crate) clients: u64,
    /// Measured time; before it comes a warm-up.
    pub(crate) seconds: f64,
    /// Ends earlier when so many commands are answered; 0 for no such limit.
    pub(crate) commands: u64,
    pub(crate) pace: Pace,
    pub(crate) what: What,
    pub(crate) watched: Watched,
    /// Readers that follow the log meanwhile.
    pub(crate) tails: u64,
    /// Where copies of the store are made meanwhile, one after the other.
    pub(crate) copies: Option<PathBuf>,
}

/// What looks at the runtime meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Watched {
    /// Nothing: its metrics are recorded by nobody.
    No,
    /// A metrics recorder, as a service would have one.
    Recorded,
    /// The ops server, scraped all the time, with a page of its console open.
    Operated,
}

/// When the next command is sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Pace {
    /// When the last one is answered, without thinking.
    Closed,
    /// At Poisson arrivals of so many a second, whatever the answers do; clients have no part in it.
    Open { per_second: f64 },
}

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum What {
    /// A deposit: one event of a realistic size, with a correlation id.
    Deposits,
    /// The same with a time-ordered command id; so many of a thousand are sent twice.
    Ids { retries_per_mille: u64 },
    /// Mostly queries: so many of a hundred.
    Mixed { queries_percent: u64 },
    /// One event of so many random bytes.
    Documents { bytes: usize },
}

impl Traffic {
    /// How many accounts `spread` goes to.
    pub(crate) const ACCOUNTS: u64 = 10_000;

    /// Deposits to 10,000 accounts, metrics on, closed loop.
    pub(crate) fn spread(clients: u64, seconds: f64) -> Self {
        Self {
            ids: Self::ACCOUNTS,
            clients,
            seconds,
            commands: 0,
            pace: Pace::Closed,
            what: What::Deposits,
            watched: Watched::Recorded,
            tails: 0,
            copies: None,
        }
    }
}
