//! The ids of those that were evicted not long ago, as hashes: one that comes back soon is no newcomer.

use std::collections::{HashSet, VecDeque};

/// Ids remembered after their eviction, at least.
pub(super) const GHOSTS_MIN: usize = 1_024;

#[derive(Default)]
pub(super) struct Ghosts {
    /// Oldest first. One that came back is let go of with its turn.
    order: VecDeque<u64>,
    set: HashSet<u64>,
}

impl Ghosts {
    /// Forgets this one; whether it was known.
    pub(super) fn take(&mut self, ghost: u64) -> bool {
        self.set.remove(&ghost)
    }

    /// Remembers it among as many as there are residents, or a few more: beyond that the oldest are forgotten.
    pub(super) fn remember(&mut self, ghost: u64, residents: usize) {
        if self.set.insert(ghost) {
            self.order.push_back(ghost);
        }
        while self.order.len() > residents.max(GHOSTS_MIN) {
            if let Some(oldest) = self.order.pop_front() {
                self.set.remove(&oldest);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn sizes(&self) -> (usize, usize) {
        (self.order.len(), self.set.len())
    }
}
