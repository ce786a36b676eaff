//! What this machine can do at all, measured in the same minutes as the program.

pub(crate) mod actors;
pub(crate) mod put;
pub(crate) mod rocks;
pub(crate) mod scan;
pub(crate) mod segments;
pub(crate) mod stored_log;
pub(crate) mod sync;
