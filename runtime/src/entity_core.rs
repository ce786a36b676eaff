//! The rules of one aggregate, pure: no clock, no disk, no actor. The actor is a shell that performs what these return.

mod command_ids;

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dormouse_domain::{
    Aggregate, AggregateId, AggregateType, CodecError, Command, CommandContext, CommandFingerprint,
    CommandId, Expected, Handle, Metadata, NotDone, SizeLimit, Timestamp, Version, fold, limits,
};
use dormouse_persistence::{Commit, CommitBuilder, CommitError, Planted, planted};

pub(crate) use command_ids::CommandIds;
use command_ids::{Seen, Verdict};

use crate::options::SNAPSHOT_BYTES_MAX;

/// A command's identity, computed on the caller's side.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identity {
    pub(crate) id: CommandId,
    pub(crate) fingerprint: CommandFingerprint,
}

/// What a command's id says.
#[derive(Debug)]
pub(crate) enum Identified {
    New,
    /// It took effect as the commit at this version: that commit's reply is the answer, once durable.
    Done {
        first_version: Version,
    },
    LookUp,
    NotDone(NotDone),
}

/// A command as the entity sees it, without its payload.
#[derive(Debug)]
pub(crate) struct Commanded<'a> {
    pub(crate) aggregate_type: &'a AggregateType,
    pub(crate) id: &'a AggregateId,
    pub(crate) identity: Option<Identity>,
    pub(crate) expected: Expected,
    pub(crate) metadata: &'a Metadata,
    pub(crate) now: Timestamp,
    /// The newest version known to be on disk.
    pub(crate) durable: Version,
    /// Command ids to remember exactly.
    pub(crate) recent_ids: usize,
}

/// An encoded state that is to be stored once its version is durable.
#[derive(Debug)]
pub(crate) struct SnapshotDue {
    pub(crate) version: Version,
    pub(crate) newest_command: Option<CommandId>,
    pub(crate) payload: Vec<u8>,
}

/// What came of one command.
pub(crate) enum Turn<R, E> {
    /// Events to store; the reply holds once they are durable.
    Commit {
        commit: Commit,
        first: Version,
        last: Version,
        reply: R,
    },
    /// Nothing to store: the reply holds once everything before it is durable.
    Reply(R),
    Refused(E),
    NotDone(NotDone),
    /// Not done, and the state in memory can't be trusted any more: reload.
    Broken(NotDone),
}

/// Bytes of commits after which a state's weight is measured again, at least; half its weight, if that is more.
const WEIGH_BYTES_MIN: u32 = 4 << 10;
/// No state weighs more, whatever it says: 4 bytes an idle aggregate are enough, and sums of weights never overflow.
const WEIGHT_BYTES_MAX: u32 = u32::MAX;
/// Where a panic can come from, as the caller is told.
const HANDLE: &str = "handle";
const APPLY: &str = "apply";

pub(crate) struct EntityCore<A: Aggregate> {
    state: A,
    version: Version,
    snapshot_version: Version,
    command_ids: CommandIds,
    state_bytes: u32,
    /// Bytes committed since it was weighed.
    unweighed_bytes: u32,
}

impl<A: Aggregate> EntityCore<A> {
    /// `snapshot_version`: what the newest snapshot covers, or none.
    pub(crate) fn new(
        state: A,
        version: Version,
        snapshot_version: Version,
        command_ids: CommandIds,
    ) -> Self {
        let mut core = Self {
            state,
            version,
            snapshot_version,
            command_ids,
            state_bytes: 0,
            unweighed_bytes: 0,
        };
        core.weigh();
        core
    }

    pub(crate) fn state(&self) -> &A {
        &self.state
    }

    pub(crate) fn version(&self) -> Version {
        self.version
    }

    /// Whether an id has been seen; `LookUp` if only the store can tell.
    pub(crate) fn identify(&self, identity: Identity, now: Timestamp) -> Identified {
        match self.command_ids.judge(identity.id, self.version > Version::NONE) {
            Verdict::Seen(seen) => same_or_reused(identity, seen.fingerprint, seen.first_version),
            Verdict::LookUp => Identified::LookUp,
            Verdict::New => match too_far_ahead(identity.id, now) {
                None => Identified::New,
                Some(refusal) => Identified::NotDone(refusal),
            },
        }
    }

    /// Handles a command whose id is new. Nothing changes unless the result is `Commit`, or `Broken`.
    pub(crate) fn handle<C: Command>(&mut self, command: C, about: &Commanded<'_>) -> Turn<C::Reply, A::Error>
    where
        A: Handle<C>,
    {
        if !about.expected.allows(self.version) {
            return Turn::NotDone(NotDone::VersionConflict {
                expected: about.expected,
                actual: self.version,
            });
        }
        let place = Cell::new(HANDLE);
        if planted(Planted::PanicBoundaryRemoved) {
            return self.decide(command, about, &place);
        }
        let decided = catch_unwind(AssertUnwindSafe(|| self.decide(command, about, &place)));
        decided.unwrap_or_else(|panic| {
            let (place, message) = (place.get(), panic_message(panic.as_ref()));
            let reason = NotDone::Panicked { place, message };
            // `handle` has the state by shared reference: nothing of it changed
            if place == HANDLE {
                Turn::NotDone(reason)
            } else {
                Turn::Broken(reason)
            }
        })
    }

    fn decide<C: Command>(
        &mut self,
        command: C,
        about: &Commanded<'_>,
        place: &Cell<&'static str>,
    ) -> Turn<C::Reply, A::Error>
    where
        A: Handle<C>,
    {
        let command_id = about.identity.map(|identity| identity.id);
        let context = CommandContext::new(about.id, self.version, about.now, command_id, about.metadata);
        let decision = match self.state.handle(command, &context) {
            Ok(decision) => decision,
            Err(refusal) => return Turn::Refused(refusal),
        };
        let (events, limit) = (decision.event_count(), limits::EVENTS_PER_COMMIT_MAX);
        if events > limit {
            return Turn::NotDone(NotDone::TooManyEvents { events, limit });
        }
        place.set(APPLY);
        let first = self.version.next();
        let mut commit = CommitBuilder::of(about.aggregate_type, about.id, first);
        let folded = fold(&mut self.state, decision, |event| commit.event(event, A::CODEC));
        let reply = match folded {
            Ok(reply) => reply,
            Err(failed) if failed.state_changed => return Turn::Broken(not_encoded(failed.error)),
            Err(failed) => return Turn::NotDone(not_encoded(failed.error)),
        };
        if commit.events() == 0 {
            return Turn::Reply(reply);
        }
        self.finish::<C>(commit, first, reply, about)
    }

    /// The state has changed: whatever fails from here on breaks the entity.
    fn finish<C: Command>(
        &mut self,
        mut commit: CommitBuilder,
        first: Version,
        reply: C::Reply,
        about: &Commanded<'_>,
    ) -> Turn<C::Reply, A::Error>
    where
        A: Handle<C>,
    {
        if let Some(identity) = about.identity {
            let added = commit.command(identity.id, identity.fingerprint, A::CODEC, &reply);
            if let Err(error) = added {
                return Turn::Broken(not_encoded(error));
            }
        }
        commit.metadata(about.metadata);
        let last = commit.last_version();
        match commit.finish() {
            Ok(commit) => {
                self.committed(about, first, last, commit.bytes());
                Turn::Commit {
                    commit,
                    first,
                    last,
                    reply,
                }
            }
            Err(error) => Turn::Broken(not_encoded(error)),
        }
    }

    fn committed(&mut self, about: &Commanded<'_>, first: Version, last: Version, bytes: usize) {
        self.version = last;
        if let Some(Identity { id, fingerprint }) = about.identity {
            self.command_ids.remember(
                Seen {
                    id,
                    fingerprint,
                    first_version: first,
                    last_version: last,
                },
                about.durable,
                about.recent_ids,
            );
        }
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        self.unweighed_bytes = self.unweighed_bytes.saturating_add(bytes);
        if self.unweighed_bytes > WEIGH_BYTES_MIN.max(self.state_bytes / 2) {
            self.weigh();
        }
    }

    /// Whether `every_events` have passed since the last snapshot; 0 for never.
    pub(crate) fn is_snapshot_due(&self, every_events: u32) -> bool {
        let since = self.version.get() - self.snapshot_version.get();
        every_events > 0 && since >= u64::from(every_events)
    }

    /// The state for a snapshot.
    pub(crate) fn snapshot(&mut self) -> Option<SnapshotDue> {
        // whatever comes of it: a state that can't be encoded is not tried at every command
        self.snapshot_version = self.version;
        let limit = SizeLimit {
            field: "snapshot",
            bytes_max: SNAPSHOT_BYTES_MAX,
        };
        let mut payload = Vec::with_capacity(self.state_bytes as usize);
        match catch_unwind(AssertUnwindSafe(|| {
            A::CODEC.encode(&self.state, &mut payload, limit)
        })) {
            Ok(Ok(())) => Some(SnapshotDue {
                version: self.version,
                newest_command: self.command_ids.newest(),
                payload,
            }),
            failed => {
                // What its `Serialize` says may repeat the state.
                let why = match &failed {
                    Ok(Err(CodecError::TooLarge { .. })) => "it is too large",
                    Ok(_) => "its Serialize fails",
                    Err(_) => "its Serialize panics",
                };
                tracing::warn!(
                    aggregate_type = A::TYPE,
                    why,
                    "a state can't be encoded as a snapshot"
                );
                None
            }
        }
    }

    /// Bytes that this aggregate takes beyond its actor.
    pub(crate) fn heap_bytes(&self) -> usize {
        self.state_bytes as usize + self.command_ids.heap_bytes()
    }

    /// Asks the state for its weight, or measures its encoded size: each time half as much was committed, so that it costs
    /// O(1) a byte.
    fn weigh(&mut self) {
        let weighed = catch_unwind(AssertUnwindSafe(|| {
            self.state
                .weight_bytes()
                .or_else(|| A::CODEC.encoded_len(&self.state).ok())
        }));
        if let Some(weight) = weighed.ok().flatten() {
            self.state_bytes = u32::try_from(weight).unwrap_or(WEIGHT_BYTES_MAX);
        }
        self.unweighed_bytes = 0;
    }
}

/// Whether an id that took effect came with this command or with another one.
pub(crate) fn same_or_reused(
    identity: Identity,
    first: CommandFingerprint,
    first_version: Version,
) -> Identified {
    if identity.fingerprint.same_command(&first) {
        Identified::Done { first_version }
    } else {
        Identified::NotDone(NotDone::CommandIdReused {
            id: identity.id,
            first_version,
        })
    }
}

/// A v7 id from the future would raise the floor above every honest id for as long.
fn too_far_ahead(id: CommandId, now: Timestamp) -> Option<NotDone> {
    let ahead_ms = id.time()?.as_millis().saturating_sub(now.as_millis());
    let limit_ms = limits::COMMAND_ID_FUTURE_MAX.as_millis() as u64;
    (ahead_ms > limit_ms).then_some(NotDone::CommandIdInFuture {
        id,
        ahead_ms,
        limit_ms,
    })
}

fn not_encoded(error: CommitError) -> NotDone {
    match error {
        CommitError::TooLarge { field, bytes, limit } => NotDone::TooLarge { field, bytes, limit },
        CommitError::TooManyEvents { limit } => NotDone::TooManyEvents {
            events: limit + 1,
            limit,
        },
        CommitError::Unencodable { field, reason } => NotDone::Unencodable { field, reason },
        other => NotDone::Unencodable {
            field: "commit",
            reason: other.to_string().into(),
        },
    }
}

/// What a panic said.
pub(crate) fn panic_message(panic: &(dyn std::any::Any + Send)) -> Arc<str> {
    let text = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    Arc::from(text.unwrap_or("no message"))
}

#[cfg(test)]
mod tests;
