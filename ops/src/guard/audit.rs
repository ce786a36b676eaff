//! What the log keeps of who did what.

use std::net::IpAddr;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::{Error, HttpMessage};

use crate::guard::{Access, address};

/// What is kept of an address: the longest type and id, percent-encoded, take 1,800 bytes.
const WHAT_BYTES_MAX: usize = 2 * 1024;
/// Ends what was longer.
const CUT: &str = "… (cut)";

/// What the audit log says of one request. Logged when it is dropped, so also if nobody waits for the answer any more: a
/// client that resets its connection has its handler dropped in the midst of what it does.
pub(super) struct Audited {
    /// Nobody, until it is known.
    pub(super) who: String,
    what: String,
    address: IpAddr,
    /// None until it is answered.
    status: Option<StatusCode>,
}

impl Audited {
    pub(super) fn of(request: &ServiceRequest) -> Self {
        Self {
            who: "nobody".into(),
            what: what(request.path(), request.query_string()),
            address: address(request.peer_addr()),
            status: None,
        }
    }

    /// Of a login, only its handler finds out who it is.
    pub(super) fn answered(&mut self, answered: &Result<ServiceResponse<BoxBody>, Error>) {
        self.status = Some(match answered {
            Ok(answered) => answered.status(),
            Err(error) => error.as_response_error().status_code(),
        });
        if let Ok(answered) = answered
            && let Some(access) = answered.request().extensions().get::<Access>()
        {
            self.who.clone_from(&access.who);
        }
    }
}

impl Drop for Audited {
    fn drop(&mut self) {
        let Self {
            who,
            what,
            address,
            status,
        } = self;
        match status {
            Some(status) => {
                let status = status.as_u16();
                tracing::info!(target: "dormouse::audit", who, %address, what, status, "action");
            }
            None => {
                let message = "action, not answered: nobody waits for it any more, and it may have been done";
                tracing::info!(target: "dormouse::audit", who, %address, what, "{message}");
            }
        }
    }
}

/// The path, and which stream a query names: whatever else is in an address is not for the log.
fn what(path: &str, query: &str) -> String {
    let is_name = |pair: &&str| matches!(pair.split('=').next(), Some("type" | "id"));
    let names: Vec<&str> = query.split('&').filter(is_name).collect();
    let mut what = match names.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", names.join("&")),
    };
    if what.len() > WHAT_BYTES_MAX {
        let end = (0..=WHAT_BYTES_MAX).rev().find(|end| what.is_char_boundary(*end));
        what.truncate(end.unwrap_or_default());
        what += CUT;
    }
    what
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_an_address_the_path_and_the_stream_are_told() {
        assert_eq!(what("/drain", ""), "/drain");
        assert_eq!(what("/drain", "token=secret"), "/drain");
        assert_eq!(
            what("/stream/passivate", "type=account&token=secret&id=.."),
            "/stream/passivate?type=account&id=.."
        );
    }

    #[test]
    fn what_is_long_is_cut_and_says_so() {
        let longest = format!("/{}", "a".repeat(2_047));
        assert_eq!(what(&longest, ""), longest);
        assert_eq!(what(&format!("{longest}b"), ""), format!("{longest}… (cut)"));
        let id = format!("id={}", "é".repeat(2_000));
        let told = what("/stream/passivate", &id);
        assert!(
            told.ends_with("é… (cut)") && told.len() <= 2_048 + "… (cut)".len(),
            "{told}"
        );
    }
}
