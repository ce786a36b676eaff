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
            what: request.path().to_owned(),
            address: address(request.peer_addr()),
        }
    }

    pub(super) fn log(&self, who: &str, status: StatusCode) {
        let Self { what, address } = self;
        let status = status.as_u16();
        tracing::info!(target: "dormouse::audit", who, %address, what, status, "action");
    }
}
