//! Aggregates, commands, events and decisions of Dormouse. Pure: no I/O, no async, no clock.

// So that the derives' generated code finds this crate by its name from inside, too.
#[allow(unused_extern_crates)]
extern crate self as dormouse_domain;

#[doc(hidden)]
#[path = "private.rs"]
#[allow(missing_docs)]
pub mod __private;
mod aggregate;
mod clock;
mod codec;
mod command;
mod command_id;
mod context;
mod decision;
mod error;
mod event;
mod event_id;
mod fold;
mod id;
pub mod limits;
mod metadata;
mod position;
mod state_fingerprint;
mod timestamp;
mod trace_context;

pub use aggregate::{Aggregate, Decided, Handle, Never};
pub use clock::{Clock, Moment};
pub use codec::{Codec, CodecError, SizeLimit};
pub use command::{Command, CommandFingerprint};
pub use command_id::CommandId;
pub use context::CommandContext;
pub use decision::Decision;
pub use error::{Bound, CommandError, NotDone, Unknown};
pub use event::{Event, EventDecodeError, EventType};
pub use event_id::EventId;
pub use fold::{FoldFailed, fold};
pub use id::{AggregateId, AggregateType, IdProblem, InvalidId, StreamId};
pub use metadata::{InvalidMetadata, Metadata};
pub use position::{Expected, Offset, Position, SchemaVersion, ShardId, Version};
pub use state_fingerprint::state_fingerprint;
pub use timestamp::Timestamp;
pub use trace_context::{InvalidTraceParent, TraceContext};

pub use dormouse_macros::{Command, Event};
