//! One aggregate: its events, and its state after each of them.

use std::str::FromStr;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::LOCATION;
use actix_web::web::Query;
use dormouse_domain::{EventId, StreamId, Version};
use dormouse_runtime::Admin;
use dormouse_runtime::admin::{AdminError, EventsPage, Resident, ResidentOrder, ResidentsWanted};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use crate::api::asked::whole;
use crate::aside::aside;
use crate::console::moment::Found;
use crate::console::page::{Page, stream};
use crate::console::state::States;
use crate::console::timeline::{self, Link, PAGE};
use crate::console::{acts, layout, links, slider};
use crate::format;
use crate::problem::Problem;

const HERE: &str = "/aggregates";

#[derive(Deserialize)]
pub(crate) struct Asked {
    #[serde(default, rename = "type")]
    aggregate_type: String,
    #[serde(default)]
    id: String,
    /// A version; the head if there is none, or one that is no number.
    #[serde(default)]
    at: String,
    /// The version is the last of this time: see [`Found`].
    #[serde(default)]
    time: String,
}

/// What the page shows.
struct Shown {
    stream: StreamId,
    events: EventsPage,
    states: States,
    at: Version,
    found: Option<Found>,
    resident: Option<Resident>,
}

pub(crate) async fn page(page: Page, asked: Query<Asked>) -> Result<HttpResponse, Problem> {
    let Some(admin) = page.runtime().map(|runtime| runtime.admin()) else {
        return Ok(page.opening(HERE, "Aggregate"));
    };
    let stream = match stream(&asked.aggregate_type, &asked.id) {
        Ok(stream) => stream,
        Err(wrong) => return Ok(page.sorry(HERE, "Aggregate", StatusCode::BAD_REQUEST, &wrong)),
    };
    let resident = resident(&admin, &stream).await?;
    Ok(match read(&admin, stream, resident, &asked).await {
        Ok(shown) if shown.events.head == Version::NONE && shown.resident.is_none() => {
            let said = format!("Nothing is stored of {} “{}”.", asked.aggregate_type, asked.id);
            page.sorry(HERE, "Aggregate", StatusCode::NOT_FOUND, &said)
        }
        Ok(shown) => {
            let rendered = move || (content(&page, &shown), page);
            let (content, page) = aside(rendered).await?;
            page.show(HERE, &asked.id, &content)
        }
        Err(error) => page.sorry(
            HERE,
            "Aggregate",
            StatusCode::SERVICE_UNAVAILABLE,
            &error.to_string(),
        ),
    })
}

async fn read(
    admin: &Admin,
    stream: StreamId,
    resident: Option<Resident>,
    asked: &Asked,
) -> Result<Shown, AdminError> {
    let head = admin.events(&stream, Version::new(1), 1).await?.head;
    let found = Found::read(admin, &stream, &asked.time).await;
    let wanted = found
        .as_ref()
        .and_then(Found::version)
        .or_else(|| whole(&asked.at).map(Version::new));
    let at = wanted
        .unwrap_or(head)
        .clamp(Version::new(1), head.max(Version::new(1)));
    let first = timeline::page_start(at, head);
    let events = admin.events(&stream, first, PAGE as usize).await?;
    let states = States::read(admin, &stream, at.min(head)).await;
    Ok(Shown {
        stream,
        events,
        states,
        at,
        found,
        resident,
    })
}

/// Looks it up among those whose ids begin like it: the shortest comes first.
async fn resident(admin: &Admin, stream: &StreamId) -> Result<Option<Resident>, Problem> {
    let wanted = ResidentsWanted {
        aggregate_type: Some(stream.aggregate_type.clone()),
        id_prefix: stream.id.as_str().to_owned(),
        order: ResidentOrder::Id,
        limit: 1,
    };
    let admin = admin.clone();
    let mut found = aside(move || admin.residents(&wanted).residents).await?;
    Ok(found.pop().filter(|resident| resident.stream == *stream))
}

fn content(page: &Page, shown: &Shown) -> Markup {
    let (aggregate_type, id) = (shown.stream.aggregate_type.as_str(), shown.stream.id.as_str());
    let link = Link {
        base: page.base(),
        aggregate_type,
        id,
    };
    let head = shown.events.head;
    let lead = html! { div.lead.standing-of #subject { (standing(&link, head, shown.resident.as_ref())) } };
    let doing = html! { @if page.may_act { (acts::of_aggregate(link.base, &shown.stream)) } };
    html! {
        (layout::heading(id, &lead, &doing))
        (slider::markup(&link, shown.at, &shown.events, shown.found.as_ref()))
        div.columns.versions {
            section.sheet #timeline { (timeline::markup(&shown.events, shown.at, &link)) }
            section.sheet.pane #state { (shown.states.markup(shown.at.min(head))) }
        }
    }
}

fn standing(link: &Link<'_>, head: Version, resident: Option<&Resident>) -> Markup {
    let of_type = links::to(link.base, HERE, &[("type", link.aggregate_type)]);
    html! {
        span { a href=(of_type) title="All of this type" { (link.aggregate_type) } }
        span { b { (format::plural(head.get(), "event", "events")) } }
        @match resident {
            None => span { span.chip { "asleep" } },
            Some(resident) => {
                span { span.chip.awake { "in memory" } }
                span { (format::plural(resident.commands.into(), "command", "commands")) " since it woke " (format::whole(resident.awake)) " ago" }
                span { "idle for " (format::whole(resident.idle)) }
                span { (format::bytes(resident.bytes as u64)) }
                @if resident.in_flight > 0 { span { (format::count(resident.in_flight.into())) " in flight" } }
            }
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Cause {
    id: String,
}

/// Leads to the event of an id, which is what a causation link names.
pub(crate) async fn event(page: Page, cause: Query<Cause>) -> HttpResponse {
    let Some(admin) = page.runtime().map(|runtime| runtime.admin()) else {
        return page.opening(HERE, "Event");
    };
    let missing = |why: &str| page.sorry(HERE, "Event", StatusCode::NOT_FOUND, why);
    let Some(id) = Uuid::from_str(&cause.id).ok().and_then(EventId::from_uuid) else {
        return missing("This is no event's id.");
    };
    match admin.event_by_id(id).await {
        Ok(Some(place)) => {
            let (stream, version) = (place.stream, place.version.get());
            let to = links::aggregate(
                page.base(),
                stream.aggregate_type.as_str(),
                stream.id.as_str(),
                Some(version),
            );
            HttpResponse::SeeOther().insert_header((LOCATION, to)).finish()
        }
        Ok(None) => missing(
            "No event of this store has this id. It may be a command's, or an event's of another service.",
        ),
        Err(error) => page.sorry(HERE, "Event", StatusCode::SERVICE_UNAVAILABLE, &error.to_string()),
    }
}
