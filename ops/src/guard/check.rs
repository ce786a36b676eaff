//! Whether a request may go on: who it is meant for, who sent it, how large it is, and what its sender may do.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};

use crate::guard::need::{self, Need};
use crate::guard::origin::{Hosts, Sender};
use crate::guard::{Access, BODY_BYTES_MAX};
use crate::problem::Problem;

/// A mutation must carry it: no form of another site can, and no script of another site may.
const ACTION_HEADER: &str = "x-dormouse-action";

/// Refuses what is not meant for this server, what a page of another site sent, and what is too large.
pub(super) fn sender(hosts: &Hosts, request: &ServiceRequest) -> Result<(), Problem> {
    let headers = request.headers();
    let host = text(headers, header::HOST.as_str()).unwrap_or_default();
    if !hosts.allow(host) {
        return Err(forbidden(
            "Host",
            "this host name is not allowed: `allow_host` in the ops builder",
        ));
    }
    let sender = Sender {
        // one that is no text is no origin of ours
        origin: headers
            .get(header::ORIGIN)
            .map(|origin| origin.to_str().unwrap_or_default()),
        site: text(headers, "sec-fetch-site"),
        mode: text(headers, "sec-fetch-mode"),
    };
    if !sender.is_own(host, !reads(request.method())) {
        return Err(forbidden("Origin", "a page of another site sent this request"));
    }
    length(headers)
}

/// Refuses what this sender may not do.
pub(super) fn scope(access: Option<&Access>, request: &ServiceRequest) -> Result<(), Problem> {
    let (method, path) = (request.method(), request.match_info().unprocessed());
    let Need::Scope(needed) = need::of(method, path) else {
        return Ok(());
    };
    let Some(access) = access else {
        let error = format!("a token for the scope `{needed}` is needed");
        return Err(Problem::new(StatusCode::UNAUTHORIZED, error).of("Authorization"));
    };
    if access.scope < needed {
        let error = format!(
            "this token is for the scope `{}`, `{needed}` is needed",
            access.scope
        );
        return Err(forbidden("Authorization", &error));
    }
    if *method == Method::POST && text(request.headers(), ACTION_HEADER) != Some("1") {
        let error = "a request that changes something carries `X-Dormouse-Action: 1`";
        return Err(forbidden("X-Dormouse-Action", error));
    }
    Ok(())
}

fn forbidden(field: &str, error: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, error).of(field)
}

fn reads(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD)
}

fn length(headers: &HeaderMap) -> Result<(), Problem> {
    if headers.contains_key(header::TRANSFER_ENCODING) {
        let error = "a body comes with its length here";
        return Err(Problem::new(StatusCode::LENGTH_REQUIRED, error).of("Transfer-Encoding"));
    }
    let length = text(headers, header::CONTENT_LENGTH.as_str()).and_then(|text| text.parse::<u64>().ok());
    let limit = BODY_BYTES_MAX as u64;
    match length {
        Some(length) if length > limit => Err(Problem::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            "the body is too large",
        )
        .of("body")
        .sizes(length, limit)),
        _ => Ok(()),
    }
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
