//! The web console: pages rendered here, kept up to date by a little JavaScript of our own.

mod acts;
mod aggregate;
mod aggregates;
mod assets;
mod difference;
mod jobs;
mod json;
pub(crate) mod layout;
pub(crate) mod links;
mod live;
mod moment;
mod overview;
mod page;
mod sample;
mod settings;
mod slider;
mod standing;
mod state;
mod store;
mod time;
mod timeline;
mod window;

use actix_web::http::StatusCode;
use actix_web::web::ServiceConfig;
use actix_web::{HttpRequest, HttpResponse};

pub(crate) use live::Live;
pub(crate) use standing::sentence;

use crate::guard::wants_page;
use crate::paths::{nothing_at, nothing_here, read};
use page::Page;

/// What a person may be led to: whatever else is below here, pages load.
pub(crate) const PAGES: [&str; 6] = ["/", "/aggregates", "/aggregate", "/event", "/store", "/jobs"];

pub(crate) fn configure(routes: &mut ServiceConfig) {
    routes
        .service(read("/", overview::page))
        .service(read("/aggregates", aggregates::page))
        .service(read("/aggregate", aggregate::page))
        .service(read("/event", aggregate::event))
        .service(read("/store", store::page))
        .service(read("/jobs", jobs::page))
        .service(read("/live", live::stream))
        .service(read("/assets/{folder}/{name}", assets::file));
}

/// Of all paths that lead nowhere, what a person typed is answered with a page.
pub(crate) async fn no_such_page(request: HttpRequest, page: Page) -> HttpResponse {
    if wants_page(request.headers()) {
        page.sorry("", "Nothing here", StatusCode::NOT_FOUND, &nothing_at(&request))
    } else {
        nothing_here(request).await
    }
}
