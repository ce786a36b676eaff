//! Whether the process lives, and whether it can take commands.

use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpResponse, Responder};

pub(crate) fn configure(routes: &mut ServiceConfig) {
    routes.route("/live", web::get().to(live));
}

async fn live() -> impl Responder {
    HttpResponse::Ok().body("alive\n")
}
