//! Streams: which there are, their events, and the states that these lead to.

use actix_web::web::{Data, Json, Path, Query};
use dormouse_domain::{EventId, StreamId, Timestamp, Version};
use dormouse_persistence::Store;
use dormouse_runtime::admin::{AsOf, StreamsWanted, limits};
use serde::Deserialize;
use utoipa::IntoParams;
use uuid::Uuid;

use crate::api::asked::{self, StreamPath};
use crate::api::views::{EventView, Events, StateView, Streams};
use crate::aside::aside;
use crate::attached::Attached;
use crate::problem::Problem;

/// Which streams are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamsAsked {
    /// The aggregates' type, registered or not.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]+$")]
    aggregate_type: String,
    /// Only those whose ids begin so.
    #[serde(default)]
    #[param(required = false, max_length = 512)]
    prefix: String,
    /// Only those whose ids come after this one: the last of the page before.
    #[param(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]+$")]
    after: Option<String>,
    /// How many. Default: 50.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 1000)]
    limit: Option<String>,
}

/// Which events of a stream are asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventsAsked {
    /// The first version. Default: 1.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    from: Option<String>,
    /// How many. Default: 50. A page ends early with the event that brings it to 4 MiB.
    #[param(value_type = Option<usize>, minimum = 1, maximum = 500)]
    limit: Option<String>,
}

/// Which state of an aggregate is asked for; the newest durable one if neither is given.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct StateAsked {
    /// After this version; 0 is the state before the first event.
    #[param(value_type = Option<u64>, minimum = 0, maximum = 9_007_199_254_740_991_u64)]
    version: Option<String>,
    /// After the last event that was stored at this time or before: RFC 3339 in UTC, `2026-01-31T23:59:59.999999Z`. Not
    /// together with `version`.
    #[param(
        pattern = r"^(19[7-9][0-9]|[2-9][0-9]{3})-((0[13578]|1[02])-(0[1-9]|[12][0-9]|3[01])|(0[469]|11)-(0[1-9]|[12][0-9]|30)|02-(0[1-9]|[12][0-9]))T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]([.][0-9]{1,6})?Z$"
    )]
    time: Option<String>,
}

/// Streams of one type, in the order of their ids, in memory or not. 404 for a type that is neither registered nor stored.
#[utoipa::path(get, path = "/api/v1/streams", tag = "streams", operation_id = "streams", params(StreamsAsked),
    responses((status = 200, description = "A page of streams", body = Streams)))]
pub(crate) async fn streams(
    attached: Data<Attached>,
    asked: Query<StreamsAsked>,
) -> Result<Json<Streams>, Problem> {
    let StreamsAsked {
        aggregate_type,
        prefix,
        after,
        limit,
    } = asked.into_inner();
    let wanted = StreamsWanted {
        aggregate_type: asked::type_named(aggregate_type)?,
        id_prefix: asked::prefix(prefix)?,
        after: after.map(|after| asked::id_named("after", after)).transpose()?,
        limit: asked::limit(limit.as_deref(), Store::STREAMS_PAGE_MAX)?,
    };
    let admin = asked::admin(&attached)?;
    let page = admin.streams(&wanted).await?;
    if page.streams.is_empty() {
        asked::known_type(&admin, &wanted.aggregate_type).await?;
    }
    Ok(Json(Streams::of(page)))
}

/// A page of a stream's events, oldest first. A stream without events has an empty page; 404 for a type that is neither
/// registered nor stored.
#[utoipa::path(get, path = "/api/v1/streams/{type}/{id}/events", tag = "streams", operation_id = "events",
    params(StreamPath, EventsAsked),
    responses((status = 200, description = "A page of events", body = Events)))]
pub(crate) async fn events(
    attached: Data<Attached>,
    path: Path<StreamPath>,
    asked: Query<EventsAsked>,
) -> Result<Json<Events>, Problem> {
    events_of(&attached, &StreamPath::stream(path)?, &asked).await
}

pub(super) async fn events_of(
    attached: &Data<Attached>,
    stream: &StreamId,
    asked: &EventsAsked,
) -> Result<Json<Events>, Problem> {
    let limit = asked::limit(asked.limit.as_deref(), limits::EVENTS_PAGE_MAX)?;
    let from = asked::version("from", asked.from.as_deref())?.unwrap_or(Version::new(1));
    let admin = asked::admin(attached)?;
    let page = admin.events(stream, from, limit).await?;
    if page.events.is_empty() {
        asked::known_type(&admin, &stream.aggregate_type).await?;
    }
    Ok(Json(aside(move || Events::of(page)).await?))
}

/// An aggregate's durable state, now or in the past. Folds the events from the newest usable snapshot on.
#[utoipa::path(get, path = "/api/v1/streams/{type}/{id}/state", tag = "streams", operation_id = "state",
    params(StreamPath, StateAsked),
    responses((status = 200, description = "The state", body = StateView)))]
pub(crate) async fn state(
    attached: Data<Attached>,
    path: Path<StreamPath>,
    asked: Query<StateAsked>,
) -> Result<Json<StateView>, Problem> {
    state_of(&attached, &StreamPath::stream(path)?, &asked).await
}

pub(super) async fn state_of(
    attached: &Data<Attached>,
    stream: &StreamId,
    asked: &StateAsked,
) -> Result<Json<StateView>, Problem> {
    let state = asked::admin(attached)?.state_at(stream, asked.as_of()?).await?;
    Ok(Json(aside(move || StateView::of(state)).await??))
}

impl StateAsked {
    fn as_of(&self) -> Result<AsOf, Problem> {
        let version = asked::version("version", self.version.as_deref())?;
        match (version, &self.time) {
            (None, None) => Ok(AsOf::Latest),
            (Some(version), None) => Ok(AsOf::Version(version)),
            (None, Some(time)) => {
                let time: Result<Timestamp, _> = time.parse();
                let time = time.map_err(|error| Problem::bad("time", error.to_string()))?;
                Ok(AsOf::Time(time))
            }
            (Some(_), Some(_)) => Err(Problem::conflict("either a version or a time").of("time")),
        }
    }
}

/// The id of an event.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct EventPath {
    /// A UUID.
    #[param(pattern = "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")]
    id: String,
}

/// The event of this id, and which stream it is in: how the link from an event to its cause is followed.
#[utoipa::path(get, path = "/api/v1/events/{id}", tag = "streams", operation_id = "event", params(EventPath),
    responses((status = 200, description = "The event", body = EventView)))]
pub(crate) async fn event(
    attached: Data<Attached>,
    path: Path<EventPath>,
) -> Result<Json<EventView>, Problem> {
    let uuid = Uuid::parse_str(&path.id).map_err(|error| Problem::bad("id", error.to_string()))?;
    let nothing = || Problem::not_found(format!("no event of this store has the id {uuid}")).of("id");
    let admin = asked::admin(&attached)?;
    let id = EventId::from_uuid(uuid).ok_or_else(nothing)?;
    let place = admin.event_by_id(id).await?.ok_or_else(nothing)?;
    let page = admin.events(&place.stream, place.version, 1).await?;
    let record = page.events.into_iter().next().ok_or_else(nothing)?;
    Ok(Json(
        aside(move || EventView::of(record, Some(&place.stream))).await?,
    ))
}
