//! A store without threads: whoever holds its steps decides when a batch is written and when a run is indexed.
//!
//! The journal and the indexer themselves are the ones that the threads run; only *when* is taken from the threads.

use std::fmt;
use std::sync::Arc;

use parking_lot::Mutex;

use crate::indexer;
use crate::journal::Journal;

/// The journal and the indexer of a store that [`Store::in_steps`](crate::Store::in_steps) opened. Clones are the same;
/// they go on with the store's next session when it is reopened.
#[derive(Clone, Default)]
pub struct Steps {
    /// Of the session that is open.
    journal: Arc<Mutex<Option<Journal>>>,
}

impl Steps {
    /// To open one store with.
    #[must_use]
    pub fn new() -> Steps {
        Steps::default()
    }

    /// Writes the batch that has gathered. `false`: there is none, or the journal waits for the indexer.
    #[must_use]
    pub fn journal(&self) -> bool {
        // taken already by whoever ends the session, whose readings ask for steps, too
        let journal = self.journal.try_lock();
        journal.is_some_and(|mut journal| journal.as_mut().is_some_and(Journal::step))
    }

    /// Turns the oldest part of the tail into a run. `false`: nothing of it is frozen.
    #[must_use]
    pub fn index(&self) -> bool {
        let journal = self.journal.try_lock();
        journal.is_some_and(|journal| {
            let session = journal.as_ref().map(Journal::session);
            session.is_some_and(|session| indexer::step(session))
        })
    }

    /// Whether a batch has gathered.
    #[must_use]
    pub fn has_batch(&self) -> bool {
        let journal = self.journal.lock();
        journal
            .as_ref()
            .is_some_and(|journal| journal.session().queue.commits() > 0)
    }

    /// Whether a part of the tail is frozen.
    #[must_use]
    pub fn has_run(&self) -> bool {
        let journal = self.journal.lock();
        let session = journal.as_ref().map(Journal::session);
        session.is_some_and(|session| !session.indexer_ends() && session.tail.oldest_frozen().is_some())
    }

    pub(crate) fn begin(&self, journal: Journal) -> Steps {
        *self.journal.lock() = Some(journal);
        self.clone()
    }

    /// The queue was told to end: takes what is left in it.
    pub(crate) fn finish(&self) {
        while self.journal() || self.has_batch() && self.index() {}
        let journal = self.journal.lock().take();
        journal.into_iter().for_each(Journal::end);
    }
}

impl fmt::Debug for Steps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Steps").finish_non_exhaustive()
    }
}
