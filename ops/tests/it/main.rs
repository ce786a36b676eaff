//! The ops server from outside, over real sockets.
#![allow(clippy::unwrap_used, reason = "tests")]

mod api;
mod audit;
mod bank;
mod client;
mod console;
mod contract;
mod head;
mod health;
mod held_up;
mod jobs;
mod metrics;
mod mounted;
#[cfg(feature = "otel")]
mod otel;
mod pages;
mod prometheus;
mod refusals;
mod safety;
mod session;
mod tls;
mod tokens;
