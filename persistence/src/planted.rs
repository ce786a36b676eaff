//! Bugs, planted on purpose: `tests/torture` shows with them that its harnesses see.
//!
//! They are in a program only if it is built with `--cfg planted_bugs`, which nothing but torture does, and then one of
//! them is chosen by name as it runs. No cargo feature: any crate of a program could switch that on for the whole of it.
//! And one for all bugs: each more would be a build of everything, and the runs take less time than the builds.

/// A bug that can be planted: what a real one would do, at the place where it would be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Planted {
    /// The log is written without a sync.
    SyncOff,
    /// A reply goes to its caller while its commit is still on its way to the disk.
    ReplyBeforeDurable,
    /// The log's WALs are recovered up to the first damage, as RocksDB does it by default, and not judged before.
    DefaultWalMode,
    /// RocksDB opens whatever is still there.
    ParanoidChecksOff,
    /// A reader takes the tail after it read the index.
    TailAfterIndex,
    /// A command id is looked for in the index, but not in the tail.
    StragglerNotInTail,
    /// A gap in a stream's versions is read over.
    GapCheckRemoved,
    /// Ids leave an aggregate's memory, and later ones are not held against them.
    FloorNotRaised,
    /// A snapshot is used whatever schema it was taken of.
    SnapshotUnchecked,
    /// An aggregate is evicted with commands in flight to it.
    EvictionUnchecked,
    /// A panic of domain code is not caught.
    PanicBoundaryRemoved,
    /// The indexed position is stored before the rows it speaks for.
    PositionBeforeRuns,
    /// What was not indexed yet is not read back on opening.
    TailNotRefilled,
}

/// Whether this bug is planted here: never, in a build for anything else.
#[cfg(not(planted_bugs))]
#[inline(always)]
#[must_use]
pub const fn planted(_: Planted) -> bool {
    false
}

#[cfg(planted_bugs)]
pub use chosen::planted;

#[cfg(planted_bugs)]
mod chosen {
    use std::sync::OnceLock;

    use super::Planted;

    /// Names the bug. Child processes inherit it.
    const VARIABLE: &str = "DORMOUSE_PLANTED";

    const NAMES: [(&str, Planted); 13] = [
        ("sync-off", Planted::SyncOff),
        ("reply-before-durable", Planted::ReplyBeforeDurable),
        ("default-wal-mode", Planted::DefaultWalMode),
        ("paranoid-checks-off", Planted::ParanoidChecksOff),
        ("tail-after-index", Planted::TailAfterIndex),
        ("straggler-not-in-tail", Planted::StragglerNotInTail),
        ("gap-check-removed", Planted::GapCheckRemoved),
        ("floor-not-raised", Planted::FloorNotRaised),
        ("snapshot-unchecked", Planted::SnapshotUnchecked),
        ("eviction-unchecked", Planted::EvictionUnchecked),
        ("panic-boundary-removed", Planted::PanicBoundaryRemoved),
        ("position-before-runs", Planted::PositionBeforeRuns),
        ("tail-not-refilled", Planted::TailNotRefilled),
    ];

    /// Whether this bug was chosen.
    ///
    /// # Panics
    /// If the variable names no bug: a harness must not turn green because of a misspelt name.
    #[must_use]
    pub fn planted(bug: Planted) -> bool {
        static CHOSEN: OnceLock<Option<Planted>> = OnceLock::new();
        let chosen = CHOSEN.get_or_init(|| std::env::var(VARIABLE).ok().map(|name| by_name(&name)));
        *chosen == Some(bug)
    }

    fn by_name(name: &str) -> Planted {
        let found = NAMES.iter().find(|(known, _)| *known == name);
        let (_, bug) = found.unwrap_or_else(|| panic!("{VARIABLE}={name} names no bug; they are {NAMES:?}"));
        *bug
    }
}
