//! What all handlers share: the runtime, once there is one.

use arc_swap::ArcSwapOption;
use dormouse_runtime::Dormouse;

/// Shared by all handlers of one [`Ops`](crate::Ops).
pub(crate) struct Attached {
    /// What every link of the console begins with: empty, or where the scope is mounted, such as `/ops`.
    pub(crate) base: String,
    runtime: ArcSwapOption<Dormouse>,
}

impl Attached {
    pub(crate) fn new(base: String) -> Self {
        Self {
            base,
            runtime: ArcSwapOption::empty(),
        }
    }

    pub(crate) fn attach(&self, runtime: &Dormouse) {
        self.runtime.store(Some(runtime.clone().into()));
    }

    /// None while the store is being opened.
    pub(crate) fn runtime(&self) -> Option<Dormouse> {
        self.runtime.load().as_deref().cloned()
    }
}
