//! S3-FIFO: who is the least valuable of all residents.
//!
//! Two queues in order of arrival: newcomers pass through a small one and leave from it unless they were used again, so
//! that a scan over many ids can't flush the ones that are used; what was used again, or comes back soon after an
//! eviction, lives in the main one. After Yang, Zhang, Qiu, Yue and Vinayak, "FIFO queues are all you need for cache
//! eviction", SOSP 2023.

use std::sync::Arc;

use super::ghosts::Ghosts;
use super::line::Line;
use crate::residency::Residency;

/// The small queue's share of all residents.
const SMALL_SHARE: usize = 10;

#[derive(Default)]
pub(super) struct Queues {
    pub(super) small: Line,
    pub(super) main: Line,
    pub(super) ghosts: Ghosts,
}

impl Queues {
    pub(super) fn residents(&self) -> usize {
        self.small.len() + self.main.len()
    }

    /// A new resident; `ghost` is its id's hash.
    pub(super) fn add(&mut self, resident: Arc<Residency>, ghost: u64) {
        if self.ghosts.take(ghost) {
            self.main.push_back(resident);
        } else {
            self.small.push_back(resident);
        }
    }

    /// The least valuable one, out of its queue.
    pub(super) fn candidate(&mut self) -> Option<Arc<Residency>> {
        let rounds = 2 * self.residents() + 2;
        for _ in 0..rounds {
            // true, too, while the main queue is empty
            if self.small.len() * SMALL_SHARE > self.residents() {
                let newcomer = self.small.pop_front()?;
                // its first command is what brought it here
                if newcomer.frequency() <= 1 || newcomer.is_gone() {
                    return Some(newcomer);
                }
                self.main.push_back(newcomer);
            } else {
                let settled = self.main.pop_front()?;
                if settled.frequency() == 0 || settled.is_gone() {
                    return Some(settled);
                }
                settled.cool();
                self.main.push_back(settled);
            }
        }
        self.main.pop_front()
    }

    /// It was evicted.
    pub(super) fn remember(&mut self, ghost: u64) {
        self.ghosts.remember(ghost, self.residents());
    }
}
