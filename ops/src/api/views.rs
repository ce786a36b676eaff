//! What the admin API answers and the console shows.
//!
//! Versions, offsets, counts and sizes are JSON numbers. A reader whose numbers are floating point has them exactly up to
//! 2⁵³: at a million events a second, offsets pass that after 285 years.

mod overview;

pub(crate) use overview::Overview;
