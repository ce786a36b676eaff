//! The runtime's behaviour, through its public API, on the in-memory disk that tells pending from durable.

#![allow(clippy::unwrap_used, reason = "tests")]

mod admin;
mod adversity;
mod bad_input;
mod bank;
mod basics;
mod command_ids;
mod durability;
mod evolution;
mod metrics;
mod overload;
mod panics;
mod passivation;
mod property;
mod sampling;
mod secrets;
mod settings;
mod shutdown;
mod snapshots;
mod spans;
