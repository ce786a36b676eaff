//! What the handlers of all pages have in common.

use actix_web::HttpResponse;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ReqData};
use actix_web::{FromRequest, HttpRequest};
use dormouse_domain::{AggregateId, AggregateType, StreamId};
use dormouse_runtime::{Admin, Dormouse};
use maud::{Markup, html};
use std::future::{Ready, ready};

use crate::attached::Attached;
use crate::console::layout;
use crate::guard::Access;
use crate::scope::Scope;

/// A page that is asked for: what it shows, and for whom.
pub(crate) struct Page {
    pub(crate) attached: Data<Attached>,
    /// Whether its reader may change anything: others see no button for it.
    pub(crate) may_act: bool,
}

impl FromRequest for Page {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let access = ReqData::<Access>::from_request(request, payload).into_inner();
        let attached = Data::<Attached>::from_request(request, payload).into_inner();
        ready(attached.map(|attached| Self {
            attached,
            may_act: access.is_ok_and(|access| access.scope >= Scope::Act),
        }))
    }
}

impl Page {
    pub(crate) fn base(&self) -> &str {
        &self.attached.base
    }

    /// The runtime, or the page that says that there is none yet.
    pub(crate) fn runtime(&self, here: &str, title: &str) -> Result<Dormouse, HttpResponse> {
        self.attached.runtime().ok_or_else(|| {
            let reason = self.attached.live.latest(|sample| sample.standing.reason.clone());
            let reason = if reason.is_empty() {
                "The store is being opened."
            } else {
                &reason
            };
            self.sorry(here, title, StatusCode::SERVICE_UNAVAILABLE, reason)
        })
    }

    pub(crate) fn admin(&self, here: &str, title: &str) -> Result<Admin, HttpResponse> {
        self.runtime(here, title).map(|runtime| runtime.admin())
    }

    pub(crate) fn show(&self, here: &str, title: &str, content: &Markup) -> HttpResponse {
        layout::page(&self.attached, here, title, content)
    }

    /// A page that says why there is nothing to see.
    pub(crate) fn sorry(&self, here: &str, title: &str, status: StatusCode, reason: &str) -> HttpResponse {
        let content = html! {
            div.head { h1 { (title) } }
            div.sheet { p.empty.first { (reason) } }
        };
        let mut answer = self.show(here, title, &content);
        *answer.status_mut() = status;
        answer
    }
}

/// The stream that a type and an id name, or what is wrong with them.
pub(crate) fn stream(aggregate_type: &str, id: &str) -> Result<StreamId, String> {
    let aggregate_type = AggregateType::new(aggregate_type.to_owned()).map_err(|error| error.to_string())?;
    let id = AggregateId::try_from(id).map_err(|error| error.to_string())?;
    Ok(StreamId::new(aggregate_type, id))
}
