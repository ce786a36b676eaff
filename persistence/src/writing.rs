//! Writing from a thread that does little else.

use std::fmt;
use std::sync::Arc;

use crate::admission::Admission;
use crate::commit::Commit;
use crate::session::Session;
use crate::settlement::Ticket;
use crate::sync::{ArcSwap, Cache};
use crate::writer::StreamWriter;

/// A store as one thread writes to it: [`Store::admission`](crate::Store::admission) and
/// [`Store::submit`](crate::Store::submit) at the cost of a look whether the store was reopened.
///
/// Between two calls it keeps what the store had in memory at the first one, also when it is reopened or closed
/// meanwhile: hold one a thread, not one a stream.
pub struct Writing {
    session: Cache<Arc<ArcSwap<Session>>, Arc<Session>>,
}

impl Writing {
    pub(crate) fn new(session: &Arc<ArcSwap<Session>>) -> Writing {
        Writing {
            session: Cache::new(Arc::clone(session)),
        }
    }

    /// What a commit to a stream that was read in `generation` may expect: health, generation and space at once.
    #[must_use]
    pub fn admission(&mut self, generation: u64) -> Admission {
        self.session.load().admission(generation)
    }

    /// Hands a commit to the journal, as [`Store::submit`](crate::Store::submit) does.
    pub fn submit(&mut self, writer: &StreamWriter, commit: Commit, ticket: Ticket) {
        self.session.load().submit(writer, commit, ticket);
    }
}

impl fmt::Debug for Writing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writing").finish_non_exhaustive()
    }
}
