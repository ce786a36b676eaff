//! Waking an aggregate: its newest good snapshot, then the rest of its stream. Runs on a reader thread, folding included.

mod failed;

use std::fmt;
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use dormouse_domain::{Aggregate, CommandId, Event, EventDecodeError, Offset, StreamId, Timestamp, Version};
use dormouse_persistence::{
    Planted, Reached, Snapshot, Store, StoreError, StoredCommit, StoredEvent, planted,
};

pub(crate) use self::failed::LoadFailed;
use self::failed::Place;
use crate::readers::IsWanted;

/// An aggregate read from the store.
pub(crate) struct Loaded<A> {
    pub(crate) folded: Folded<A>,
    /// What its stream can be opened with.
    pub(crate) reached: Reached,
    /// A snapshot was there and could not be used.
    pub(crate) snapshot_unreadable: bool,
    pub(crate) took: Duration,
}

/// A state and what it was folded from.
pub(crate) struct Folded<A> {
    pub(crate) state: A,
    pub(crate) version: Version,
    /// What the snapshot it started from covers.
    pub(crate) snapshot_version: Version,
    /// The highest time-ordered command id in the stream.
    pub(crate) newest_command: Option<CommandId>,
    /// Offset of its newest event.
    pub(crate) newest: Option<Offset>,
    pub(crate) events_replayed: u64,
}

impl<A: Default> Default for Folded<A> {
    fn default() -> Self {
        Self {
            state: A::default(),
            version: Version::NONE,
            snapshot_version: Version::NONE,
            newest_command: None,
            newest: None,
            events_replayed: 0,
        }
    }
}

/// How far a stream is folded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// To its durable end.
    End,
    /// Up to this version.
    Version(Version),
    /// Up to the last event that was stored at this time or before.
    Time(Timestamp),
}

impl Until {
    /// Whether nothing of this commit is wanted.
    fn is_before(self, commit: &StoredCommit<'_>) -> bool {
        match self {
            Self::End => false,
            Self::Version(version) => commit.first_version() > version,
            Self::Time(time) => commit.time() > time,
        }
    }

    /// The last version wanted of a commit of which something is.
    fn last_version(self) -> Version {
        match self {
            Self::Version(version) => version,
            Self::End | Self::Time(_) => Version::new(u64::MAX),
        }
    }
}

/// Reads and folds one aggregate, from its snapshot if that is not too new. `so_far`: what was folded before, to go on
/// from. It is given up once it is not `is_wanted` any more.
pub(crate) fn load<A: Aggregate>(
    store: &Store,
    stream: &StreamId,
    fingerprint: u64,
    until: Until,
    so_far: Option<Folded<A>>,
    is_wanted: IsWanted<'_>,
) -> Result<Loaded<A>, LoadFailed> {
    let started = Instant::now();
    let (begin, snapshot_unreadable) = match so_far {
        None => usable_snapshot::<A>(store, stream, fingerprint, until),
        so_far => (so_far, false),
    };
    let begin = catch_unwind(AssertUnwindSafe(|| begin.unwrap_or_default()));
    let mut folded = begin.map_err(|panic| {
        let place = Place {
            stream: stream.clone(),
            version: None,
        };
        LoadFailed::panicked(place, "Default", panic.as_ref())
    })?;
    let reached = replay(store, stream, until, &mut folded, is_wanted)?;
    Ok(Loaded {
        folded,
        reached,
        snapshot_unreadable,
        took: started.elapsed(),
    })
}

/// The newest snapshot decoded, if it is of no later state than is wanted, and whether there was one that can't be used.
/// A bad one costs time only (P8).
fn usable_snapshot<A: Aggregate>(
    store: &Store,
    stream: &StreamId,
    fingerprint: u64,
    until: Until,
) -> (Option<Folded<A>>, bool) {
    let snapshot = match store.snapshot(stream) {
        Ok(None) => return (None, false),
        Ok(Some(snapshot)) => snapshot,
        Err(error) => return (unusable(stream, &error), true),
    };
    if snapshot.fingerprint != fingerprint && !planted(Planted::SnapshotUnchecked) {
        return (unusable(stream, &"it was taken of another state schema"), true);
    }
    if !is_early_enough(store, stream, snapshot.version, until) {
        return (None, false);
    }
    match catch_unwind(|| snapshot.codec.decode::<A>(&snapshot.payload)) {
        Ok(Ok(state)) => (Some(from_snapshot(state, &snapshot)), false),
        // What a codec or a panic says may repeat a payload.
        Ok(Err(_)) => (unusable(stream, &"it can't be decoded"), true),
        Err(_) => (unusable(stream, &"decoding it panicked"), true),
    }
}

/// Whether a state of `version` is not beyond what is wanted. A snapshot does not say when its last event was stored: the
/// stream does.
fn is_early_enough(store: &Store, stream: &StreamId, version: Version, until: Until) -> bool {
    match until {
        Until::End => true,
        Until::Version(wanted) => version <= wanted,
        Until::Time(wanted) => {
            time_of(store, stream, version).is_ok_and(|time| time.is_some_and(|time| time <= wanted))
        }
    }
}

/// When the event of this version was stored; `None` if there is none.
pub(crate) fn time_of(
    store: &Store,
    stream: &StreamId,
    version: Version,
) -> Result<Option<Timestamp>, StoreError> {
    let mut time = None;
    if version > Version::NONE {
        store.read_stream(stream, version, &mut |commit| {
            time = Some(commit.time());
            ControlFlow::Break(())
        })?;
    }
    Ok(time)
}

fn unusable<A>(stream: &StreamId, reason: &dyn fmt::Display) -> Option<Folded<A>> {
    tracing::warn!(%stream, %reason, "a snapshot can't be used, the whole stream is read");
    None
}

fn from_snapshot<A>(state: A, snapshot: &Snapshot) -> Folded<A> {
    Folded {
        state,
        version: snapshot.version,
        snapshot_version: snapshot.version,
        newest_command: snapshot.newest_command,
        newest: Some(snapshot.offset),
        events_replayed: 0,
    }
}

fn replay<A: Aggregate>(
    store: &Store,
    stream: &StreamId,
    until: Until,
    folded: &mut Folded<A>,
    is_wanted: IsWanted<'_>,
) -> Result<Reached, LoadFailed> {
    let mut failed = None;
    let from = folded.version.next();
    let read = store.read_stream(stream, from, &mut |commit| {
        if until.is_before(commit) {
            return ControlFlow::Break(());
        }
        match fold_commit(commit, until.last_version(), folded) {
            Ok(()) if !is_wanted() => {
                failed = Some(LoadFailed::NotWanted.into());
                ControlFlow::Break(())
            }
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        }
    });
    let reached = read?;
    failed.map_or(Ok(reached), |failed: Box<_>| Err(*failed))
}

/// The error in a box: every commit answers by it, and next to none has one.
fn fold_commit<A: Aggregate>(
    commit: &StoredCommit<'_>,
    last: Version,
    folded: &mut Folded<A>,
) -> Result<(), Box<LoadFailed>> {
    for event in commit.events() {
        // of the commit that a snapshot ends in, or the wanted version
        if event.version <= folded.version {
            continue;
        }
        if event.version > last {
            break;
        }
        if !event.system {
            let place = || Place {
                stream: commit.stream(),
                version: Some(event.version),
            };
            let state = AssertUnwindSafe(&mut folded.state);
            match catch_unwind(move || decode_and_apply(state, &event)) {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return Err(LoadFailed::refused(place(), &error).into()),
                Err(panic) => {
                    let doing = "decoding or applying it";
                    return Err(LoadFailed::panicked(place(), doing, panic.as_ref()).into());
                }
            }
        }
        folded.version = event.version;
        folded.events_replayed += 1;
        folded.newest = Some(event.offset);
    }
    if let Some(command) = commit.command()
        && command.id.is_time_ordered()
    {
        folded.newest_command = folded.newest_command.max(Some(command.id));
    }
    Ok(())
}

fn decode_and_apply<A: Aggregate>(
    mut state: AssertUnwindSafe<&mut A>,
    stored: &StoredEvent<'_>,
) -> Result<(), EventDecodeError> {
    let event = A::Event::decode(stored.name, stored.schema, stored.codec, stored.payload)?;
    state.apply(&event);
    Ok(())
}
