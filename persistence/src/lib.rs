//! The event store of Dormouse: a log of segments that is synced once a batch, and everything else derived
//! from it.
//!
//! Commits are encoded on their callers' threads and gathered by the journal, one thread that makes a batch
//! durable with one synced write and then tells their submitters. What is durable can be read at once; an
//! indexer sorts it by stream behind the journal, and may be killed, or its work deleted, at any time: it is
//! rebuilt from the log.
//!
//! ```
//! use std::ops::ControlFlow;
//! use std::sync::{Arc, mpsc};
//!
//! use dormouse_domain::{AggregateType, StreamId, Version};
//! use dormouse_persistence::{CommitBuilder, Settled, Settlement, SettlementSink, Store, Ticket};
//!
//! struct Channel(mpsc::Sender<Settled>);
//! impl SettlementSink for Channel {
//!     fn settled(&self, batch: Vec<Settled>) {
//!         batch.into_iter().for_each(|settled| drop(self.0.send(settled)));
//!     }
//! }
//!
//! let store = Store::in_memory();
//! let (sender, settlements) = mpsc::channel();
//! let sink = store.register_sink(Arc::new(Channel(sender)));
//!
//! // Read a stream, which says how far it goes; open it; write the commit that follows.
//! let stream = StreamId::new(AggregateType::from_static("account"), "acc-1".try_into()?);
//! let reached = store.read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()))?;
//! let writer = store.open_stream(&stream, reached)?;
//! let mut commit = CommitBuilder::new(&stream, writer.head().next());
//! commit.system_event("opened", b"")?;
//! store.submit(&writer, commit.finish()?, Ticket { sink, key: 7 });
//!
//! let settled = settlements.recv()?;
//! assert_eq!(settled.key, 7);
//! assert!(matches!(settled.settlement, Settlement::Durable { .. }));
//! assert_eq!(store.head(&stream)?, Version::new(1));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod admission;
mod announcer;
mod checkpoint;
mod commit;
mod compaction;
mod core;
mod distribution;
mod engine;
mod error;
mod follower;
mod format;
#[cfg(any(test, fuzzing))]
#[doc(hidden)]
pub mod fuzzing;
mod gauges;
mod hash;
mod indexer;
#[cfg(feature = "rocksdb")]
pub mod inspect;
mod journal;
mod lifecycle;
mod listing;
#[cfg(feature = "rocksdb")]
mod lock;
mod log_end;
mod log_reader;
pub mod metric_names;
#[cfg(feature = "rocksdb")]
mod open;
/// What is pure of it: fuzzing links no RocksDB.
#[cfg(all(fuzzing, not(feature = "rocksdb")))]
#[allow(dead_code)]
mod open {
    pub(crate) mod wal;
    pub(crate) mod wal_batch;
}
mod options;
mod planted;
mod queue;
mod reader;
mod recovery;
mod registry;
#[cfg(shuttle)]
#[cfg(test)]
mod schedules;
mod session;
mod settings;
mod settlement;
mod snapshot;
mod statistics;
#[cfg(feature = "simulation")]
mod steps;
mod store;
mod stored;
mod stream_state;
#[cfg(not(shuttle))]
mod sync;
#[cfg(shuttle)]
#[doc(hidden)]
pub mod sync;
mod tail;
#[cfg(any(feature = "rocksdb", fuzzing))]
#[cfg_attr(not(feature = "rocksdb"), allow(dead_code))]
mod watermark;
mod writer;
mod writing;

pub use crate::admission::Admission;
pub use crate::checkpoint::{Checkpoint, CheckpointProgress, CheckpointStep};
pub use crate::commit::{Commit, CommitBuilder, CommitError};
pub use crate::compaction::{Compacted, CompactionProgress};
pub use crate::distribution::{Distribution, DistributionRecorder};
pub use crate::engine::memory::{AppendFault, HeldAppends, MemoryDisk};
pub use crate::engine::{EngineStatistics, FamilyStatistics, LevelStatistics};
pub use crate::error::StoreError;
pub use crate::follower::LogFollower;
pub use crate::listing::{StreamSummary, StreamsPage};
pub use crate::options::{OpenProgress, StoreOptions};
pub use crate::settings::StoreSettings;
pub use crate::settlement::{NotCommitted, Settled, Settlement, SettlementSink, SinkId, Ticket};
pub use crate::snapshot::Snapshot;
pub use crate::statistics::StoreStatistics;
#[cfg(feature = "simulation")]
#[doc(hidden)]
pub use crate::steps::Steps;
pub use crate::store::{Health, Store};
pub use crate::stored::{StoredCommand, StoredCommit, StoredEvent};
pub use crate::writer::{Reached, StreamWriter};
pub use crate::writing::Writing;

#[doc(hidden)]
pub use crate::planted::{Planted, planted};
