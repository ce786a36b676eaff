//! What an operator sees and does: by name, decoded to JSON, in pages. Nothing of it is on a command's path.
//!
//! Streams, events and states are read from the store, so only what is durable is shown (P2), on the thread that reads
//! the past: neither commands nor activations wait for an operator.

mod administered;
mod error;
mod events;
pub mod limits;
mod place;
mod residents;
mod snapshot;
mod state;
mod streams;

use std::sync::Arc;

use dormouse_domain::{EventId, Position, StreamId, Version};
use dormouse_persistence::Store;

pub(crate) use self::administered::Administered;
pub use self::administered::AggregateTypeInfo;
pub use self::error::AdminError;
pub use self::events::{CommandSummary, EventRecord, EventsPage, Payload};
use self::limits::{EVENTS_PAGE_MAX, READS_WAITING_MAX, checked};
pub use self::place::EventPlace;
pub use self::residents::{Resident, ResidentOrder, ResidentsFound, ResidentsWanted};
pub use self::snapshot::SnapshotTaken;
pub use self::state::{AsOf, StateRecord};
pub use self::streams::StreamsWanted;
use crate::dormouse::Dormouse;
use crate::readers::IsWanted;
pub use dormouse_persistence::{StreamSummary, StreamsPage};

/// An operator's view of a runtime. Cheap to make and to clone; keeps the runtime alive.
///
/// Made by [`Dormouse::admin`].
///
/// ```
/// use dormouse_domain::{
///     Aggregate, AggregateType, Command, CommandContext, Decided, Decision, Event, Handle, Never, StreamId, Version,
/// };
/// use dormouse_persistence::Store;
/// use dormouse_runtime::Dormouse;
/// use dormouse_runtime::admin::{AsOf, ResidentsWanted, StreamsWanted};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize)]
/// struct Lamp { lit: bool }
///
/// #[derive(Serialize, Deserialize, Event)]
/// enum Switched { On, Off }
///
/// #[derive(Serialize, Deserialize, Command)]
/// struct Press;
///
/// impl Aggregate for Lamp {
///     const TYPE: &'static str = "lamp";
///     type Event = Switched;
///     type Error = Never;
///     fn apply(&mut self, event: &Switched) {
///         self.lit = matches!(event, Switched::On);
///     }
/// }
///
/// impl Handle<Press> for Lamp {
///     fn handle(&self, _: Press, _: &CommandContext<'_>) -> Decided<Self, Press> {
///         Ok(Decision::event(if self.lit { Switched::Off } else { Switched::On }))
///     }
/// }
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let runtime = Dormouse::builder(Store::in_memory()).aggregate::<Lamp>().start().await?;
/// let hall = runtime.entity::<Lamp>("hall")?;
/// hall.execute(Press).await?;
/// hall.execute(Press).await?;
///
/// let admin = runtime.admin();
/// let lamps = AggregateType::from_static("lamp");
/// let page = admin.streams(&StreamsWanted::of(lamps.clone())).await?;
/// assert_eq!((page.streams[0].stream.to_string(), page.streams[0].head), ("lamp/hall".into(), Version::new(2)));
///
/// let hall = StreamId::new(lamps, "hall".try_into()?);
/// let events = admin.events(&hall, Version::new(1), 50).await?.events;
/// assert_eq!((events[0].name.as_str(), events[1].name.as_str()), ("On", "Off"));
/// let first = admin.state_at(&hall, AsOf::Version(Version::new(1))).await?;
/// assert_eq!(first.json, r#"{"lit":true}"#);
/// assert_eq!(admin.residents(&ResidentsWanted::default()).residents[0].commands, 2);
/// # runtime.shutdown().await?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct Admin {
    runtime: Dormouse,
}

/// What became of a wish to passivate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Passivated {
    /// It left memory. Its next command wakes it.
    Done,
    /// It was not in memory.
    NotResident,
    /// Something is in flight to it, so it stays. Ask again.
    Busy,
}

impl Admin {
    pub(crate) fn new(runtime: Dormouse) -> Self {
        Self { runtime }
    }

    /// The registered aggregate types, by name. Cheap.
    #[must_use]
    pub fn aggregate_types(&self) -> Vec<AggregateTypeInfo> {
        let registered = self.runtime.registered();
        registered.all().map(|(_, known)| known.info()).collect()
    }

    /// Who is in memory: the first of them in the order wanted.
    ///
    /// Cost: one look at every resident, some 0.12 µs each, on the caller's thread; memory for the answer only. The lock it
    /// takes, for a few hundred residents at a time, is one that wakings and evictions take, but no command does.
    #[must_use]
    pub fn residents(&self, wanted: &ResidentsWanted) -> ResidentsFound {
        residents::find(self.runtime.shared(), wanted)
    }

    /// The streams of a type, in the order of their ids, whether they are in memory or not. The type need not be registered.
    ///
    /// Cost: two seeks a stream, and a look at every commit that is not indexed yet.
    ///
    /// # Errors
    /// [`AdminError::Invalid`] when the limit is 0 or over [`Store::STREAMS_PAGE_MAX`], or the prefix longer than an id;
    /// when the index can't be read.
    pub async fn streams(&self, wanted: &StreamsWanted) -> Result<StreamsPage, AdminError> {
        let wanted = wanted.checked()?.clone();
        self.read(move |store, _| {
            let page = store.streams(
                &wanted.aggregate_type,
                &wanted.id_prefix,
                wanted.after.as_ref(),
                wanted.limit,
            );
            Ok(page?)
        })
        .await
    }

    /// The event that was committed at `position`; `None` if there is none.
    ///
    /// Cost: a seek, and unpacking one segment of the log.
    ///
    /// # Errors
    /// When the log can't be read there.
    pub async fn event_at(&self, position: Position) -> Result<Option<EventPlace>, AdminError> {
        self.read(move |store, _| place::find(store, position)).await
    }

    /// The event of this id; `None` if it is not one of this store: how the link from an event to its cause is followed.
    /// Costs as much as [`event_at`](Self::event_at).
    ///
    /// # Errors
    /// When the log can't be read there.
    pub async fn event_by_id(&self, id: EventId) -> Result<Option<EventPlace>, AdminError> {
        let place = self.event_at(id.position()).await?;
        Ok(place.filter(|place| place.id == id))
    }

    /// A page of a stream's events from version `from` on, decoded to JSON through the registered type and its upcasters;
    /// raw where that can't be. A stream without events has an empty page.
    ///
    /// Cost: a seek and a read of the page, whatever the stream's length.
    ///
    /// # Errors
    /// [`AdminError::Invalid`] unless `limit` is 1 to [`EVENTS_PAGE_MAX`]; when the stream can't be read.
    pub async fn events(
        &self,
        stream: &StreamId,
        from: Version,
        limit: usize,
    ) -> Result<EventsPage, AdminError> {
        let limit = checked("limit", limit, EVENTS_PAGE_MAX)?;
        let known = self.runtime.registered().named(stream.aggregate_type.as_str());
        let (known, stream) = (known.map(Arc::clone), stream.clone());
        self.read(move |store, _| events::read(store, known.as_deref(), &stream, from, limit))
            .await
    }

    /// The durable state of a stream as JSON, now or in the past.
    ///
    /// Cost: a read and a fold of the events up to there, from the stored snapshot if that is of no later version, or else
    /// from the first. Nothing is kept from one question to the next, so a step of a slider costs this each time: with small
    /// events 7 ms at version 100,000 (docs/performance.md). It ends early when its caller stops waiting.
    ///
    /// # Errors
    /// [`AdminError::NoSuchVersion`] beyond the durable head; when the type is unknown, the stream can't be read, or the
    /// state is not for JSON.
    pub async fn state_at(&self, stream: &StreamId, as_of: AsOf) -> Result<StateRecord, AdminError> {
        let (known, stream) = (Arc::clone(self.known(stream)?), stream.clone());
        self.read(move |store, is_wanted| state::read(store, &*known, &stream, as_of, is_wanted))
            .await
    }

    /// Takes an aggregate out of memory, unless something is in flight to it. A snapshot is stored where it is worth it.
    ///
    /// # Errors
    /// [`AdminError::UnknownType`].
    #[expect(
        clippy::unused_async,
        reason = "in a cluster it may be in another's memory, and callers should not change"
    )]
    pub async fn passivate(&self, stream: &StreamId) -> Result<Passivated, AdminError> {
        let resident = self.known(stream)?.find(&stream.id);
        Ok(match resident {
            None => Passivated::NotResident,
            Some(resident) if resident.try_evict() => {
                self.runtime.shared().count_passivated_by_operator();
                Passivated::Done
            }
            Some(_) => Passivated::Busy,
        })
    }

    /// Stores a snapshot of an aggregate's durable state, in place of the one before. Its next activation, and the states
    /// after it, are read from there.
    ///
    /// Cost: a read of what came after the last snapshot, and one write, not synced.
    ///
    /// # Errors
    /// [`AdminError::NoSuchVersion`] when nothing is stored; when the stream can't be folded, or the state can't be encoded
    /// or is over 64 MiB; when the store has stopped.
    pub async fn snapshot(&self, stream: &StreamId) -> Result<SnapshotTaken, AdminError> {
        let (known, stream) = (Arc::clone(self.known(stream)?), stream.clone());
        self.read(move |_, is_wanted| known.take_snapshot(&stream, is_wanted))
            .await
    }

    fn known(&self, stream: &StreamId) -> Result<&Arc<dyn Administered>, AdminError> {
        let registered = self.runtime.registered();
        let name = stream.aggregate_type.as_str();
        registered.named(name).ok_or_else(|| AdminError::UnknownType {
            aggregate_type: name.to_owned(),
            known: registered.all().map(|(name, _)| name).collect(),
        })
    }

    /// Runs a job on the thread that reads the past.
    async fn read<T: Send + 'static>(
        &self,
        job: impl FnOnce(&Store, IsWanted<'_>) -> Result<T, AdminError> + Send + 'static,
    ) -> Result<T, AdminError> {
        let shared = self.runtime.shared();
        let (waiting, limit) = (shared.history.waiting(), READS_WAITING_MAX);
        if waiting >= limit {
            return Err(AdminError::Busy { waiting, limit });
        }
        let store = shared.store.clone();
        shared
            .history
            .run_while_wanted(move |is_wanted| job(&store, is_wanted))
            .await?
    }
}
