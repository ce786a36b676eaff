//! The bugs, and which harness is to see each.

/// A bug that can be planted (`persistence/src/planted.rs`), and the command line that is to turn red.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bug {
    pub(crate) name: &'static str,
    /// Without `--seed` and `--directory`.
    pub(crate) harness: &'static str,
}

/// Figures are a few times what a bug was seen to need.
pub(crate) const BUGS: [Bug; 13] = [
    bug("sync-off", "power --cuts 30"),
    bug("reply-before-durable", "kill --points 60"),
    bug("default-wal-mode", "rot --cases 600 --every 64"),
    bug("paranoid-checks-off", "rot --cases 600 --every 64"),
    bug("tail-after-index", "readers --readings 1000000"),
    bug("straggler-not-in-tail", "kill --points 60"),
    bug("gap-check-removed", "holes --holes 60"),
    bug("floor-not-raised", "readers --readings 1000000"),
    bug("snapshot-unchecked", "schemas --turns 20"),
    bug("eviction-unchecked", "readers --readings 1000000"),
    bug("panic-boundary-removed", "panics --panics 2000"),
    bug("position-before-runs", "kill --points 60"),
    bug("tail-not-refilled", "kill --points 60"),
];

const fn bug(name: &'static str, harness: &'static str) -> Bug {
    Bug { name, harness }
}
