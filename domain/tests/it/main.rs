//! Behaviour of the domain crate, as a user of it sees it.

// Also in functions that tests share, which clippy does not take for tests.
#![allow(clippy::unwrap_used)]

mod command_derive;
mod compile_fail;
mod event_derive;
mod fold;
mod ids;
mod messages;
mod metadata;
mod state_fingerprint;
mod test_kit;
