//! Which path leads where.

use actix_web::web::{self, ServiceConfig};

use crate::{console, health};

pub(crate) fn configure(routes: &mut ServiceConfig) {
    routes
        .service(web::scope("/health").configure(health::configure))
        .configure(console::configure);
}
