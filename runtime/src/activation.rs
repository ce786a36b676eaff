//! Waking an aggregate: its newest good snapshot, then the rest of its stream. Runs on a reader thread, folding included.

use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_domain::{Aggregate, CommandId, Event, Position, StreamId, Version};
use dormouse_persistence::{Snapshot, Store, StoreError, StoredCommit};

use crate::entity_core::panic_message;

/// An aggregate read from the store.
pub(crate) struct Loaded<A> {
    pub(crate) state: A,
    pub(crate) version: Version,
    /// What the snapshot it started from covers.
    pub(crate) snapshot_version: Version,
    /// The highest time-ordered command id in the stream.
    pub(crate) newest_command: Option<CommandId>,
    /// Position of its newest event.
    pub(crate) newest: Option<Position>,
    pub(crate) events_replayed: u64,
    /// A snapshot was there and could not be used.
    pub(crate) snapshot_unreadable: bool,
    pub(crate) took: Duration,
}

/// Why an aggregate can't be woken: what a user is told.
#[derive(Debug)]
pub(crate) enum LoadFailed {
    Store(StoreError),
    Domain(Arc<str>),
}

impl std::fmt::Display for LoadFailed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Domain(reason) => f.write_str(reason),
        }
    }
}

/// Reads and folds one aggregate. `until`: stop before the first commit that begins after it.
pub(crate) fn load<A: Aggregate>(
    store: &Store,
    stream: &StreamId,
    fingerprint: u64,
    until: Option<Version>,
) -> Result<Loaded<A>, LoadFailed> {
    let started = Instant::now();
    let (snapshot, snapshot_unreadable) = match until {
        None => usable_snapshot::<A>(store, stream, fingerprint)?,
        Some(_) => (None, false),
    };
    let mut loaded = snapshot.unwrap_or_else(|| Loaded {
        state: A::default(),
        version: Version::NONE,
        snapshot_version: Version::NONE,
        newest_command: None,
        newest: None,
        events_replayed: 0,
        snapshot_unreadable: false,
        took: Duration::ZERO,
    });
    replay(store, stream, until, &mut loaded)?;
    loaded.snapshot_unreadable = snapshot_unreadable;
    loaded.took = started.elapsed();
    Ok(loaded)
}

/// The newest snapshot decoded, and whether there was one that can't be used. A bad one costs time only (P8).
fn usable_snapshot<A: Aggregate>(
    store: &Store,
    stream: &StreamId,
    fingerprint: u64,
) -> Result<(Option<Loaded<A>>, bool), LoadFailed> {
    let snapshot = match store.snapshot(stream) {
        Ok(None) => return Ok((None, false)),
        Ok(Some(snapshot)) => snapshot,
        Err(StoreError::SnapshotUnreadable { reason, .. }) => return Ok((unusable(stream, &reason), true)),
        Err(error) => return Err(LoadFailed::Store(error)),
    };
    if snapshot.fingerprint != fingerprint {
        return Ok((unusable(stream, "it was taken of another state schema"), true));
    }
    if snapshot.offset > store.durable() {
        return Ok((unusable(stream, "it lies beyond the end of the log"), true));
    }
    match catch_unwind(|| snapshot.codec.decode::<A>(&snapshot.payload)) {
        Ok(Ok(state)) => Ok((Some(from_snapshot(store, state, &snapshot)), false)),
        Ok(Err(error)) => Ok((unusable(stream, &error), true)),
        Err(panic) => Ok((unusable(stream, &panic_message(panic.as_ref())), true)),
    }
}

fn unusable<A>(stream: &StreamId, reason: &dyn std::fmt::Display) -> Option<Loaded<A>> {
    tracing::warn!(%stream, %reason, "a snapshot can't be used, the whole stream is read");
    None
}

fn from_snapshot<A>(store: &Store, state: A, snapshot: &Snapshot) -> Loaded<A> {
    Loaded {
        state,
        version: snapshot.version,
        snapshot_version: snapshot.version,
        newest_command: snapshot.newest_command,
        newest: Some(Position { shard: store.shard(), offset: snapshot.offset }),
        events_replayed: 0,
        snapshot_unreadable: false,
        took: Duration::ZERO,
    }
}

fn replay<A: Aggregate>(
    store: &Store,
    stream: &StreamId,
    until: Option<Version>,
    loaded: &mut Loaded<A>,
) -> Result<(), LoadFailed> {
    let mut bad = None;
    let from = loaded.version.next();
    let read = store.read_stream(stream, from, &mut |commit| {
        if until.is_some_and(|until| commit.first_version() > until) {
            return ControlFlow::Break(());
        }
        match fold_commit(commit, until, loaded) {
            Ok(()) => ControlFlow::Continue(()),
            Err(reason) => {
                bad = Some(reason);
                ControlFlow::Break(())
            }
        }
    });
    read.map_err(LoadFailed::Store)?;
    bad.map_or(Ok(()), |reason| Err(LoadFailed::Domain(reason)))
}

fn fold_commit<A: Aggregate>(
    commit: &StoredCommit<'_>,
    until: Option<Version>,
    loaded: &mut Loaded<A>,
) -> Result<(), Arc<str>> {
    for stored in commit.events() {
        if until.is_some_and(|until| stored.version > until) {
            break;
        }
        if !stored.system {
            let event = A::Event::decode(stored.name, stored.schema, stored.codec, stored.payload)
                .map_err(|error| Arc::from(format!("event {} of {}: {error}", stored.version, commit.stream())))?;
            catch_unwind(AssertUnwindSafe(|| loaded.state.apply(&event))).map_err(|panic| {
                let message = panic_message(panic.as_ref());
                Arc::from(format!("event {} of {}: apply panicked: {message}", stored.version, commit.stream()))
            })?;
        }
        loaded.version = stored.version;
        loaded.events_replayed += 1;
        loaded.newest = Some(Position { shard: commit.position().shard, offset: stored.offset });
    }
    if let Some(command) = commit.command() {
        if command.id.is_time_ordered() {
            loaded.newest_command = loaded.newest_command.max(Some(command.id));
        }
    }
    Ok(())
}
