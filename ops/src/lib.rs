//! Operating Dormouse: metrics, health, an admin API and a web console, on a port of their own or inside a service's own
//! actix-web app.
//!
//! ```
//! use dormouse_ops::Ops;
//! use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
//! use dormouse_runtime::Dormouse;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! // First, so that nothing goes uncounted, and so that it can tell how far opening the store has come.
//! let ops = Ops::builder().bind("127.0.0.1:0").start()?;
//! println!("console: {}", ops.url());
//!
//! let options = StoreOptions::default().progress(ops.opening());
//! let store = Store::on_memory(&MemoryDisk::new(), options)?; // a service: `Store::open_with("bank", options)`
//! let runtime = Dormouse::builder(store).start().await?;
//! ops.attach(&runtime);
//! // … the service serves, and at its end:
//! runtime.shutdown().await?;
//! ops.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! For a look at a runtime that runs already, `let ops = Ops::beside(&runtime)?;` is all.

mod api;
mod aside;
mod attached;
mod builder;
mod connection;
mod console;
mod error;
mod exposition;
mod format;
mod guard;
mod health;
mod jobs;
mod login;
mod metrics;
mod ops;
#[cfg(feature = "otel")]
pub mod otel;
mod paths;
mod problem;
mod process;
mod readiness;
mod recorder;
mod routes;
mod scope;
mod server;
mod tls;

pub use builder::Builder;
pub use error::StartError;
pub use guard::TokenError;
pub use ops::Ops;
pub use scope::Scope;

/// The page's examples are compiled with the tests of the documentation; here, since some are of services on actix-web.
#[cfg(all(doctest, feature = "otel"))]
#[doc = include_str!("../../docs/operations.md")]
struct Operations;
