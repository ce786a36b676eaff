//! What a caller holds of one aggregate.

use std::fmt;
use std::sync::Arc;

use dormouse_domain::{Aggregate, AggregateId, Command, Handle, Version};

use crate::activation::{Folded, Until, load};
use crate::directory::Directory;
use crate::dormouse::Dormouse;
use crate::error::ReadError;
use crate::execute::Execute;
use crate::query::Query;

/// One aggregate of type `A`: cheap to make and to clone, whether the aggregate is in memory or not. It keeps the
/// runtime alive.
///
/// Made by [`Dormouse::entity`].
pub struct Entity<A: Aggregate> {
    pub(crate) id: AggregateId,
    pub(crate) directory: Arc<Directory<A>>,
    pub(crate) runtime: Dormouse,
}

impl<A: Aggregate> Entity<A> {
    /// Its id.
    #[must_use]
    pub fn id(&self) -> &AggregateId {
        &self.id
    }

    /// Sends a command. Nothing happens until the result is awaited; see [`Execute`] for what can be asked for.
    ///
    /// The reply comes once the command's events are durable: with the default store, on disk and synced.
    ///
    /// Cost: two thread hops and a share of one fsync. A sleeping aggregate is woken first: one read of its snapshot
    /// and the events after it.
    pub fn execute<C: Command>(&self, command: C) -> Execute<'_, A, C>
    where
        A: Handle<C>,
    {
        Execute::new(self, command)
    }

    /// Looks at the state, without a command. Like a reply, what it returns is never based on events that are not
    /// durable yet: a query behind a command in flight waits for it.
    ///
    /// `look` runs on the aggregate's own thread: keep it short, and clone out what is needed.
    pub fn query<T, F>(&self, look: F) -> Query<'_, A, T, F>
    where
        T: Send + 'static,
        F: FnOnce(&A) -> T + Send + 'static,
    {
        Query::new(self, look)
    }

    /// The state as it was at `version`, folded from the events up to it. [`Version::NONE`] is the state before the
    /// first event; a version beyond the stream's durable head is an error.
    ///
    /// Cost: a read of the stream up to there, on a reader thread, from its snapshot if that is of no later version.
    ///
    /// # Errors
    /// [`ReadError`]: the version is not there, or the stream can't be read.
    pub async fn state_at(&self, version: Version) -> Result<A, ReadError> {
        let directory = Arc::clone(&self.directory);
        let stream = directory.stream(&self.id);
        let shared = Arc::clone(&directory.shared);
        let read = shared.history.run_while_wanted(move |is_wanted| {
            load::<A>(
                &directory.shared.store,
                &stream,
                directory.state_fingerprint,
                Until::Version(version),
                None,
                is_wanted,
            )
        });
        let loaded = read.await.map_err(|_| ReadError::ShuttingDown)?;
        let loaded = loaded.map_err(|failed| ReadError::Unreadable {
            reason: failed.to_string().into(),
        })?;
        let Folded {
            state, version: head, ..
        } = loaded.folded;
        if head < version {
            return Err(ReadError::NoSuchVersion { asked: version, head });
        }
        Ok(state)
    }
}

impl<A: Aggregate> Clone for Entity<A> {
    fn clone(&self) -> Self {
        Self {
            id: self.id.clone(),
            directory: Arc::clone(&self.directory),
            runtime: self.runtime.clone(),
        }
    }
}

impl<A: Aggregate> fmt::Debug for Entity<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entity({}/{})", A::TYPE, self.id)
    }
}
