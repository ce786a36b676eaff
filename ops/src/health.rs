//! Whether the process lives, and whether it can take commands: for orchestrators, without a token.

use actix_web::web::{self, Data, Json, ServiceConfig};
use actix_web::{HttpResponse, Responder};
use serde::Serialize;
use utoipa::ToSchema;

use crate::attached::Attached;
use crate::paths;
use crate::readiness::Readiness;

pub(crate) fn configure(health: &mut ServiceConfig) {
    health
        .service(paths::read("/live", live))
        .service(paths::read("/ready", ready))
        .default_service(web::to(paths::nothing_here));
}

/// That the process answers.
#[derive(Serialize, ToSchema)]
pub(crate) struct Alive {
    /// Always `alive`.
    status: &'static str,
}

/// That the process answers.
#[utoipa::path(get, path = "/health/live", tag = "watching", operation_id = "live", security(()),
    responses((status = 200, description = "It does", body = Alive)))]
pub(crate) async fn live() -> impl Responder {
    Json(Alive { status: "alive" })
}

/// Whether commands are taken, and if not, why.
#[utoipa::path(get, path = "/health/ready", tag = "watching", operation_id = "ready", security(()),
    responses((status = 200, description = "They are", body = Readiness), (status = 503, description = "They are not", body = Readiness)))]
pub(crate) async fn ready(attached: Data<Attached>) -> HttpResponse {
    let readiness = Readiness::of(&attached);
    if readiness.is_ready() {
        HttpResponse::Ok().json(readiness)
    } else {
        HttpResponse::ServiceUnavailable().json(readiness)
    }
}
