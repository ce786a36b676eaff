//! `GET /metrics`.

use actix_web::HttpResponse;
use actix_web::web::ServiceConfig;

use crate::problem::Problem;
use crate::{recorder, routes};

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn configure(app: &mut ServiceConfig) {
    app.service(routes::read("/metrics", scrape));
}

/// The process's metrics, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "watching", operation_id = "metrics",
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain")))]
pub(crate) async fn scrape() -> Result<HttpResponse, Problem> {
    let handle = recorder::install().ok_or_else(|| {
        Problem::not_found(
            "the service installed a metrics recorder of its own: its exporter has what Dormouse counts",
        )
    })?;
    Ok(HttpResponse::Ok().content_type(TEXT).body(handle.render()))
}
