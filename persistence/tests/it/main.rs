//! Behaviour of the store, through its public face.
#![allow(missing_docs, unreachable_pub)]

mod client;
mod corruption;
mod faults;
mod format;
mod memory;
mod model;
mod suite;
