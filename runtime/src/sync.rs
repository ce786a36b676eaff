//! Locks, atomics and the directory's map, as what hands over between threads takes them: `dashmap`'s, `parking_lot`'s and
//! `std`'s under other names, at no cost; with `--cfg shuttle` those of a scheduler that explores schedules
//! (docs/torture.md).

#[cfg(shuttle)]
mod map;

#[cfg(not(shuttle))]
pub(crate) use {
    dashmap::{DashMap, mapref::one::Ref},
    parking_lot::Mutex,
    std::sync::atomic,
};

#[cfg(shuttle)]
pub(crate) use {
    self::map::{DashMap, Ref},
    dormouse_persistence::sync::{Mutex, atomic},
};
