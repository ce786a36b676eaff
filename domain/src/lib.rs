//! What a service writes down about its business when it uses Dormouse: aggregates, their commands and events. Pure: no
//! I/O, no async, no clock but the one handed in.
//!
//! An [`Aggregate`] is a consistency boundary with an id. Its state is the fold of its [`Event`]s. A [`Command`] asks it
//! to do something; its [handler](Handle) looks at the state and answers with a [`Decision`] (events, and a reply) or
//! refuses. Nothing else changes the state.
//!
//! ```
//! # use dormouse_domain as dormouse;
//! use dormouse::testing::given;
//! use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Account {
//!     cents: i64,
//! }
//!
//! #[derive(Debug, PartialEq, Event)]
//! enum Entry {
//!     Deposited { cents: i64 },
//!     Withdrawn { cents: i64 },
//! }
//!
//! #[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
//! #[error("{short} cents short")]
//! struct Overdrawn {
//!     short: i64,
//! }
//!
//! #[derive(Serialize, Deserialize, Command)]
//! struct Deposit {
//!     cents: i64,
//! }
//!
//! #[derive(Serialize, Deserialize, Command)]
//! #[command(reply = i64)]
//! struct Withdraw {
//!     cents: i64,
//! }
//!
//! impl Aggregate for Account {
//!     const TYPE: &'static str = "account";
//!     type Event = Entry;
//!     type Error = Overdrawn;
//!
//!     fn apply(&mut self, event: &Entry) {
//!         match event {
//!             Entry::Deposited { cents } => self.cents += cents,
//!             Entry::Withdrawn { cents } => self.cents -= cents,
//!         }
//!     }
//! }
//!
//! impl Handle<Deposit> for Account {
//!     fn handle(&self, command: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
//!         Ok(Decision::event(Entry::Deposited { cents: command.cents }))
//!     }
//! }
//!
//! impl Handle<Withdraw> for Account {
//!     fn handle(&self, command: Withdraw, _: &CommandContext<'_>) -> Decided<Self, Withdraw> {
//!         if command.cents > self.cents {
//!             return Err(Overdrawn { short: command.cents - self.cents });
//!         }
//!         Ok(Decision::event(Entry::Withdrawn { cents: command.cents }).reply(|after| after.cents))
//!     }
//! }
//!
//! given::<Account>([])
//!     .when(Deposit { cents: 800 })
//!     .then_events([Entry::Deposited { cents: 800 }]);
//!
//! given::<Account>([Entry::Deposited { cents: 800 }])
//!     .when(Withdraw { cents: 500 })
//!     .then_events([Entry::Withdrawn { cents: 500 }])
//!     .then_reply(300);
//!
//! given::<Account>([])
//!     .when(Withdraw { cents: 500 })
//!     .then_refused(Overdrawn { short: 500 });
//! ```
//!
//! # Where to look
//!
//! | for | see |
//! |---|---|
//! | the business | [`Aggregate`], [`Handle`], [`Command`], [`Event`], [`Decision`], [`CommandContext`] |
//! | tests of it | [`testing`] |
//! | what a caller gets | [`CommandError`]: refused, not done, unknown |
//! | names and numbers | [`AggregateId`], [`StreamId`], [`Version`], [`Position`], [`CommandId`], [`EventId`], [`Timestamp`] |
//! | bytes | [`Codec`], [`Metadata`], [`SchemaVersion`], [`limits`] |
//! | changing what is stored | [`Event`] for upcasters, [`Aggregate::STATE_VERSION`] and [`state_fingerprint()`] for snapshots |
//!
//! What is stored must stay readable: give a variant whose fields change a new version with an upcaster, keep the names
//! of variants and aggregate types, and run the test kit, which finds values that don't survive their codec.

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
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod id;
pub mod limits;
mod metadata;
mod position;
mod state_fingerprint;
pub mod testing;
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
pub use timestamp::{InvalidTimestamp, Timestamp};
pub use trace_context::{InvalidTraceParent, TraceContext};

pub use dormouse_macros::{Command, Event};
