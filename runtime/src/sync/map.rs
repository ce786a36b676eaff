//! A stand-in for `DashMap` under the scheduler's lock: all keys are in one shard.

use std::collections::HashMap;
use std::hash::{Hash, RandomState};
use std::ops::Deref;
use std::sync::Arc;

use dormouse_persistence::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

type Rows<K, V> = HashMap<K, Arc<V>>;

pub(crate) struct DashMap<K, V> {
    rows: RwLock<Rows<K, V>>,
    hasher: RandomState,
}

/// A row under its guard.
pub(crate) struct Ref<'a, K, V> {
    _guard: Guard<'a, K, V>,
    value: Arc<V>,
}

/// Only held, never looked through.
#[allow(dead_code)]
enum Guard<'a, K, V> {
    Reads(RwLockReadGuard<'a, Rows<K, V>>),
    Writes(RwLockWriteGuard<'a, Rows<K, V>>),
}

pub(crate) struct Entry<'a, K, V> {
    guard: RwLockWriteGuard<'a, Rows<K, V>>,
    key: K,
}

impl<K: Eq + Hash, V> DashMap<K, V> {
    pub(crate) fn new() -> Self {
        Self {
            rows: RwLock::default(),
            hasher: RandomState::new(),
        }
    }

    pub(crate) fn hasher(&self) -> &RandomState {
        &self.hasher
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.read().len()
    }

    pub(crate) fn get(&self, key: &K) -> Option<Ref<'_, K, V>> {
        let guard = self.rows.read();
        let value = Arc::clone(guard.get(key)?);
        Some(Ref {
            _guard: Guard::Reads(guard),
            value,
        })
    }

    pub(crate) fn entry(&self, key: K) -> Entry<'_, K, V> {
        let guard = self.rows.write();
        Entry { guard, key }
    }

    pub(crate) fn remove_if(&self, key: &K, condition: impl FnOnce(&K, &V) -> bool) -> Option<(K, Arc<V>)> {
        let mut guard = self.rows.write();
        let value = guard.get(key)?;
        if condition(key, value) {
            guard.remove_entry(key)
        } else {
            None
        }
    }
}

impl<'a, K: Eq + Hash, V> Entry<'a, K, V> {
    pub(crate) fn or_insert_with(mut self, make: impl FnOnce() -> V) -> Ref<'a, K, V> {
        let row = self.guard.entry(self.key);
        let value = Arc::clone(row.or_insert_with(|| Arc::new(make())));
        Ref {
            _guard: Guard::Writes(self.guard),
            value,
        }
    }
}

impl<K, V> Ref<'_, K, V> {
    /// Stays what it was, where the real one lets others read: nobody may write in between.
    pub(crate) fn downgrade(self) -> Self {
        self
    }
}

impl<K, V> Deref for Ref<'_, K, V> {
    type Target = V;

    fn deref(&self) -> &V {
        &self.value
    }
}
