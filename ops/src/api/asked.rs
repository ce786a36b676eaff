//! What requests ask with, checked: names of streams, limits, the runtime itself.

use actix_web::error::{PathError, QueryPayloadError};
use actix_web::web::{Data, Path, PathConfig, QueryConfig};
use actix_web::{Error, HttpRequest};
use dormouse_domain::{AggregateId, AggregateType, StreamId, Version};
use dormouse_runtime::admin::StreamsWanted;
use dormouse_runtime::{Admin, Dormouse};
use serde::Deserialize;
use utoipa::IntoParams;

use crate::attached::Attached;
use crate::problem::Problem;

/// Items on a page unless a limit is given: a screen or two.
pub(crate) const PAGE: usize = 50;
/// 2⁵³ - 1: what floating point numbers hold exactly.
const NUMBER_MAX: u64 = 9_007_199_254_740_991;

/// The two last parts of a stream's path.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Path)]
pub(crate) struct StreamPath {
    /// The aggregate's type.
    #[serde(rename = "type")]
    #[param(min_length = 1, max_length = 64, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]+$")]
    aggregate_type: String,
    /// The aggregate's id: at most 512 bytes of UTF-8, percent-encoded, slashes too. Not `.` or `..`, which clients take away
    /// from paths: those are asked for by query, below `/stream`.
    #[param(min_length = 1, max_length = 512, pattern = "^[^\\x00-\\x1F\\x7F-\\x9F]+$")]
    id: String,
}

impl StreamPath {
    pub(crate) fn stream(path: Path<Self>) -> Result<StreamId, Problem> {
        let Self { aggregate_type, id } = path.into_inner();
        Ok(StreamId::new(type_named(aggregate_type)?, id_named("id", id)?))
    }
}

pub(crate) fn type_named(name: String) -> Result<AggregateType, Problem> {
    AggregateType::new(name).map_err(|error| Problem::bad("type", error.to_string()))
}

pub(crate) fn id_named(field: &str, id: String) -> Result<AggregateId, Problem> {
    AggregateId::try_from(id).map_err(|error| Problem::bad(field, error.to_string()))
}

/// What ids begin with: no longer than an id.
pub(crate) fn prefix(prefix: String) -> Result<String, Problem> {
    let (bytes, most) = (prefix.len(), AggregateId::BYTES_MAX);
    if bytes <= most {
        return Ok(prefix);
    }
    let error = format!("ids have at most {most} bytes");
    Err(Problem::bad("prefix", error).sizes(bytes as u64, most as u64))
}

/// A whole number, if there is any. Taken as text until here, where its name is known: a problem names it.
fn number(field: &str, asked: Option<&str>) -> Result<Option<u64>, Problem> {
    let parsed = asked.map(|text| {
        let error = || format!("`{text}` is no whole number from 0 to {}", u64::MAX);
        whole(text).ok_or_else(|| Problem::bad(field, error()))
    });
    parsed.transpose()
}

/// Digits and nothing else: Rust's own reading takes a `+` before them, too.
pub(crate) fn whole(text: &str) -> Option<u64> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// How many items are asked for: from 1 to `most`.
pub(crate) fn limit(asked: Option<&str>, most: usize) -> Result<usize, Problem> {
    let limit = match number("limit", asked)? {
        None => PAGE.min(most) as u64,
        Some(limit) => limit,
    };
    match usize::try_from(limit) {
        Ok(limit) if (1..=most).contains(&limit) => Ok(limit),
        _ => {
            let error = format!("a page has 1 to {most} items");
            Err(Problem::bad("limit", error).sizes(limit, most as u64))
        }
    }
}

/// A version that is asked for, if any: within what any JSON reader has exactly.
pub(crate) fn version(field: &str, asked: Option<&str>) -> Result<Option<Version>, Problem> {
    match number(field, asked)? {
        Some(version) if version > NUMBER_MAX => {
            Err(Problem::bad(field, "no stream has so many events").sizes(version, NUMBER_MAX))
        }
        version => Ok(version.map(Version::new)),
    }
}

/// The runtime, once it is there.
pub(crate) fn runtime(attached: &Data<Attached>) -> Result<Dormouse, Problem> {
    let opening = || Problem::unavailable("the store is being opened");
    attached.runtime().ok_or_else(opening)
}

pub(crate) fn admin(attached: &Data<Attached>) -> Result<Admin, Problem> {
    Ok(runtime(attached)?.admin())
}

/// A type that is registered, or has streams in the store: what was registered once can still be read.
///
/// A seek, and a look at every commit that is not indexed yet, for a type that is not registered.
pub(crate) async fn known_type(admin: &Admin, aggregate_type: &AggregateType) -> Result<(), Problem> {
    let registered = admin.aggregate_types();
    if registered
        .iter()
        .any(|known| known.name == aggregate_type.as_str())
    {
        return Ok(());
    }
    let first = StreamsWanted {
        limit: 1,
        ..StreamsWanted::of(aggregate_type.clone())
    };
    if !admin.streams(&first).await?.streams.is_empty() {
        return Ok(());
    }
    let names: Vec<_> = registered.iter().map(|known| known.name).collect();
    let error = format!(
        "no stream of the type `{}` is stored, nor is it registered; registered: {}",
        aggregate_type.as_str(),
        names.join(", ")
    );
    Err(Problem::not_found(error).of("type"))
}

/// What is wrong with a query's parameters is told like everything else.
pub(crate) fn queries() -> QueryConfig {
    QueryConfig::default()
        .error_handler(|error: QueryPayloadError, _: &HttpRequest| -> Error { bad_query(error).into() })
}

/// The same for a query that is read by hand.
pub(crate) fn bad_query(error: QueryPayloadError) -> Problem {
    let text = match error {
        QueryPayloadError::Deserialize(reason) => reason.to_string(),
        other => other.to_string(),
    };
    Problem::bad(parameter_of(&text).unwrap_or("query"), text.as_str())
}

/// The parameter that serde says is missing, not known, or there twice. It tells so in words only.
fn parameter_of(text: &str) -> Option<&str> {
    let ["missing field " | "unknown field " | "duplicate field ", name, ..] =
        text.split('`').collect::<Vec<_>>()[..]
    else {
        return None;
    };
    Some(name)
}

/// The same for what stands in a path: such a thing does not exist.
pub(crate) fn paths() -> PathConfig {
    PathConfig::default().error_handler(|error: PathError, _: &HttpRequest| -> Error {
        Problem::not_found(error.to_string()).of("path").into()
    })
}
