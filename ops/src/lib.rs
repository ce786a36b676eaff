//! Operating Dormouse: metrics, health, an admin API and a web console, on a port of their own or inside a service's own
//! actix-web app.
//!
//! ```
//! use dormouse_ops::Ops;
//! use dormouse_persistence::Store;
//! use dormouse_runtime::Dormouse;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! // First, so that nothing goes uncounted, and so that it can say that the store is being opened.
//! let ops = Ops::builder().bind("127.0.0.1:0").start()?;
//! let runtime = Dormouse::builder(Store::in_memory()).start().await?;
//! ops.attach(&runtime);
//! println!("console: {}", ops.url());
//! # runtime.shutdown().await?;
//! # ops.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod attached;
mod console;
mod health;
mod ops;
mod routes;
mod server;

pub use ops::{Builder, Ops, StartError};
