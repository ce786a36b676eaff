//! What is read of a store.

use std::ops::ControlFlow;

use dormouse_domain::{AggregateId, AggregateType, CommandId, Offset, StreamId, Version};

use super::Store;
use crate::engine::Family;
use crate::error::StoreError;
use crate::follower::LogFollower;
use crate::format::{self, keys};
use crate::listing::{self, StreamsPage, Wanted};
use crate::log_reader;
use crate::reader;
use crate::snapshot::Snapshot;
use crate::stored::StoredCommit;
use crate::writer::Reached;

/// Reading.
impl Store {
    /// Visits the log's commits in order, beginning with the one that holds offset `from`, up to the offset that
    /// is durable when it is called. Answers the last offset seen, `from - 1` if none. See [`Store::follow`] for
    /// reading on.
    ///
    /// Costs neither I/O nor copies from where the tail begins, which is what was not indexed yet: up to 64 MiB by
    /// default, more while the indexer works. Blocks on the disk before that. A visitor may take its time: no lock is
    /// held that a writer would wait for.
    ///
    /// # Errors
    /// `LogGap` or `Corrupt` when the log is damaged: everything before that place was visited.
    pub fn read_log(
        &self,
        from: Offset,
        visit: &mut dyn FnMut(&StoredCommit<'_>) -> ControlFlow<()>,
    ) -> Result<Offset, StoreError> {
        log_reader::read_log(&self.inner.core, || self.reading(), from, visit)
    }

    /// Visits a stream's commits in order, beginning with the one that holds version `from`. Blocks on the disk.
    ///
    /// The answer tells the stream's head, also where it is below `from`; with it the stream can be opened. After
    /// `Break` it tells the last version seen, which opens nothing.
    ///
    /// # Errors
    /// `StreamGap` or `Corrupt` when what is stored is damaged: nothing beyond that place was visited.
    pub fn read_stream(
        &self,
        stream: &StreamId,
        from: Version,
        visit: &mut dyn FnMut(&StoredCommit<'_>) -> ControlFlow<()>,
    ) -> Result<Reached, StoreError> {
        reader::read_stream(&*self.reading()?, stream, from, visit)
    }

    /// Visits the commit that begins at `version`; false if there is none. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Store::read_stream`].
    pub fn read_commit(
        &self,
        stream: &StreamId,
        version: Version,
        visit: &mut dyn FnMut(&StoredCommit<'_>),
    ) -> Result<bool, StoreError> {
        let mut found = false;
        self.read_stream(stream, version, &mut |commit| {
            found = commit.first_version() == version;
            if found {
                visit(commit);
            }
            ControlFlow::Break(())
        })?;
        Ok(found)
    }

    /// The first version of the commit that a command caused in a stream. Blocks on the disk.
    ///
    /// # Errors
    /// When the index can't be read.
    pub fn find_command(&self, stream: &StreamId, id: CommandId) -> Result<Option<Version>, StoreError> {
        reader::find_command(&*self.reading()?, stream, id)
    }

    /// A stream's head; `Version::NONE` if nothing is stored. Blocks on the disk.
    ///
    /// # Errors
    /// As [`Store::read_stream`].
    pub fn head(&self, stream: &StreamId) -> Result<Version, StoreError> {
        reader::head(&*self.reading()?, stream)
    }

    /// The most streams that [`Store::streams`] answers at once.
    pub const STREAMS_PAGE_MAX: usize = listing::STREAMS_PAGE_MAX;

    /// The streams of a type whose ids begin with `id_prefix` and come after `after`, in the order of their ids (by bytes),
    /// each with its head: at most `limit` of them, and never more than [`Store::STREAMS_PAGE_MAX`].
    ///
    /// Costs two seeks a stream, however long it is, and a look at every commit in the tail. Blocks on the disk.
    ///
    /// # Errors
    /// When the index can't be read.
    ///
    /// ```
    /// use dormouse_domain::AggregateType;
    /// use dormouse_persistence::Store;
    ///
    /// let store = Store::in_memory();
    /// let accounts = AggregateType::from_static("account");
    /// let (mut after, mut streams) = (None, 0);
    /// loop {
    ///     let page = store.streams(&accounts, "acc-", after.as_ref(), 100)?;
    ///     streams += page.streams.len();
    ///     after = page.streams.last().map(|last| last.stream.id.clone());
    ///     if !page.more {
    ///         break;
    ///     }
    /// }
    /// assert_eq!(streams, 0, "nothing is stored yet");
    /// # Ok::<(), dormouse_persistence::StoreError>(())
    /// ```
    pub fn streams(
        &self,
        aggregate_type: &AggregateType,
        id_prefix: &str,
        after: Option<&AggregateId>,
        limit: usize,
    ) -> Result<StreamsPage, StoreError> {
        let wanted = Wanted {
            aggregate_type,
            id_prefix,
            after,
            limit,
        };
        listing::list(&*self.reading()?, &wanted)
    }

    /// A stream's newest snapshot. Blocks on the disk.
    ///
    /// # Errors
    /// `SnapshotUnreadable` if it is damaged or of a newer format, `SnapshotAhead` if it is of events the log does
    /// not hold: replay the stream.
    pub fn snapshot(&self, stream: &StreamId) -> Result<Option<Snapshot>, StoreError> {
        let session = self.reading()?;
        let key = keys::snapshot(session.shard, stream);
        let Some(value) = session.engine.get(Family::Snapshots, &key)? else {
            return Ok(None);
        };
        let snapshot = format::snapshot::decode(&value).map_err(|error| StoreError::SnapshotUnreadable {
            stream: stream.clone(),
            reason: error.to_string().into(),
        })?;
        self.check_not_ahead(stream, &snapshot)?;
        Ok(Some(snapshot))
    }

    /// The last durable offset.
    #[must_use]
    pub fn durable(&self) -> Offset {
        self.inner.core.durable()
    }

    /// Follows the log from the commit that holds offset `from` on. The first follower starts a thread that tells
    /// all of them what has become durable. Nothing of a follower is stored: the offset to go on from is its caller's.
    ///
    /// # Errors
    /// `Closed`; `Engine` if the system can't start the thread.
    ///
    /// ```
    /// use std::ops::ControlFlow;
    /// use dormouse_domain::Offset;
    /// use dormouse_persistence::Store;
    ///
    /// let store = Store::in_memory();
    /// let checkpoint = Offset::NONE; // the last offset that took effect, kept by whoever follows
    /// let mut follower = store.follow(checkpoint.next())?;
    /// // What is there already; `LogFollower::wait` waits for more.
    /// follower.read(&mut |commit| {
    ///     println!("{} events of {}", commit.event_count(), commit.id());
    ///     ControlFlow::Continue(())
    /// })?;
    /// assert_eq!(follower.next(), checkpoint.next(), "nothing is stored yet");
    /// # Ok::<(), dormouse_persistence::StoreError>(())
    /// ```
    pub fn follow(&self, from: Offset) -> Result<LogFollower, StoreError> {
        self.check_open()?;
        let announced = self.inner.core.announcer.subscribe();
        let announced = announced.map_err(|error| StoreError::Engine {
            context: "starting a thread".into(),
            reason: error.to_string().into(),
        })?;
        Ok(LogFollower::new(self.clone(), announced, from))
    }

    /// For a follower: whether there is anything to wait for.
    pub(crate) fn check_open(&self) -> Result<(), StoreError> {
        self.reading().map(drop)
    }

    /// For a follower that has read all before `next` and will wait.
    pub(crate) fn want_announced(&self, next: Offset) {
        self.inner.core.announcer.want(next);
    }
}
