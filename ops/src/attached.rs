//! What all handlers share: the runtime, once there is one, and how far its store's opening has come before.

use std::path::PathBuf;

use arc_swap::ArcSwapOption;
use dormouse_persistence::OpenProgress;
use dormouse_runtime::Dormouse;

/// Shared by all handlers of one [`Ops`](crate::Ops).
pub(crate) struct Attached {
    /// What every link of the console begins with: empty, or where the scope is mounted, such as `/ops`.
    pub(crate) base: String,
    /// The only directory that checkpoints are written below. None: none are made.
    pub(crate) backup_root: Option<PathBuf>,
    runtime: ArcSwapOption<Dormouse>,
    opening: ArcSwapOption<OpenProgress>,
}

impl Attached {
    pub(crate) fn new(base: String, backup_root: Option<PathBuf>) -> Self {
        Self {
            base,
            backup_root,
            runtime: ArcSwapOption::empty(),
            opening: ArcSwapOption::empty(),
        }
    }

    pub(crate) fn attach(&self, runtime: &Dormouse) {
        self.runtime.store(Some(runtime.clone().into()));
    }

    /// None while the store is being opened.
    pub(crate) fn runtime(&self) -> Option<Dormouse> {
        self.runtime.load().as_deref().cloned()
    }

    pub(crate) fn progressed(&self, progress: OpenProgress) {
        self.opening.store(Some(progress.into()));
    }

    /// How far reading the log has come; none before it was begun.
    pub(crate) fn opening(&self) -> Option<OpenProgress> {
        self.opening.load().as_deref().copied()
    }
}
