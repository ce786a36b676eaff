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
//! # Cookbook
//!
//! The account of the tour, once more: `Deposit` and `Withdraw`, which reply with the balance.
//!
//! ## Only if nothing came between
//!
//! [`expect`](Execute::expect) makes a command depend on the version that its sender has seen, and
//! [`receipt`](Execute::receipt) tells the version it led to.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cookbook/account.rs"));
//! # use dormouse::{Dormouse, Store};
//! use dormouse::{CommandError, Expected, NotDone, Version};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bank = Dormouse::builder(Store::in_memory()).aggregate::<Account>().start().await?;
//! # let account = bank.entity::<Account>("acc-1")?;
//! let first = account.execute(Deposit { cents: 700 }).expect(Expected::Absent).receipt().await?;
//! assert_eq!((first.reply, first.version), (700, Version::new(1)));
//!
//! account.execute(Deposit { cents: 50 }).await?; // somebody else's
//!
//! let seen = Expected::At(first.version);
//! match account.execute(Withdraw { cents: 700 }).expect(seen).await {
//!     Err(CommandError::NotDone(NotDone::VersionConflict { actual, .. })) => {
//!         assert_eq!(actual, Version::new(2)); // read the state, decide again
//!     }
//!     other => panic!("expected a conflict, got {other:?}"),
//! }
//! # bank.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! ## Retry until it is settled
//!
//! One command id for all attempts. *Unknown* is settled by a retry; *not done* speaks of its own attempt only, unless
//! [`NotDone::settles_earlier_attempts`] says more.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cookbook/account.rs"));
//! # use dormouse::{Dormouse, Store};
//! use std::time::Duration;
//! use dormouse::{CommandError, CommandId, Entity};
//!
//! async fn withdraw(account: &Entity<Account>, cents: i64) -> Result<i64, CommandError<Overdrawn>> {
//!     let id = CommandId::now();
//!     let mut unsettled = None;
//!     for attempt in 0..8 {
//!         let withdrawal = account.execute(Withdraw { cents }).id(id);
//!         match withdrawal.within(Duration::from_secs(2)).await {
//!             Err(error @ CommandError::Unknown(_)) => unsettled = Some(error),
//!             Err(CommandError::NotDone(reason)) if !reason.settles_earlier_attempts() => {
//!                 // if an attempt before was unknown, it still is
//!                 unsettled.get_or_insert(CommandError::NotDone(reason));
//!             }
//!             settled => return settled,
//!         }
//!         tokio::time::sleep(Duration::from_millis(20 << attempt)).await;
//!     }
//!     Err(unsettled.expect("every attempt left something unsettled"))
//! }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bank = Dormouse::builder(Store::in_memory()).aggregate::<Account>().start().await?;
//! # let account = bank.entity::<Account>("acc-1")?;
//! # account.execute(Deposit { cents: 700 }).await?;
//! # assert_eq!(withdraw(&account, 500).await?, 200);
//! # assert!(withdraw(&account, 500).await.is_err_and(|error| error.is_refused()));
//! # bank.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! ## Test the rules
//!
//! Without any runtime: [given](testing::given) events, when a command comes, then there are events, a reply or a refusal.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cookbook/account.rs"));
//! use dormouse::testing::given;
//!
//! # fn main() {
//! given::<Account>([Entry::Deposited { cents: 700 }])
//!     .when(Withdraw { cents: 500 })
//!     .then_events([Entry::Withdrawn { cents: 500 }])
//!     .then_reply(200);
//!
//! given::<Account>([Entry::Deposited { cents: 300 }])
//!     .when(Withdraw { cents: 500 })
//!     .then_refused(Overdrawn { short: 200 });
//! # }
//! ```
//!
//! ## Change an event
//!
//! What is stored stays as it is. A variant whose fields change gets a new version, and the old fields turn into the
//! enum as they are read; see [`Event`].
//!
//! ```
//! use dormouse::{Codec, Event, SchemaVersion};
//!
//! #[derive(Debug, PartialEq, Event)]
//! enum Entry {
//!     #[event(version = 2, upcast(DepositedV1))]
//!     Deposited { cents: i64, currency: String },
//! }
//!
//! /// The fields that `Deposited` had at first.
//! #[derive(serde::Deserialize)]
//! struct DepositedV1 { cents: i64 }
//!
//! impl From<DepositedV1> for Entry {
//!     fn from(old: DepositedV1) -> Self {
//!         Entry::Deposited { cents: old.cents, currency: "EUR".into() }
//!     }
//! }
//!
//! let old = Entry::decode("Deposited", SchemaVersion::FIRST, Codec::Json, br#"{"cents":250}"#)?;
//! assert_eq!(old, Entry::Deposited { cents: 250, currency: "EUR".into() });
//! # Ok::<(), dormouse::EventDecodeError>(())
//! ```
//!
//! ## Read the state, today's or an old one
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cookbook/account.rs"));
//! # use dormouse::{Dormouse, Store};
//! use dormouse::Version;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bank = Dormouse::builder(Store::in_memory()).aggregate::<Account>().start().await?;
//! # let account = bank.entity::<Account>("acc-1")?;
//! # account.execute(Deposit { cents: 700 }).await?;
//! # account.execute(Withdraw { cents: 500 }).await?;
//! assert_eq!(account.query(|state| state.cents).await?, 200);
//! assert_eq!(account.state_at(Version::new(1)).await?.cents, 700);
//! # bank.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! ## Read the log
//!
//! All commits of all aggregates, in the order in which they became durable; [`Event::decode`] makes events of them.
//! [`Store::read_log`] may block on the disk: in a service, call it on a thread that may wait. [`Store::follow`] reads on as the log grows, from an offset that you keep.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cookbook/account.rs"));
//! # use dormouse::{Dormouse, Store};
//! use std::ops::ControlFlow;
//! use dormouse::Offset;
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let bank = Dormouse::builder(Store::in_memory()).aggregate::<Account>().start().await?;
//! # let account = bank.entity::<Account>("acc-1")?;
//! # account.execute(Deposit { cents: 700 }).await?;
//! # account.execute(Withdraw { cents: 500 }).await?;
//! let mut deposited = 0;
//! let mut unreadable = None;
//! let last = bank.store().read_log(Offset::new(1), &mut |commit| {
//!     if commit.aggregate_type() != Account::TYPE {
//!         return ControlFlow::Continue(());
//!     }
//!     for event in commit.events().filter(|event| !event.system) {
//!         match Entry::decode(event.name, event.schema, event.codec, event.payload) {
//!             Ok(Entry::Deposited { cents }) => deposited += cents,
//!             Ok(Entry::Withdrawn { .. }) => {}
//!             Err(error) => {
//!                 unreadable = Some(error);
//!                 return ControlFlow::Break(());
//!             }
//!         }
//!     }
//!     ControlFlow::Continue(())
//! })?;
//! assert_eq!((deposited, unreadable), (700, None));
//! assert_eq!(last, Offset::new(2)); // go on with the one after it
//! # bank.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! ## After a failure of the disk
//!
//! The store stops at the first write that fails, so that nothing is built on it; [`health`](Dormouse::health) says so.
//! Once the cause is gone, [`reopen`](Dormouse::reopen) reads what is really there. Here a [`MemoryDisk`] fails on
//! purpose.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/src/cookbook/account.rs"));
//! # use dormouse::{Dormouse, Store};
//! use dormouse::store::AppendFault;
//! use dormouse::{CommandError, CommandId, Health, MemoryDisk, StoreOptions};
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let disk = MemoryDisk::new();
//! let store = Store::on_memory(&disk, StoreOptions::default())?;
//! # let bank = Dormouse::builder(store).aggregate::<Account>().start().await?;
//! # let account = bank.entity::<Account>("acc-1")?;
//! let id = CommandId::now();
//! disk.fail_append(AppendFault::NothingWritten);
//! let lost = account.execute(Deposit { cents: 700 }).id(id).await;
//! assert!(matches!(lost, Err(CommandError::Unknown(_))));
//!
//! if let Health::Stopped { reason } = bank.health() {
//!     println!("mend this first: {reason}");
//!     bank.reopen().await?;
//! }
//! assert_eq!(account.execute(Deposit { cents: 700 }).id(id).await?, 700);
//! # bank.shutdown().await?;
//! # Ok(())
//! # }
//! ```
//!
//! # Where things are
//!
//! - [`Aggregate`], [`Handle`], [`Command`], [`Event`], [`Decision`]: what you write.
//! - [`Dormouse`], [`Entity`], [`Execute`]: what you call.
//! - [`CommandError`]: what went wrong, and above all whether anything happened.
//! - [`Store`]: the log and what is derived from it; `Store::open` and `Store::in_memory`.
//! - [`testing`]: given, when, then.
//! - [`store`]: what the store's own methods need beyond that; services don't.
//!
//! # Features
//!
//! - `rocksdb` (default): the durable store. Without it there is only [`Store::in_memory`], which keeps nothing beyond
//!   the process: for trying things out, and for tests.
//! - `ops`: metrics, health, an admin API and a web console over HTTP, as `dormouse::ops`. It holds a clone of the runtime
//!   that it shows: at the end of a service [shut the runtime down](Dormouse::shutdown), then stop the ops server.
//! - `otel`: traces to an OpenTelemetry collector, as `dormouse::ops::otel`.

pub use dormouse_domain::{
    Aggregate, AggregateId, AggregateType, Bound, Clock, Codec, CodecError, Command, CommandContext,
    CommandError, CommandFingerprint, CommandId, Decided, Decision, Event, EventDecodeError, EventId,
    EventType, Expected, Handle, IdProblem, InvalidId, InvalidMetadata, InvalidTimestamp, InvalidTraceParent,
    Metadata, Moment, Never, NotDone, Offset, Position, SchemaVersion, ShardId, SizeLimit, StreamId,
    Timestamp, TraceContext, Unknown, Version, limits, testing,
};
pub use dormouse_persistence::{
    Health, LogFollower, MemoryDisk, Store, StoreError, StoreOptions, StoreSettings, StoreStatistics,
    StreamSummary, StreamsPage,
};
pub use dormouse_persistence::{StoredCommand, StoredCommit, StoredEvent};
pub use dormouse_runtime::{
    Builder, Distribution, Dormouse, Entity, EntityError, Execute, ExecuteReceipt, Executing,
    ExecutingReceipt, Query, QueryError, Querying, ReadError, Readiness, Receipt, RuntimeSettings,
    ShutdownError, StartError, Statistics, TracePropagation, admin,
};

#[cfg(feature = "ops")]
pub use dormouse_ops as ops;

/// [`CommandId`], correlation and causation are UUIDs: the version of the crate that they are of.
pub use uuid;

/// For those who build on the store itself, in place of the runtime; services don't need it.
///
/// A stream is read, which says how far it goes, and opened for writing; a commit is built and submitted, and settled
/// through a sink. Here is what [`Store`]'s signatures name beyond the crate's root.
pub mod store {
    pub use dormouse_persistence::{
        Admission, AppendFault, Checkpoint, CheckpointProgress, CheckpointStep, Commit, CommitBuilder,
        CommitError, Compacted, CompactionProgress, EngineStatistics, FamilyStatistics, HeldAppends,
        LevelStatistics, NotCommitted, OpenProgress, Reached, Settled, Settlement, SettlementSink, SinkId,
        Snapshot, StreamWriter, Ticket,
    };
}

#[doc(hidden)]
pub use dormouse_domain::__private;
