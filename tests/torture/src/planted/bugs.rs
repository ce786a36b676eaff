//! The bugs, which harness is to see each, and as what.

use super::trial::Broken;

/// A bug that can be planted (`persistence/src/planted.rs`), and the command line that is to turn red.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bug {
    pub(crate) name: &'static str,
    /// Without `--seed` and `--directory`.
    pub(crate) harness: &'static str,
    /// What it breaks. A harness that is red by another promise, or came to no end, has not seen this bug.
    pub(crate) breaks: &'static [&'static str],
}

/// Figures are a few times what a bug was seen to need.
pub(crate) const BUGS: [Bug; 13] = [
    bug("sync-off", "power --cuts 30", &["P1", "P2"]),
    bug("reply-before-durable", "kill --points 60", &["P1"]),
    bug("default-wal-mode", "rot --cases 600 --every 64", &["P5"]),
    // one case of each kind: what RocksDB should refuse after an error, it goes on with, and reopening does not end
    bug(
        "paranoid-checks-off",
        "ioerr --first 9 --cases 11 --stall-ms 1000",
        &["P11"],
    ),
    bug("tail-after-index", "readers --readings 1000000", &["P2", "P4"]),
    // a retry that is not recognized takes effect again
    bug("straggler-not-in-tail", "kill --points 60", &["P6"]),
    bug("gap-check-removed", "holes --holes 60", &["P5"]),
    bug("floor-not-raised", "readers --readings 1000000", &["P6"]),
    bug("snapshot-unchecked", "schemas --turns 20", &["P8"]),
    bug("eviction-unchecked", "readers --readings 1000000", &["P7"]),
    bug("panic-boundary-removed", "panics --panics 2000", &["P10"]),
    // what is not indexed and not read back is missing: in the middle of a stream it is a gap, at its end a loss
    bug("position-before-runs", "kill --points 60", &["P1", "P4"]),
    bug("tail-not-refilled", "kill --points 60", &["P1", "P4"]),
];

const fn bug(name: &'static str, harness: &'static str, breaks: &'static [&'static str]) -> Bug {
    Bug {
        name,
        harness,
        breaks,
    }
}

impl Bug {
    /// The first promise that is broken, of those that this bug breaks.
    pub(crate) fn broken_in(&self, broken: &[Broken]) -> Option<&'static str> {
        let mut promises = broken.iter().map(|broken| broken.promise.as_str());
        promises.find_map(|promise| self.breaks.iter().copied().find(|breaks| *breaks == promise))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn broken(promises: &[&str]) -> Vec<Broken> {
        let broken = |promise: &&str| Broken {
            promise: (*promise).to_owned(),
            what: String::new(),
        };
        promises.iter().map(broken).collect()
    }

    #[test]
    fn another_promise_is_no_catch() {
        let bug = bug("one", "kill", &["P1", "P4"]);
        assert_eq!(bug.broken_in(&broken(&["P11", "P4", "P1"])), Some("P4"));
        assert_eq!(bug.broken_in(&broken(&["P11", "none", "harness"])), None);
    }
}
