//! Event-sourced actors for Rust.
//!
//! An aggregate sleeps on disk, wakes with its first command, takes one command at a time, answers only once its events
//! are on disk, and goes back to sleep when it is idle. Dormouse is a library inside your service, with RocksDB inside
//! it: no server to run, no rows to lock, no conflicts to retry.
//!
//! # A tour
//!
//! An **aggregate** is a state and how events change it. A **command** is a request: its handler looks at the state and
//! decides which events happen, or refuses. Handlers are plain synchronous functions.
//!
//! ```
//! use dormouse::{Aggregate, Command, CommandContext, CommandError, CommandId, Decided, Decision};
//! use dormouse::{Dormouse, Event, Handle, Store};
//! use serde::{Deserialize, Serialize};
//!
//! #[derive(Default, Serialize, Deserialize)]
//! struct Account { cents: i64 }
//!
//! #[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
//! enum Entry { Deposited { cents: i64 }, Withdrawn { cents: i64 } }
//!
//! #[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
//! #[error("{short} cents short")]
//! struct Overdrawn { short: i64 }
//!
//! #[derive(Serialize, Deserialize, Command)]
//! #[command(reply = i64)]
//! struct Deposit { cents: i64 }
//!
//! #[derive(Serialize, Deserialize, Command)]
//! #[command(reply = i64)]
//! struct Withdraw { cents: i64 }
//!
//! impl Aggregate for Account {
//!     const TYPE: &'static str = "account";
//!     type Event = Entry;
//!     type Error = Overdrawn;
//!     fn apply(&mut self, event: &Entry) {
//!         match event {
//!             Entry::Deposited { cents } => self.cents += cents,
//!             Entry::Withdrawn { cents } => self.cents -= cents,
//!         }
//!     }
//! }
//!
//! impl Handle<Deposit> for Account {
//!     fn handle(&self, c: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
//!         Ok(Decision::event(Entry::Deposited { cents: c.cents }).reply(|after| after.cents))
//!     }
//! }
//!
//! impl Handle<Withdraw> for Account {
//!     fn handle(&self, c: Withdraw, _: &CommandContext<'_>) -> Decided<Self, Withdraw> {
//!         if c.cents > self.cents {
//!             return Err(Overdrawn { short: c.cents - self.cents });
//!         }
//!         Ok(Decision::event(Entry::Withdrawn { cents: c.cents }).reply(|after| after.cents))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // `Store::open("bank")?` keeps it on disk
//! let bank = Dormouse::builder(Store::in_memory()).aggregate::<Account>().start().await?;
//! let account = bank.entity::<Account>("acc-1")?;
//!
//! assert_eq!(account.execute(Deposit { cents: 700 }).await?, 700);
//!
//! // a command id makes a retry safe: it takes effect once, and gets the first reply again
//! let payment = CommandId::now();
//! assert_eq!(account.execute(Withdraw { cents: 500 }).id(payment).await?, 200);
//! assert_eq!(account.execute(Withdraw { cents: 500 }).id(payment).await?, 200);
//!
//! // the three ways not to get a reply: refused, not done, unknown
//! match account.execute(Withdraw { cents: 500 }).await {
//!     Err(CommandError::Refused(Overdrawn { short })) => assert_eq!(short, 300),
//!     other => panic!("expected a refusal, got {other:?}"),
//! }
//! assert_eq!(account.query(|state| state.cents).await?, 200);
//! bank.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! Test the rules without any runtime, with [`testing::given`]:
//!
//! ```ignore
//! given::<Account>([Entry::Deposited { cents: 300 }])
//!     .when(Withdraw { cents: 500 })
//!     .then_refused(Overdrawn { short: 200 });
//! ```
//!
//! # Where things are
//!
//! - [`Aggregate`], [`Handle`], [`Command`], [`Event`], [`Decision`]: what you write.
//! - [`Dormouse`], [`Entity`], [`Execute`]: what you call.
//! - [`CommandError`]: what went wrong, and above all whether anything happened.
//! - [`Store`]: the log and what is derived from it; `Store::open` and `Store::in_memory`.
//! - [`testing`]: given, when, then.
//!
//! # Features
//!
//! - `rocksdb` (default): the durable store. Without it there is only [`Store::in_memory`], which keeps nothing beyond
//!   the process: for trying things out, and for tests.

pub use dormouse_domain::{
    Aggregate, AggregateId, AggregateType, Bound, Clock, Codec, CodecError, Command, CommandContext,
    CommandError, CommandFingerprint, CommandId, Decided, Decision, Event, EventDecodeError, EventId,
    EventType, Expected, Handle, IdProblem, InvalidId, InvalidMetadata, Metadata, Moment, NotDone, Offset,
    Position, SchemaVersion, ShardId, SizeLimit, StreamId, Timestamp, TraceContext, Unknown, Version, limits,
    testing,
};
pub use dormouse_persistence::{Health, MemoryDisk, Store, StoreError, StoreOptions, StoreStatistics};
pub use dormouse_persistence::{StoredCommand, StoredCommit, StoredEvent};
pub use dormouse_runtime::{
    Builder, Dormouse, Entity, EntityError, Execute, ExecuteReceipt, Executing, ExecutingReceipt, Query,
    QueryError, Querying, ReadError, Receipt, ShutdownError, StartError, Statistics,
};

#[doc(hidden)]
pub use dormouse_domain::__private;
