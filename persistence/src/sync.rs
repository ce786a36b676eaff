//! Locks, atomics, threads and the swapped pointer, as the rest of the crate takes them.
//!
//! They are those of `parking_lot`, `std` and `arc_swap` under other names, at no cost. With `--cfg shuttle` they are
//! those of a scheduler that decides who runs at each of them, so that the schedules of the code itself, not of a model of
//! it, can be explored: `make schedules`, docs/torture.md.

#[cfg(shuttle)]
mod explore;
#[cfg(shuttle)]
mod explored;

#[cfg(not(shuttle))]
pub(crate) use arc_swap::{ArcSwap, Cache, Guard};
#[cfg(not(shuttle))]
pub(crate) use parking_lot::{Condvar, Mutex, MutexGuard, RwLock, RwLockReadGuard};
#[cfg(not(shuttle))]
pub(crate) use std::{sync::atomic, thread};

#[cfg(shuttle)]
pub use self::explore::explore;
#[cfg(shuttle)]
pub use self::explored::{
    ArcSwap, Cache, Condvar, Guard, Mutex, MutexGuard, RwLock, RwLockReadGuard, RwLockWriteGuard, atomic,
    thread,
};
