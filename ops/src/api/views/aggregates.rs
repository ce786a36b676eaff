//! Types, and aggregates in memory.

use dormouse_runtime::admin::{AggregateTypeInfo, Passivated, Resident, ResidentsFound};
use serde::Serialize;
use utoipa::ToSchema;

/// The registered aggregate types.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Types {
    /// By name.
    pub(crate) types: Vec<TypeView>,
}

/// A registered aggregate type.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TypeView {
    pub(crate) name: String,
    /// The kinds of its events.
    pub(crate) events: Vec<EventKind>,
    /// The version of the state that snapshots are stored with.
    pub(crate) state_version: u32,
    /// How new events are stored: `bincode` or `JSON`.
    pub(crate) codec: String,
    /// How many are in memory now.
    pub(crate) residents: usize,
}

/// A kind of event, as it is stored today.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventKind {
    pub(crate) name: String,
    /// The version of its schema.
    pub(crate) schema: u64,
}

/// Aggregates in memory.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Residents {
    /// The first of them in the order asked for.
    pub(crate) residents: Vec<ResidentView>,
    /// How many there are in all of those asked for.
    pub(crate) matching: usize,
}

/// An aggregate in memory.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ResidentView {
    #[serde(rename = "type")]
    pub(crate) aggregate_type: String,
    pub(crate) id: String,
    /// Commands and queries waiting, in hand, or not yet durable.
    pub(crate) in_flight: u32,
    /// Commands handled since it was woken.
    pub(crate) commands: u32,
    /// Since the last command or query.
    pub(crate) idle_seconds: f64,
    /// Since it was woken.
    pub(crate) awake_seconds: f64,
    /// What it is reckoned to take.
    pub(crate) bytes: usize,
}

/// What became of a wish to passivate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct PassivatedView {
    pub(crate) outcome: PassivatedOutcome,
}

/// What became of a wish to passivate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum PassivatedOutcome {
    /// It left memory; its next command wakes it.
    Done,
    /// It was not in memory.
    NotResident,
    /// Something is in flight to it: ask again.
    Busy,
}

/// A snapshot that was stored.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SnapshotView {
    /// The version of the last event in it.
    pub(crate) version: u64,
    /// What it takes.
    pub(crate) bytes: u64,
}

impl Types {
    pub(crate) fn of(types: Vec<AggregateTypeInfo>) -> Self {
        Self {
            types: types.into_iter().map(TypeView::of).collect(),
        }
    }
}

impl TypeView {
    #[expect(clippy::needless_pass_by_value, reason = "it is made of it")]
    fn of(info: AggregateTypeInfo) -> Self {
        let kinds = info.events.iter().map(|kind| EventKind {
            name: kind.name.into(),
            schema: kind.version.get().into(),
        });
        Self {
            name: info.name.into(),
            events: kinds.collect(),
            state_version: info.state_version,
            codec: info.codec.to_string(),
            residents: info.residents,
        }
    }
}

impl Residents {
    pub(crate) fn of(found: &ResidentsFound) -> Self {
        Self {
            residents: found.residents.iter().map(ResidentView::of).collect(),
            matching: found.matching,
        }
    }
}

impl ResidentView {
    fn of(resident: &Resident) -> Self {
        Self {
            aggregate_type: resident.stream.aggregate_type.to_string(),
            id: resident.stream.id.to_string(),
            in_flight: resident.in_flight,
            commands: resident.commands,
            idle_seconds: resident.idle.as_secs_f64(),
            awake_seconds: resident.awake.as_secs_f64(),
            bytes: resident.bytes,
        }
    }
}

impl PassivatedView {
    pub(crate) fn of(passivated: Passivated) -> Self {
        let outcome = match passivated {
            Passivated::Done => PassivatedOutcome::Done,
            Passivated::NotResident => PassivatedOutcome::NotResident,
            Passivated::Busy => PassivatedOutcome::Busy,
        };
        Self { outcome }
    }
}
