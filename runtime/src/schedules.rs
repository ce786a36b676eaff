//! The runtime's hand-shakes under a scheduler that explores schedules: `torture schedules`, docs/torture.md.
//!
//! Entries, residencies, residents, calls and the whole store are the shipped code; what stands in are the actor and its
//! mailbox: a thread that takes from a channel until nobody can send any more.

mod calls;
mod eviction;
mod room;
