//! A queue of residents whose places are numbered, so that who goes along it in steps skips nobody.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::residency::Residency;

#[derive(Default)]
pub(super) struct Line {
    waiting: VecDeque<Arc<Residency>>,
    /// How many have left it, wherever they stood. Whoever stands at `place` now stands at it or before it later, and
    /// never before `number(place) - left`.
    left: u64,
}

impl Line {
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    pub(super) fn push_back(&mut self, resident: Arc<Residency>) {
        self.waiting.push_back(resident);
    }

    pub(super) fn pop_front(&mut self) -> Option<Arc<Residency>> {
        let first = self.waiting.pop_front()?;
        self.left += 1;
        Some(first)
    }

    pub(super) fn drain(&mut self) -> impl Iterator<Item = Arc<Residency>> + '_ {
        self.left += self.waiting.len() as u64;
        self.waiting.drain(..)
    }

    pub(super) fn retain(&mut self, stays: impl FnMut(&Arc<Residency>) -> bool) {
        let before = self.waiting.len();
        self.waiting.retain(stays);
        self.left += (before - self.waiting.len()) as u64;
    }

    /// Up to `count` residents from the place `from` on.
    pub(super) fn range(&self, from: usize, count: usize) -> impl Iterator<Item = &Arc<Residency>> {
        self.waiting.iter().skip(from).take(count)
    }

    /// The number by which a place is found again.
    pub(super) fn number(&self, place: usize) -> u64 {
        self.left + place as u64
    }

    /// Where whoever had this number stands now, or somebody before.
    pub(super) fn place(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.left)).unwrap_or(usize::MAX)
    }
}
