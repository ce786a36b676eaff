//! The ops server from outside, over real sockets.

mod api;
mod audit;
mod bank;
mod client;
mod contract;
mod health;
mod jobs;
mod metrics;
mod mounted;
mod prometheus;
mod safety;
mod tls;
mod tokens;
