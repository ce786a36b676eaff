//! The admin API: JSON below `/api/v1`.

mod actions;
mod aggregates;
pub(crate) mod asked;
mod by_query;
mod failures;
mod jobs;
mod openapi;
mod overview;
mod streams;
pub(crate) mod views;

use actix_web::web::{self, ServiceConfig};

use crate::paths::{act, nothing_here, read};

pub(crate) fn configure(api: &mut ServiceConfig) {
    api.service(read("/openapi.json", openapi::document))
        .service(read("/overview", overview::overview))
        .service(read("/types", aggregates::types))
        .service(read("/residents", aggregates::residents))
        .service(read("/streams", streams::streams))
        .service(read("/streams/{type}/{id}/events", streams::events))
        .service(read("/streams/{type}/{id}/state", streams::state))
        .service(act("/streams/{type}/{id}/passivate", actions::passivate))
        .service(act("/streams/{type}/{id}/snapshot", actions::snapshot))
        .service(read("/stream/events", by_query::events))
        .service(read("/stream/state", by_query::state))
        .service(act("/stream/passivate", by_query::passivate))
        .service(act("/stream/snapshot", by_query::snapshot))
        .service(read("/events/{id}", streams::event))
        .service(act("/checkpoint", jobs::checkpoint))
        .service(act("/compact", jobs::compact))
        .service(act("/drain", jobs::drain))
        .service(read("/jobs", jobs::all))
        .service(read("/jobs/{id}", jobs::one))
        .service(act("/jobs/{id}/cancel", jobs::cancel))
        .default_service(web::to(nothing_here));
}
