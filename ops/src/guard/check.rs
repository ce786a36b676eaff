//! Whether a request may go on: who it is meant for, who sent it, how large it is, and what its sender may do.

use actix_web::dev::ServiceRequest;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::uri::Authority;
use actix_web::http::{Method, StatusCode};

use crate::guard::need::{self, Need};
use crate::guard::origin::{Hosts, Sender};
use crate::guard::{Access, BODY_BYTES_MAX};
use crate::problem::Problem;

/// A mutation must carry it: no form of another site can, and no script of another site may.
const ACTION_HEADER: &str = "x-dormouse-action";

/// Refuses what is not meant for this server, what a page of another site sent, and what is too large. Answers the host
/// that it is meant for.
pub(super) fn sender<'a>(hosts: &Hosts, request: &'a ServiceRequest) -> Result<&'a str, Problem> {
    let headers = request.headers();
    let host = host(request)?;
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
    length(headers)?;
    Ok(host)
}

/// The header `Host`, or the authority of the address: HTTP/2 has that in its place.
fn host(request: &ServiceRequest) -> Result<&str, Problem> {
    let header = request.headers().get(header::HOST);
    // one that is no text is no host of ours
    let header = header.map(|host| host.to_str().unwrap_or_default());
    let authority = request.uri().authority().map(Authority::as_str);
    match (header, authority) {
        (Some(header), Some(authority)) if !header.eq_ignore_ascii_case(authority) => Err(forbidden(
            "Host",
            "the address of this request names another host than its header `Host`",
        )),
        (header, authority) => Ok(header.or(authority).unwrap_or_default()),
    }
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

/// Whether a person looks at the answer.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    text(headers, header::ACCEPT.as_str()).is_some_and(|accepts| accepts.contains("text/html"))
}

pub(super) fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    /// HTTP/2 has no `Host`: what it has instead, `:authority`, is where HTTP/1.1 has the host of an absolute address.
    #[test]
    fn the_address_or_the_header_names_the_host_and_both_the_same() {
        for (address, header, allowed) in [
            ("/", Some("localhost:7070"), true),
            ("http://localhost:7070/", None, true),
            ("http://localhost:7070/", Some("LocalHost:7070"), true),
            ("http://localhost:7070/", Some("localhost:7071"), false),
            ("http://localhost:7070/", Some("evil.com"), false),
            ("http://evil.com/", Some("localhost:7070"), false),
            ("http://evil.com/", None, false),
            ("http://evil.com@localhost:7070/", None, false),
            ("/", None, false),
        ] {
            let mut request = TestRequest::get().uri(address);
            if let Some(host) = header {
                request = request.insert_header((header::HOST, host));
            }
            let request = request.to_srv_request();
            let checked = sender(&Hosts::default(), &request);
            assert_eq!(checked.is_ok(), allowed, "{address}, {header:?}: {checked:?}");
        }
    }

    #[test]
    fn an_origin_is_compared_with_the_host_of_the_address() {
        for (origin, own) in [
            ("https://localhost:7070", true),
            ("https://localhost:7071", false),
        ] {
            let request = TestRequest::post()
                .uri("https://localhost:7070/")
                .insert_header((header::ORIGIN, origin));
            let request = request.to_srv_request();
            let checked = sender(&Hosts::default(), &request);
            assert_eq!(checked.is_ok(), own, "{origin}: {checked:?}");
        }
    }
}
