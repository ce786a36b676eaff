//! The actor runtime of Dormouse: each aggregate is an actix actor that wakes with its first command, takes commands
//! one at a time, answers once its events are durable, and is evicted when it is idle or memory is short.
//!
//! Start one with [`Dormouse::builder`]; the facade crate `dormouse` shows it in use.

mod activation;
mod actor;
pub mod admin;
mod builder;
mod call;
mod command_metrics;
mod command_names;
mod directory;
mod dormouse;
mod entity;
mod entity_core;
mod entries;
mod error;
mod execute;
mod lane;
mod messages;
pub mod metric_names;
mod nudge;
mod options;
mod parking;
mod propagation;
mod query;
mod readers;
mod readiness;
mod receipt;
mod registered;
mod residency;
mod residents;
#[cfg(shuttle)]
#[cfg(test)]
mod schedules;
mod seldom;
mod sending;
mod settings;
mod shared;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub mod simulation;
mod snapshots;
mod spans;
mod statistics;
mod sweeper;
mod sync;
mod system;
mod type_map;
mod waiting;

#[cfg(panic = "abort")]
compile_error!(
    "Dormouse keeps a panic of domain code inside its own aggregate: build with panic = \"unwind\""
);

pub use admin::Admin;
pub use builder::Builder;
pub use dormouse::Dormouse;
pub use dormouse_persistence::Distribution;
pub use entity::Entity;
pub use error::{EntityError, QueryError, ReadError, ShutdownError, StartError};
pub use execute::{Execute, ExecuteReceipt, Executing, ExecutingReceipt};
pub use propagation::TracePropagation;
pub use query::{Query, Querying};
pub use readiness::Readiness;
pub use receipt::Receipt;
pub use settings::RuntimeSettings;
pub use statistics::Statistics;
