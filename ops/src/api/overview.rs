//! The runtime and its store, at a glance.

use actix_web::web::{Data, Json};

use crate::api::views::Overview;
use crate::aside::aside;
use crate::attached::Attached;
use crate::problem::Problem;

/// Where the runtime and its store stand, and what they have done. Some I/O, for the size on disk.
#[utoipa::path(get, path = "/api/v1/overview", tag = "overview", operation_id = "overview",
    responses((status = 200, description = "At a glance", body = Overview)))]
pub(crate) async fn overview(attached: Data<Attached>) -> Result<Json<Overview>, Problem> {
    let overview = aside(move || Overview::of(&attached)).await?;
    Ok(Json(overview))
}
