//! What the load harness asks for: its own `Step`, as far as this program makes it.

use std::path::PathBuf;

use serde::Deserialize;

/// One measurement.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Step {
    /// A directory for this step alone.
    pub(crate) directory: PathBuf,
    /// The random numbers' seed.
    pub(crate) seed: u64,
    pub(crate) work: Work,
}

/// The load harness has many kinds; this is the one for this program.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) enum Work {
    Peer(Peer),
}

#[derive(Debug, PartialEq, Deserialize)]
pub(crate) enum Peer {
    Traffic(Traffic),
    Cold(Cold),
}

/// Deposits, closed loop.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Traffic {
    /// Accounts that are chosen from evenly.
    pub(crate) ids: u64,
    pub(crate) clients: u64,
    /// Measured time; before it comes a warm-up.
    pub(crate) seconds: f64,
    pub(crate) store: Store,
}

/// The ways in which cqrs-es keeps aggregates. Each command loads its aggregate, whichever it is.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
pub(crate) enum Store {
    /// Events alone: loading reads the whole stream.
    Events,
    /// A snapshot after so many events: loading reads it and the events after it.
    Snapshots { every: usize },
    /// The newest state beside the events, written by each command: loading reads the state.
    Aggregates,
}

/// Waking one stream and one command to it, several times, each time another stream.
#[derive(Debug, PartialEq, Deserialize)]
pub(crate) struct Cold {
    pub(crate) events: u64,
    pub(crate) wakes: u64,
    /// Events a snapshot, for the streams that have them.
    pub(crate) snapshot_every: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The load harness tests that this is what it writes.
    #[test]
    fn the_step_of_the_load_harness_is_read() {
        let step: Step = serde_json::from_str(include_str!("../protocol/step.json")).unwrap();
        let traffic = Traffic {
            ids: 10_000,
            clients: 64,
            seconds: 3.0,
            store: Store::Events,
        };
        assert_eq!(step.work, Work::Peer(Peer::Traffic(traffic)));
    }
}
