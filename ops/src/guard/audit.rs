//! What the log keeps of who did what.

use std::net::IpAddr;

use actix_web::dev::ServiceRequest;
use actix_web::http::StatusCode;

use crate::guard::address;

/// What the audit log says of one request.
pub(super) struct Audited {
    what: String,
    address: IpAddr,
}

impl Audited {
    pub(super) fn of(request: &ServiceRequest) -> Self {
        Self {
            what: what(request.path(), request.query_string()),
            address: address(request.peer_addr()),
        }
    }

    pub(super) fn log(&self, who: &str, status: StatusCode) {
        let Self { what, address } = self;
        let status = status.as_u16();
        tracing::info!(target: "dormouse::audit", who, %address, what, status, "action");
    }
}

/// The path, and which stream a query names: whatever else is in an address is not for the log.
fn what(path: &str, query: &str) -> String {
    let is_name = |pair: &&str| matches!(pair.split('=').next(), Some("type" | "id"));
    let names: Vec<&str> = query.split('&').filter(is_name).collect();
    match names.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", names.join("&")),
    }
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
}
