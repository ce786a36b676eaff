//! The rules of one aggregate, pure: no clock, no disk, no actor. The actor is a shell that performs what these return.

mod command_ids;
mod entity_core;

pub(crate) use command_ids::{CommandIds, Seen, Verdict};
pub(crate) use entity_core::{Commanded, EntityCore, Identified, Identity, SnapshotDue, Turn};
