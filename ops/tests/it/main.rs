//! The ops server from outside, over real sockets.

mod client;
mod console;
mod health;
mod safety;
mod tokens;
