//! The ops server from outside, over real sockets.

mod api;
mod bank;
mod client;
mod console;
mod contract;
mod health;
mod jobs;
mod metrics;
mod mounted;
mod safety;
mod tls;
mod tokens;
