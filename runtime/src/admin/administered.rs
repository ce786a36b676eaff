//! One aggregate type behind a trait object: an operator names types by text. The domain's code runs behind
//! `catch_unwind`, on whichever thread calls, which must be one that may wait for a disk.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use dormouse_domain::{Aggregate, AggregateId, Codec, Event, EventType, SizeLimit, StreamId, Version};
use dormouse_persistence::{Snapshot, StoredEvent};

use super::limits::{EVENT_JSON_BYTES_MAX, STATE_JSON_BYTES_MAX};
use super::{AdminError, SnapshotTaken};
use crate::activation::{Folded, LoadFailed, Until, load};
use crate::directory::Directory;
use crate::entity_core::panic_message;
use crate::options::SNAPSHOT_BYTES_MAX;
use crate::readers::IsWanted;
use crate::residency::Residency;

/// A registered aggregate type.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AggregateTypeInfo {
    /// [`Aggregate::TYPE`].
    pub name: &'static str,
    /// The stored name and current schema version of each kind of event.
    pub events: &'static [EventType],
    /// [`Aggregate::STATE_VERSION`].
    pub state_version: u32,
    /// How what is new is encoded.
    pub codec: Codec,
    /// How many are in memory now, those being woken included.
    pub residents: usize,
}

/// What an operator can ask of one aggregate type, whichever it is.
pub(crate) trait Administered: Send + Sync {
    fn info(&self) -> AggregateTypeInfo;

    /// Who is awake under this id.
    fn find(&self, id: &AggregateId) -> Option<Arc<Residency>>;

    /// An event as JSON, through its upcasters; or why that can't be.
    fn event_json(&self, event: &StoredEvent<'_>) -> Result<String, String>;

    /// The name of the command whose fingerprint has this hash of it, if one was handled.
    fn command_name(&self, hash: u32) -> Option<&'static str>;

    /// A state as JSON, and its version.
    fn state_json(
        &self,
        stream: &StreamId,
        until: Until,
        is_wanted: IsWanted<'_>,
    ) -> Result<(Version, String), AdminError>;

    /// Stores a snapshot of the durable state.
    fn take_snapshot(&self, stream: &StreamId, is_wanted: IsWanted<'_>) -> Result<SnapshotTaken, AdminError>;
}

impl<A: Aggregate> Administered for Directory<A> {
    fn info(&self) -> AggregateTypeInfo {
        AggregateTypeInfo {
            name: A::TYPE,
            events: A::Event::TYPES,
            state_version: A::STATE_VERSION,
            codec: A::CODEC,
            residents: self.entries.len(),
        }
    }

    fn find(&self, id: &AggregateId) -> Option<Arc<Residency>> {
        self.entries.find(id)
    }

    fn event_json(&self, stored: &StoredEvent<'_>) -> Result<String, String> {
        guarded(|| {
            let event = A::Event::decode(stored.name, stored.schema, stored.codec, stored.payload);
            let event = event.map_err(|error| error.to_string())?;
            let mut json = Vec::new();
            let limit = SizeLimit {
                field: "the event as JSON",
                bytes_max: EVENT_JSON_BYTES_MAX,
            };
            event
                .encode(Codec::Json, &mut json, limit)
                .map_err(|error| error.to_string())?;
            text(json)
        })
    }

    fn command_name(&self, hash: u32) -> Option<&'static str> {
        self.shared.command_names.of(A::TYPE, hash)
    }

    fn state_json(
        &self,
        stream: &StreamId,
        until: Until,
        is_wanted: IsWanted<'_>,
    ) -> Result<(Version, String), AdminError> {
        let folded = self.fold(stream, until, is_wanted)?;
        let version = folded.version;
        let shown = guarded(move || {
            let mut json = Vec::new();
            let limit = SizeLimit {
                field: "the state as JSON",
                bytes_max: STATE_JSON_BYTES_MAX,
            };
            Codec::Json
                .encode(&folded.state, &mut json, limit)
                .map_err(|error| error.to_string())?;
            text(json)
        });
        let json = shown.map_err(|reason| AdminError::NotJson {
            stream: stream.clone(),
            version,
            reason: reason.into(),
        })?;
        Ok((version, json))
    }

    fn take_snapshot(&self, stream: &StreamId, is_wanted: IsWanted<'_>) -> Result<SnapshotTaken, AdminError> {
        let folded = self.fold(stream, Until::End, is_wanted)?;
        let version = folded.version;
        let Some(offset) = folded.newest else {
            return Err(AdminError::NoSuchVersion {
                stream: stream.clone(),
                version: Version::new(1),
                head: Version::NONE,
            });
        };
        let newest_command = folded.newest_command;
        let encoded = guarded(move || {
            let mut payload = Vec::new();
            let limit = SizeLimit {
                field: "the snapshot",
                bytes_max: SNAPSHOT_BYTES_MAX,
            };
            A::CODEC
                .encode(&folded.state, &mut payload, limit)
                .map_err(|error| error.to_string())?;
            Ok(payload)
        });
        let payload = encoded.map_err(|reason| AdminError::Domain {
            stream: stream.clone(),
            reason: reason.into(),
        })?;
        let bytes = payload.len();
        let snapshot = Snapshot {
            version,
            offset,
            fingerprint: self.state_fingerprint,
            codec: A::CODEC,
            newest_command,
            time: self.shared.options.clock.now(),
            payload,
        };
        self.shared.store.put_snapshot(stream, &snapshot)?;
        Ok(SnapshotTaken { version, bytes })
    }
}

impl<A: Aggregate> Directory<A> {
    /// A durable state, from the store: what is in memory may not be durable yet (P2).
    fn fold(
        &self,
        stream: &StreamId,
        until: Until,
        is_wanted: IsWanted<'_>,
    ) -> Result<Folded<A>, AdminError> {
        let store = &self.shared.store;
        let loaded = load::<A>(store, stream, self.state_fingerprint, until, None, is_wanted);
        match loaded {
            Ok(loaded) => Ok(loaded.folded),
            Err(LoadFailed::Store(error)) => Err(error.into()),
            Err(failed) => Err(AdminError::Domain {
                stream: stream.clone(),
                reason: failed.to_string().into(),
            }),
        }
    }
}

/// Runs the domain's code; a panic is a reason like any other.
fn guarded<T>(run: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    catch_unwind(AssertUnwindSafe(run))
        .unwrap_or_else(|panic| Err(format!("it panicked: {}", panic_message(panic.as_ref()))))
}

fn text(json: Vec<u8>) -> Result<String, String> {
    String::from_utf8(json).map_err(|error| error.to_string())
}
