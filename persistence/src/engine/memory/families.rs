//! What is derived, on a memory disk: rows by family, and what a crash takes back.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound::{Included, Unbounded};
use std::sync::Arc;

use super::Shared;
use crate::engine::Family;

/// A crash takes back at most so many runs: older ones count as flushed.
const UNSYNCED_RUNS_MAX: usize = 3;

type Map = BTreeMap<Arc<[u8]>, Arc<[u8]>>;

/// Rows by family.
#[derive(Default)]
pub(super) struct Families {
    maps: [Map; Family::ALL.len()],
    bytes: usize,
    /// For each of the newest runs: what each of its writes, and the single writes after it, replaced.
    undo: VecDeque<Vec<Undo>>,
}

struct Undo {
    family: Family,
    key: Arc<[u8]>,
    before: Option<Arc<[u8]>>,
}

impl Families {
    /// What is written from now on is lost or kept together.
    pub(super) fn begin_undo(&mut self) {
        self.undo.push_back(Vec::new());
        if self.undo.len() > UNSYNCED_RUNS_MAX {
            self.undo.pop_front();
        }
    }

    pub(super) fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        let key: Arc<[u8]> = key.into();
        let before = self.maps[family.index()].insert(key.clone(), value.into());
        self.bytes += value.len();
        match &before {
            Some(before) => self.bytes -= before.len(),
            None => self.bytes += key.len(),
        }
        if let Some(run) = self.undo.back_mut() {
            run.push(Undo { family, key, before });
        }
    }

    pub(super) fn get(&self, family: Family, key: &[u8]) -> Option<Vec<u8>> {
        self.maps[family.index()].get(key).map(|value| value.to_vec())
    }

    /// The last key at or before `from` that begins with `prefix`, or `from` itself if there is none.
    pub(super) fn first_at_or_before(&self, family: Family, prefix: &[u8], from: &[u8]) -> Vec<u8> {
        let before = self.maps[family.index()]
            .range::<[u8], _>((Unbounded, Included(from)))
            .next_back();
        before
            .filter(|(key, _)| key.starts_with(prefix))
            .map_or(from.to_vec(), |(key, _)| key.to_vec())
    }

    pub(super) fn piece(&self, family: Family, prefix: &[u8], from: &[u8], rows: usize) -> Vec<Shared> {
        let found = self.maps[family.index()].range::<[u8], _>((Included(from), Unbounded));
        let within = found.take_while(|(key, _)| key.starts_with(prefix)).take(rows);
        within.map(|(key, value)| (key.clone(), value.clone())).collect()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Nothing can be taken back any more.
    pub(super) fn sync(&mut self) {
        self.undo.clear();
        // Single writes after this and before the next run can be lost, too.
        self.undo.push_back(Vec::new());
    }

    /// Takes back what was not synced: whole runs, and the single writes after them.
    pub(super) fn lose_unsynced(&mut self) {
        let undo = std::mem::take(&mut self.undo);
        for undo in undo.into_iter().flatten().rev() {
            match undo.before {
                Some(before) => self.maps[undo.family.index()].insert(undo.key, before),
                None => self.maps[undo.family.index()].remove(&undo.key),
            };
        }
        self.count_bytes();
    }

    /// All rows of one family, to be changed by a test.
    pub(super) fn edit(&mut self, family: Family, edit: impl FnOnce(&mut BTreeMap<Vec<u8>, Vec<u8>>)) {
        let map = &mut self.maps[family.index()];
        let mut rows = map
            .iter()
            .map(|(key, value)| (key.to_vec(), value.to_vec()))
            .collect();
        edit(&mut rows);
        *map = rows
            .into_iter()
            .map(|(key, value)| (key.into(), value.into()))
            .collect();
        self.count_bytes();
    }

    fn count_bytes(&mut self) {
        let rows = self.maps.iter().flatten();
        self.bytes = rows.map(|(key, value)| key.len() + value.len()).sum();
    }
}
