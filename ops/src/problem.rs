//! How a request is told that it was not done: JSON for every status of 400 and above.

use std::fmt;
use std::ops::Not;

use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap};
use actix_web::{HttpResponse, ResponseError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::guard::headers;

/// The media type of a [`Problem`]: RFC 9457, whose own members are all optional.
pub(crate) const PROBLEM_JSON: &str = "application/problem+json";

/// Why a request was not done. Nothing has changed, unless `unknown` is there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub(crate) struct Problem {
    /// The status code, once more.
    pub(crate) status: u16,
    /// What is wrong, in a sentence.
    pub(crate) error: String,
    /// Whether it is not known what became of it: it may have been done.
    #[serde(skip_serializing_if = "Not::not")]
    pub(crate) unknown: bool,
    /// The parameter, header or member that is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) field: Option<String>,
    /// How large its value is, in the limit's unit.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) value_size: Option<u64>,
    /// The most, or the least, that it may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) limit: Option<u64>,
    /// When to come back, in seconds: the header `Retry-After`.
    #[serde(skip)]
    pub(crate) retry_after_s: Option<u64>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, error: impl Into<String>) -> Self {
        Self {
            status: status.as_u16(),
            error: error.into(),
            unknown: false,
            field: None,
            value_size: None,
            limit: None,
            retry_after_s: None,
        }
    }

    pub(crate) fn bad(field: &str, error: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, error).of(field)
    }

    pub(crate) fn not_found(error: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, error)
    }

    pub(crate) fn conflict(error: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, error)
    }

    pub(crate) fn unavailable(error: impl Into<String>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, error)
    }

    /// A body of another type than the one that is expected, or of none.
    pub(crate) fn content_type(headers: &HeaderMap, expected: &str) -> Self {
        let sent = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let error = match sent {
            Some(sent) => format!("the body is of the type {sent}, and {expected} is expected"),
            None => format!("the body does not tell its type, which is to be {expected}"),
        };
        Self::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error).of("Content-Type")
    }

    pub(crate) fn of(mut self, field: &str) -> Self {
        self.field = Some(field.into());
        self
    }

    /// It may have been done.
    pub(crate) fn unknown(mut self) -> Self {
        self.unknown = true;
        self.error += "; it may have been done";
        self
    }

    pub(crate) fn sizes(mut self, value_size: u64, limit: u64) -> Self {
        (self.value_size, self.limit) = (Some(value_size), Some(limit));
        self
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.error)
    }
}

impl ResponseError for Problem {
    fn status_code(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        if self.status == StatusCode::UNAUTHORIZED.as_u16() {
            response.insert_header(("WWW-Authenticate", "Bearer"));
        }
        if let Some(seconds) = self.retry_after_s {
            response.insert_header(("Retry-After", seconds));
        }
        let mut response = response
            .content_type(PROBLEM_JSON)
            .body(serde_json::to_vec(self).unwrap_or_default());
        headers::secure(response.headers_mut());
        response
    }
}

impl From<Problem> for HttpResponse {
    fn from(problem: Problem) -> Self {
        problem.error_response()
    }
}
