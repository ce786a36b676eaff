//! The web console: pages rendered here, kept up to date by a little JavaScript of our own.

mod assets;
mod format;
mod layout;
mod live;
mod overview;
mod sample;
mod standing;
mod window;

use actix_web::web::{self, ServiceConfig};

pub(crate) use live::Live;

pub(crate) fn configure(routes: &mut ServiceConfig) {
    routes
        .route("/", web::get().to(overview::page))
        .route("/live", web::get().to(live::stream))
        .route("/assets/{folder}/{name}", web::get().to(assets::file));
}
