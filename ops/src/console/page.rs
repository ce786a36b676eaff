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
use crate::console::live::Live;
use crate::console::standing::Standing;
use crate::guard::Access;
use crate::readiness::Readiness;
use crate::scope::Scope;

/// A page that is asked for: what it shows, and for whom.
pub(crate) struct Page {
    pub(crate) attached: Data<Attached>,
    /// What the page is kept up to date by.
    pub(crate) live: Data<Live>,
    /// Whether its reader may change anything: others see no button for it.
    pub(crate) may_act: bool,
    /// Whether there is a session, which can be ended.
    logged_in: bool,
}

impl FromRequest for Page {
    type Error = actix_web::Error;
    type Future = Ready<Result<Self, actix_web::Error>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let access = ReqData::<Access>::from_request(request, payload).into_inner();
        let attached = Data::<Attached>::from_request(request, payload).into_inner();
        let live = Data::<Live>::from_request(request, payload).into_inner();
        let shared = attached.and_then(|attached| Ok((attached, live?)));
        ready(shared.map(|(attached, live)| Self {
            attached,
            live,
            may_act: access.as_ref().is_ok_and(|access| access.scope >= Scope::Act),
            logged_in: access.is_ok_and(|access| access.session.is_some()),
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

    /// The page that says that there is no runtime yet, and how far its store's opening has come. It becomes the page that
    /// was asked for once there is one.
    pub(crate) fn opening(&self, here: &str, title: &str) -> HttpResponse {
        let content = html! {
            (self.standing_heading(title, &html! {}))
            div.sheet { p.empty.first data-until-open="" { "There is nothing to see before the store is open." } }
        };
        self.with_status(StatusCode::SERVICE_UNAVAILABLE, here, title, &content)
    }

    /// The head of a page that says how the runtime stands.
    pub(crate) fn standing_heading(&self, title: &str, doing: &Markup) -> Markup {
        let standing = Standing::from(Readiness::of(&self.attached));
        layout::heading(title, &layout::standing_line(&standing), doing)
    }

    pub(crate) fn show(&self, here: &str, title: &str, content: &Markup) -> HttpResponse {
        let now = self.live.latest(|sample| sample.standing.clone());
        layout::page(self.base(), &now, here, title, self.logged_in, content)
    }

    /// A page that says why there is nothing to see.
    pub(crate) fn sorry(&self, here: &str, title: &str, status: StatusCode, reason: &str) -> HttpResponse {
        let content = html! {
            (layout::heading(title, &html! { p.lead { (reason) } }, &html! {}))
        };
        self.with_status(status, here, title, &content)
    }

    fn with_status(&self, status: StatusCode, here: &str, title: &str, content: &Markup) -> HttpResponse {
        let mut answer = self.show(here, title, content);
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
