//! The ops server from outside, over real sockets.

mod client;
mod health;
mod prometheus;
mod safety;
mod tokens;
