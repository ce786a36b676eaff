//! The ops server from outside, over real sockets.

mod client;
mod health;
mod safety;
mod tokens;
