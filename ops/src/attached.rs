//! What all handlers share: the runtime, once there is one.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use dormouse_runtime::Dormouse;

use crate::console::Live;

/// Shared by all handlers of one [`Ops`](crate::Ops).
pub(crate) struct Attached {
    /// What every link of the console begins with: empty, or where the scope is mounted, such as `/ops`.
    pub(crate) base: String,
    /// What its pages are kept up to date by.
    pub(crate) live: Live,
    runtime: Arc<ArcSwapOption<Dormouse>>,
}

impl Attached {
    pub(crate) fn new(base: String) -> Self {
        let runtime = Arc::new(ArcSwapOption::empty());
        Self {
            base,
            live: Live::start(Arc::clone(&runtime)),
            runtime,
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
