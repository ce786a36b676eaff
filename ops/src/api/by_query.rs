//! One stream that is named in the query: the same as below `/streams/{type}/{id}`, for whatever ids there are.
//!
//! In a path an id `.` or `..` never arrives: browsers and most clients take such a segment away before they send it,
//! percent-encoded or not (WHATWG URL, "single-dot" and "double-dot URL path segments").

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::web::{Data, Json, Query};
use actix_web::{FromRequest, HttpRequest};
use dormouse_domain::StreamId;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::IntoParams;

use crate::api::asked;
use crate::api::streams::{EventsAsked, StateAsked};
use crate::api::views::{Events, PassivatedView, SnapshotView, StateView};
use crate::api::{actions, streams};
use crate::attached::Attached;
use crate::problem::Problem;

/// Which stream is asked for.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct StreamQuery {
    /// The aggregate's type.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]+$")]
    aggregate_type: String,
    /// The aggregate's id: at most 512 bytes of UTF-8.
    #[param(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]+$")]
    id: String,
}

/// A stream, and what is asked of it.
pub(crate) struct Of<T> {
    stream: StreamId,
    asked: T,
}

/// There is nothing more to ask.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

impl<T: DeserializeOwned> FromRequest for Of<T> {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request.query_string()))
    }
}

impl<T: DeserializeOwned> Of<T> {
    fn read(query: &str) -> Result<Self, Problem> {
        let is_name = |pair: &&str| matches!(pair.split('=').next(), Some("type" | "id"));
        let (name, more): (Vec<_>, Vec<_>) = query.split('&').partition(is_name);
        for field in ["type", "id"] {
            if !name.iter().any(|pair| pair.split('=').next() == Some(field)) {
                return Err(Problem::bad(field, format!("`{field}` is missing")));
            }
        }
        let StreamQuery { aggregate_type, id } = parsed(&name)?;
        let stream = StreamId::new(asked::type_named(aggregate_type)?, asked::id_named("id", id)?);
        Ok(Self {
            stream,
            asked: parsed(&more)?,
        })
    }
}

fn parsed<T: DeserializeOwned>(pairs: &[&str]) -> Result<T, Problem> {
    let parsed = Query::from_query(&pairs.join("&"));
    parsed.map(Query::into_inner).map_err(asked::bad_query)
}

/// A page of a stream's events, oldest first. A stream without events has an empty page.
#[utoipa::path(get, path = "/api/v1/stream/events", tag = "streams", operation_id = "events_by_query",
    params(StreamQuery, EventsAsked),
    responses((status = 200, description = "A page of events", body = Events)))]
pub(crate) async fn events(attached: Data<Attached>, of: Of<EventsAsked>) -> Result<Json<Events>, Problem> {
    streams::events_of(&attached, &of.stream, &of.asked).await
}

/// An aggregate's durable state, now or in the past. Folds the events from the newest usable snapshot on.
#[utoipa::path(get, path = "/api/v1/stream/state", tag = "streams", operation_id = "state_by_query",
    params(StreamQuery, StateAsked),
    responses((status = 200, description = "The state", body = StateView)))]
pub(crate) async fn state(attached: Data<Attached>, of: Of<StateAsked>) -> Result<Json<StateView>, Problem> {
    streams::state_of(&attached, &of.stream, &of.asked).await
}

/// Takes an aggregate out of memory, unless something is in flight to it.
#[utoipa::path(post, path = "/api/v1/stream/passivate", tag = "actions", operation_id = "passivate_by_query",
    params(StreamQuery),
    responses((status = 200, description = "What became of it", body = PassivatedView)))]
pub(crate) async fn passivate(
    attached: Data<Attached>,
    of: Of<Nothing>,
) -> Result<Json<PassivatedView>, Problem> {
    actions::passivate_of(&attached, &of.stream).await
}

/// Stores a snapshot of an aggregate's durable state: its next activation is read from there.
#[utoipa::path(post, path = "/api/v1/stream/snapshot", tag = "actions", operation_id = "snapshot_by_query",
    params(StreamQuery),
    responses((status = 200, description = "The snapshot", body = SnapshotView)))]
pub(crate) async fn snapshot(
    attached: Data<Attached>,
    of: Of<Nothing>,
) -> Result<Json<SnapshotView>, Problem> {
    actions::snapshot_of(&attached, &of.stream).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(query: &str) -> Result<(String, String), Option<String>> {
        let of = Of::<Nothing>::read(query);
        of.map(|of| (of.stream.aggregate_type.to_string(), of.stream.id.to_string()))
            .map_err(|problem| problem.field)
    }

    #[test]
    fn any_id_arrives_and_what_is_wrong_is_named() {
        let account = |id: &str| Ok(("account".to_owned(), id.to_owned()));
        for (encoded, id) in [
            (".", "."),
            ("..", ".."),
            ("%2E%2E", ".."),
            ("a%2Fb", "a/b"),
            ("a/b?c", "a/b?c"),
            ("%26id%3D", "&id="),
            ("%252E", "%2E"),
            ("%20", " "),
        ] {
            assert_eq!(
                read(&format!("type=account&id={encoded}")),
                account(id),
                "{encoded}"
            );
        }
        for (query, field) in [
            ("", "type"),
            ("type=account", "id"),
            ("id=1", "type"),
            ("type=account&id=", "id"),
            ("type=account&id=%0A", "id"),
            ("type=account&id=1&id=2", "id"),
            ("type=account&id=1&idd=2", "idd"),
        ] {
            assert_eq!(read(query), Err(Some(field.into())), "{query}");
        }
    }
}
