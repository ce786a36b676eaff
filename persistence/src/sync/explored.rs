//! The same names over shuttle's primitives. Each use of one is a point at which another thread may run.
//!
//! shuttle's atomics are all sequentially consistent, whatever order the code asks for.

use std::fmt;
use std::ops::{Deref, DerefMut};
use std::sync::{Arc, PoisonError};

pub use shuttle::sync::atomic;
pub use shuttle::thread;

/// Held by one at a time; without poisoning, as `parking_lot`'s.
#[derive(Default)]
pub struct Mutex<T>(shuttle::sync::Mutex<T>);

/// Empty only while a [`Condvar`] waits.
pub struct MutexGuard<'a, T>(Option<shuttle::sync::MutexGuard<'a, T>>);

impl<T> Mutex<T> {
    /// Free.
    pub fn new(value: T) -> Mutex<T> {
        Mutex(shuttle::sync::Mutex::new(value))
    }

    /// Waits until it is free.
    pub fn lock(&self) -> MutexGuard<'_, T> {
        MutexGuard(Some(self.0.lock().unwrap_or_else(PoisonError::into_inner)))
    }

    /// Nobody else can have it.
    pub fn get_mut(&mut self) -> &mut T {
        self.0.get_mut().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> fmt::Debug for Mutex<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mutex").finish_non_exhaustive()
    }
}

impl<T> Deref for MutexGuard<'_, T> {
    type Target = T;

    fn deref(&self) -> &T {
        self.0.as_ref().expect("whoever waits does not look")
    }
}

impl<T> DerefMut for MutexGuard<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        self.0.as_mut().expect("whoever waits does not look")
    }
}

/// What those wait on that hold a [`Mutex`].
#[derive(Default)]
pub struct Condvar(shuttle::sync::Condvar);

impl Condvar {
    /// Nobody waits.
    pub fn new() -> Condvar {
        Condvar::default()
    }

    /// Lets go of the mutex until it is notified.
    pub fn wait<T>(&self, guard: &mut MutexGuard<'_, T>) {
        let held = guard.0.take().expect("nobody waits twice");
        guard.0 = Some(self.0.wait(held).unwrap_or_else(PoisonError::into_inner));
    }

    /// The same, for as long as the condition holds.
    pub fn wait_while<T>(&self, guard: &mut MutexGuard<'_, T>, mut condition: impl FnMut(&mut T) -> bool) {
        while condition(guard) {
            self.wait(guard);
        }
    }

    /// Wakes one of those that wait.
    pub fn notify_one(&self) {
        self.0.notify_one();
    }

    /// Wakes all that wait.
    pub fn notify_all(&self) {
        self.0.notify_all();
    }
}

impl fmt::Debug for Condvar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Condvar").finish_non_exhaustive()
    }
}

/// Held by one that writes, or by many that read.
#[derive(Default)]
pub struct RwLock<T>(shuttle::sync::RwLock<T>);

/// Held for reading.
pub type RwLockReadGuard<'a, T> = shuttle::sync::RwLockReadGuard<'a, T>;
/// Held for writing.
pub type RwLockWriteGuard<'a, T> = shuttle::sync::RwLockWriteGuard<'a, T>;

impl<T> RwLock<T> {
    /// Free.
    pub fn new(value: T) -> RwLock<T> {
        RwLock(shuttle::sync::RwLock::new(value))
    }

    /// Waits until nobody writes.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until it is free.
    pub fn write(&self) -> RwLockWriteGuard<'_, T> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A stand-in for `arc_swap::ArcSwap`: what is loaded is the newest at that point.
#[derive(Default)]
pub struct ArcSwap<T>(Mutex<Arc<T>>);

/// A stand-in for `arc_swap::Guard`.
pub struct Guard<T>(T);

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> ArcSwap<T> {
    /// Holds this first.
    pub fn new(value: Arc<T>) -> ArcSwap<T> {
        ArcSwap(Mutex::new(value))
    }

    /// The same.
    pub fn from_pointee(value: T) -> ArcSwap<T> {
        ArcSwap::new(Arc::new(value))
    }

    /// What it holds now.
    pub fn load(&self) -> Guard<Arc<T>> {
        Guard(self.load_full())
    }

    /// What it holds now.
    pub fn load_full(&self) -> Arc<T> {
        Arc::clone(&self.0.lock())
    }

    /// Holds this from here on.
    pub fn store(&self, value: Arc<T>) {
        // what it held is dropped outside the lock: that may take other locks
        let before = std::mem::replace(&mut *self.0.lock(), value);
        drop(before);
    }
}

/// A stand-in for `arc_swap::Cache`.
pub struct Cache<S, T> {
    swap: S,
    held: T,
}

impl<T> Cache<Arc<ArcSwap<T>>, Arc<T>> {
    /// Holds what is there now.
    pub fn new(swap: Arc<ArcSwap<T>>) -> Self {
        let held = swap.load_full();
        Cache { swap, held }
    }

    /// What is there now.
    pub fn load(&mut self) -> &Arc<T> {
        self.held = self.swap.load_full();
        &self.held
    }
}
