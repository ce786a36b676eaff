//! What the admin API answers and the console shows.
//!
//! Versions, offsets, counts and sizes are JSON numbers. A reader whose numbers are floating point has them exactly up to
//! 2⁵³: at a million events a second, offsets pass that after 285 years.

mod aggregates;
mod jobs;
mod overview;
mod settings;
mod streams;
mod times;

pub(crate) use aggregates::{PassivatedView, Residents, SnapshotView, Types};
pub(crate) use jobs::{JobView, Jobs};
pub(crate) use overview::Overview;
pub(crate) use settings::{RuntimeSettingsView, StoreSettingsView};
pub(crate) use streams::{EventView, Events, StateView, Streams};
pub(crate) use times::Times;
