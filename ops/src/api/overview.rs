//! The runtime and its store, at a glance.

use actix_web::web::{Data, Json};

use crate::api::views::Overview;
use crate::attached::Attached;

pub(crate) async fn overview(attached: Data<Attached>) -> Json<Overview> {
    Json(Overview::of(&attached))
}
