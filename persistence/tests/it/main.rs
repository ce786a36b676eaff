//! Behaviour of the store, through its public face.
#![allow(missing_docs, unreachable_pub, clippy::unwrap_used, reason = "tests")]

mod adversity;
#[cfg(feature = "rocksdb")]
mod adversity_disk;
#[cfg(feature = "rocksdb")]
mod checkpoint;
#[cfg(feature = "rocksdb")]
mod child;
mod client;
#[cfg(feature = "rocksdb")]
mod compaction;
mod corruption;
#[cfg(feature = "rocksdb")]
mod damage;
#[cfg(feature = "rocksdb")]
mod disk;
mod faults;
mod format;
mod memory;
mod model;
mod suite;
