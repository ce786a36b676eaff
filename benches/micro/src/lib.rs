//! What is measured in the small: paths through Dormouse on the in-memory store, each a closure that goes the same way as
//! often as it is told.
//!
//! Four programs go them: `cargo bench -p micro` takes their time (`benches/paths.rs`) and counts their allocations
//! (`benches/allocations.rs`), `make instructions` counts their instructions, `make spans` one path's processor time with spans (`src/bin/`). All through the public API, so
//! each path says what it includes.

mod account;
mod paths;

pub use account::{Account, Deposit, Entry, Never};
pub use paths::{Go, Path, deposits_64};
