//! Which path leads where.

use std::sync::Arc;

use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};

use crate::attached::Attached;
use crate::console::Live;
use crate::guard::Guard;
use crate::jobs::Jobs;
use crate::{api, console, health, login, metrics};

/// All routes and what they share: the same in a server of our own and in another's app.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) attached: Data<Attached>,
    /// What the console's pages are kept up to date by.
    pub(crate) live: Data<Live>,
    pub(crate) guard: Arc<Guard>,
    pub(crate) jobs: Data<Jobs>,
}

impl Mounted {
    pub(crate) fn configure(&self, app: &mut ServiceConfig) {
        let (guard, attached) = (Arc::clone(&self.guard), self.attached.clone());
        let guarded = from_fn(move |request: ServiceRequest, next: Next<_>| {
            run(Arc::clone(&guard), attached.clone(), request, next)
        });
        app.service(
            web::scope(&self.attached.base)
                .app_data(self.attached.clone())
                .app_data(self.live.clone())
                .app_data(Data::from(Arc::clone(&self.guard)))
                .app_data(self.jobs.clone())
                .app_data(api::asked::queries())
                .app_data(api::asked::paths())
                .configure(routes)
                .default_service(web::to(console::no_such_page))
                .wrap(guarded),
        );
    }
}

async fn run(
    guard: Arc<Guard>,
    attached: Data<Attached>,
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, Error> {
    guard.run(&attached.base, login::address, request, next).await
}

fn routes(routes: &mut ServiceConfig) {
    routes
        .service(web::scope("/health").configure(health::configure))
        .configure(metrics::configure)
        .configure(login::configure)
        .service(web::scope("/api/v1").configure(api::configure))
        .configure(console::configure);
}
