//! The admin API: JSON below `/api/v1`.

mod overview;
pub(crate) mod views;

use actix_web::web::ServiceConfig;

use crate::routes;

pub(crate) fn configure(api: &mut ServiceConfig) {
    api.service(routes::read("/overview", overview::overview));
}
