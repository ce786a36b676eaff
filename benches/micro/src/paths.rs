//! The paths by name.

mod bank;
mod decide;
mod in_step;
mod journal;
mod replay;

pub use in_step::deposits_64;

/// A path that is ready to be gone so many times; it goes on where it stopped.
pub type Go = Box<dyn FnMut(u64)>;

/// A way through Dormouse that is measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Path {
    /// Handle a deposit, encode its event into a commit record, fold it, close the record. One thread.
    Decide,
    /// [`Decide`](Self::Decide), then the journal's way to durable, 64 commits at a time: place, seal, append to the
    /// log in memory, add to the tail, settle. Counted by commit; two segments each time (1 and 63 commits), so that
    /// batches don't depend on who is faster. The caller's thread and the journal's.
    Journal,
    /// Name an aggregate: check and copy its id, find its type. One thread.
    Entity,
    /// [`Entity`](Self::Entity), then send a deposit to a runtime that is full: find the aggregate in the directory,
    /// be turned away. One thread.
    TurnedAway,
    /// [`Entity`](Self::Entity), then a query, one at a time: mailbox and back. The client's thread and the arbiter's.
    Query,
    /// A deposit from name to reply, one at a time. The threads of the client, the arbiter and the journal.
    Deposit,
    /// Queries, 64 at a time and in step. Its sixty-fourth of two more queries and of the waits on either side is in it.
    Query64,
    /// Deposits, 64 at a time and in step: as with queries, and two segments each time (1 and 63 commits).
    Deposit64,
    /// The same with a command id and a correlation each; an account remembers 256 ids by then.
    DepositId64,
    /// Read a stream of 100 events out of the index in memory, decode and fold them: an activation without its
    /// threads. One thread.
    Replay100,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Decide,
        Self::Journal,
        Self::Entity,
        Self::TurnedAway,
        Self::Query,
        Self::Deposit,
        Self::Query64,
        Self::Deposit64,
        Self::DepositId64,
        Self::Replay100,
    ];

    /// Its name in reports and on command lines.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Journal => "journal",
            Self::Entity => "entity",
            Self::TurnedAway => "turned-away",
            Self::Query => "query",
            Self::Deposit => "deposit",
            Self::Query64 => "query-64",
            Self::Deposit64 => "deposit-64",
            Self::DepositId64 => "deposit-id-64",
            Self::Replay100 => "replay-100",
        }
    }

    /// The path of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|path| path.name() == name)
    }

    /// Sets it up and goes it often enough to be in its steady state.
    #[must_use]
    pub fn ready(self) -> Go {
        match self {
            Self::Decide => decide::decide(),
            Self::Journal => journal::journal(),
            Self::Entity => bank::entity(),
            Self::TurnedAway => bank::turned_away(),
            Self::Query => bank::query(),
            Self::Deposit => bank::deposit(),
            Self::Query64 => in_step::query_64(),
            Self::Deposit64 => in_step::deposit_64(),
            Self::DepositId64 => in_step::deposit_id_64(),
            Self::Replay100 => replay::replay_100(),
        }
    }
}
