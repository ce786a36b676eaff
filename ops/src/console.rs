//! The web console: pages rendered here, kept up to date by a little JavaScript of our own.

pub(crate) mod layout;
mod overview;

use actix_web::web::{self, ServiceConfig};

pub(crate) fn configure(routes: &mut ServiceConfig) {
    routes.route("/", web::get().to(overview::page));
}
