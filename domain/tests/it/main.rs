//! Behaviour of the domain crate, as a user of it sees it.

mod command_derive;
mod compile_fail;
mod event_derive;
