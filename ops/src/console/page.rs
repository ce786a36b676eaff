//! What the handlers of all pages have in common.

use std::future::{Ready, ready};

use actix_web::HttpResponse;
use actix_web::dev::Payload;
use actix_web::http::StatusCode;
use actix_web::web::{Data, ReqData};
use actix_web::{FromRequest, HttpRequest};
use dormouse_domain::{AggregateId, AggregateType, StreamId};
use dormouse_runtime::Dormouse;
use maud::{Markup, html};

use crate::attached::Attached;
use crate::console::layout;
use crate::console::standing::Standing;
use crate::guard::Access;
use crate::readiness::Readiness;
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

    /// None while the store is being opened: then there is [`opening`](Self::opening) to show.
    pub(crate) fn runtime(&self) -> Option<Dormouse> {
        self.attached.runtime()
    }

    /// The page that says that there is no runtime yet.
    pub(crate) fn opening(&self, here: &str, title: &str) -> HttpResponse {
        let readiness = Readiness::of(&self.attached);
        let reason = Standing::from(readiness).reason;
        self.sorry(here, title, StatusCode::SERVICE_UNAVAILABLE, &reason)
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
