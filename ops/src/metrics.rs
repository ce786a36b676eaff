//! `GET /metrics`.

use actix_web::HttpResponse;
use actix_web::web::{Data, ServiceConfig};
use dormouse_runtime::{Dormouse, metric_names};

use crate::aside::aside;
use crate::attached::Attached;
use crate::problem::Problem;
use crate::{exposition, paths, process, recorder};

/// The text format of Prometheus.
const TEXT: &str = "text/plain; version=0.0.4; charset=utf-8";

pub(crate) fn configure(app: &mut ServiceConfig) {
    app.service(paths::read("/metrics", scrape));
}

/// The process's metrics, for Prometheus.
#[utoipa::path(get, path = "/metrics", tag = "watching", operation_id = "metrics",
    responses((status = 200, description = "Prometheus text", body = String, content_type = "text/plain")))]
pub(crate) async fn scrape(attached: Data<Attached>) -> Result<HttpResponse, Problem> {
    let handle = recorder::install().ok_or_else(|| {
        Problem::not_found(
            "the service installed a metrics recorder of its own: its exporter has what Dormouse counts",
        )
    })?;
    let text = aside(move || {
        record_gauges(attached.runtime().as_ref());
        exposition::typed(&handle.render())
    })
    .await?;
    Ok(HttpResponse::Ok().content_type(TEXT).body(text))
}

/// What nobody records but for a scrape.
fn record_gauges(runtime: Option<&Dormouse>) {
    process::record();
    match runtime {
        Some(runtime) => runtime.record_gauges(),
        // it is being opened: nobody else says so
        None => metrics::gauge!(metric_names::READY).set(0.0),
    }
}
