//! How a submitted commit's fate reaches its submitter: once, through a sink.

use std::sync::Arc;

use dormouse_domain::{Position, Timestamp, Version};

/// Takes the fates of submitted commits.
///
/// Called on the journal's thread, once per batch and sink, after the batch's durable offset is published; so it
/// must return soon and never wait. Once the journal has ended (the store is closed or dropped) a commit is
/// settled on its submitter's thread, inside [`Store::submit`](crate::Store::submit).
pub trait SettlementSink: Send + Sync {
    /// Commits that are settled, in the order in which they were submitted.
    fn settled(&self, batch: Vec<Settled>);
}

/// A sink registered with a store, by number; see [`Store::register_sink`](crate::Store::register_sink).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SinkId(pub(crate) u32);

/// Where to send a commit's fate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ticket {
    /// The sink.
    pub sink: SinkId,
    /// Given back in [`Settled::key`]; means nothing to the store.
    pub key: u64,
}

/// The fate of one submitted commit.
#[derive(Clone, Debug)]
pub struct Settled {
    /// The ticket's key.
    pub key: u64,
    /// The version of the commit's last event.
    pub last_version: Version,
    /// What became of it.
    pub settlement: Settlement,
}

/// What became of a commit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Settlement {
    /// It is stored, and survives the process and, if the disk honours fsync, a loss of power.
    Durable {
        /// The position of its first event; the others follow without gaps.
        first: Position,
        /// The time of its batch.
        time: Timestamp,
    },
    /// Its write failed: it may be stored or not. `Store::reopen` finds out.
    Unknown {
        /// What failed.
        reason: Arc<str>,
    },
    /// It is not stored and never will be.
    NotDone(NotCommitted),
}

/// Why a commit was not even tried.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NotCommitted {
    /// It does not follow its stream's head, or its writer was opened before a `reopen`.
    #[error("the stream's head is version {head}, the commit does not follow it")]
    Stale {
        /// The last version the writer knows to be submitted.
        head: Version,
    },
    /// The store has stopped, or is closed.
    #[error("the store has stopped: {reason}")]
    Stopped {
        /// Why.
        reason: Arc<str>,
    },
}
