//! Following the log: reading what is there, then waiting for more.

use std::fmt;
use std::ops::ControlFlow;

use dormouse_domain::Offset;
use tokio::sync::watch;

use crate::error::StoreError;
use crate::store::Store;
use crate::stored::StoredCommit;

/// A place in the log that moves on as it is read: what a subscription is made of.
///
/// It is told of new commits in bulk: at once in a quiet store, about once a millisecond in a busy one. A follower that
/// keeps up reads from memory; one that fell behind what the store keeps there (the tail: what was not indexed yet)
/// reads from the disk until it has caught up. However slow, it holds up no writer and no other follower. It keeps the
/// store open.
///
/// ```
/// use std::ops::ControlFlow;
/// use dormouse_domain::Offset;
/// use dormouse_persistence::Store;
/// # use dormouse_domain::{AggregateType, StreamId, Version};
/// # use dormouse_persistence::{CommitBuilder, Settled, SettlementSink, Ticket};
/// # struct Ignore;
/// # impl SettlementSink for Ignore { fn settled(&self, _: Vec<Settled>) {} }
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// # let store = Store::in_memory();
/// # let stream = StreamId::new(AggregateType::from_static("account"), "acc-1".try_into()?);
/// # let reached = store.read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()))?;
/// # let writer = store.open_stream(&stream, reached)?;
/// # let mut commit = CommitBuilder::new(&stream, Version::new(1));
/// # commit.system_event("opened", b"")?;
/// # let sink = store.register_sink(std::sync::Arc::new(Ignore));
/// # store.submit(&writer, commit.finish()?, Ticket { sink, key: 1 });
///
/// let checkpoint = Offset::NONE;
/// let mut follower = store.follow(checkpoint.next())?;
/// let mut events = 0;
/// while events == 0 {
///     follower.wait().await?;
///     // Blocks where it must read from the disk: in a service, on a thread that may wait.
///     follower.read(&mut |commit| {
///         events += commit.event_count();
///         ControlFlow::Continue(())
///     })?;
/// }
/// assert_eq!(follower.next(), Offset::new(2));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct LogFollower {
    store: Store,
    announced: watch::Receiver<Offset>,
    next: Offset,
}

impl LogFollower {
    pub(crate) fn new(store: Store, announced: watch::Receiver<Offset>, from: Offset) -> LogFollower {
        let next = from.max(Offset::new(1));
        LogFollower {
            store,
            announced,
            next,
        }
    }

    /// The offset that comes next: one after the last commit that was visited.
    #[must_use]
    pub fn next(&self) -> Offset {
        self.next
    }

    /// Visits what is durable now and was not visited yet, in order. `Break` ends the reading after the commit it
    /// was answered to. Where a commit holds the offset that comes next in its middle, all of it is visited.
    ///
    /// Costs no I/O and no copy where the tail holds what comes next, else it blocks on the disk. No lock is held
    /// while the visitor runs.
    ///
    /// # Errors
    /// As [`Store::read_log`]; what was visited before stays visited. A visitor that panics has not visited.
    pub fn read(
        &mut self,
        visit: &mut dyn FnMut(&StoredCommit<'_>) -> ControlFlow<()>,
    ) -> Result<(), StoreError> {
        let (store, next) = (&self.store, &mut self.next);
        store.read_log(*next, &mut |commit| {
            let flow = visit(commit);
            *next = commit.last_offset().next();
            flow
        })?;
        Ok(())
    }

    /// Waits until there is something to read. Told within about a millisecond of its being durable: that is what
    /// bounds how often followers are woken while much is written. May be dropped and called again.
    ///
    /// # Errors
    /// `Closed` when the store was closed, or is being reopened.
    pub async fn wait(&mut self) -> Result<(), StoreError> {
        loop {
            // Before anything is asked for: what is announced from here on wakes it.
            if *self.announced.borrow_and_update() >= self.next {
                return Ok(());
            }
            self.store.check_open()?;
            self.store.want_announced(self.next);
            if self.announced.changed().await.is_err() {
                return Err(StoreError::Closed);
            }
        }
    }
}

impl fmt::Debug for LogFollower {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogFollower")
            .field("next", &self.next)
            .finish_non_exhaustive()
    }
}
