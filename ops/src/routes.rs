//! Which path leads where.

use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::middleware::{Next, from_fn};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{
    Error, FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route, guard as method,
};

use crate::attached::Attached;
use crate::guard::Guard;
use crate::jobs::Jobs;
use crate::problem::Problem;
use crate::{api, console, health, login, metrics};

/// All routes and what they share: the same in a server of our own and in another's app.
#[derive(Clone)]
pub(crate) struct Mounted {
    pub(crate) attached: Data<Attached>,
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
                .app_data(Data::from(Arc::clone(&self.guard)))
                .app_data(self.jobs.clone())
                .app_data(api::asked::queries())
                .app_data(api::asked::paths())
                .configure(routes)
                .default_service(web::to(nothing_here))
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
    guard.run(&attached.base, request, next).await
}

fn routes(routes: &mut ServiceConfig) {
    routes
        .service(web::scope("/health").configure(health::configure))
        .configure(metrics::configure)
        .configure(login::configure)
        .service(web::scope("/api/v1").configure(api::configure))
        .configure(console::configure);
}

/// A path that is read only. Another method is answered 405.
pub(crate) fn read<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(reads().to(handler))
        .default_service(web::to(|| other_method("GET, HEAD")))
}

/// A page with a form that posts to its own path.
pub(crate) fn read_or_act<F, ReadArgs, G, ActArgs>(path: &str, read: F, act: G) -> Resource
where
    F: Handler<ReadArgs>,
    ReadArgs: FromRequest + 'static,
    F::Output: Responder + 'static,
    G: Handler<ActArgs>,
    ActArgs: FromRequest + 'static,
    G::Output: Responder + 'static,
{
    web::resource(path)
        .route(reads().to(read))
        .route(web::post().to(act))
        .default_service(web::to(|| other_method("GET, HEAD, POST")))
}

fn reads() -> Route {
    web::route().guard(method::Any(method::Get()).or(method::Head()))
}

/// A path that only changes something.
pub(crate) fn act<F, Args>(path: &str, handler: F) -> Resource
where
    F: Handler<Args>,
    Args: FromRequest + 'static,
    F::Output: Responder + 'static,
{
    web::resource(path)
        .route(web::post().to(handler))
        .default_service(web::to(|| other_method("POST")))
}

async fn other_method(allowed: &'static str) -> HttpResponse {
    let status = StatusCode::METHOD_NOT_ALLOWED;
    let mut response: HttpResponse = Problem::new(status, format!("this path takes {allowed}")).into();
    let allowed = HeaderValue::from_static(allowed);
    response.headers_mut().insert(ALLOW, allowed);
    response
}

/// For a scope's paths that lead nowhere.
pub(crate) async fn nothing_here(request: HttpRequest) -> HttpResponse {
    Problem::not_found(format!("there is nothing at {}", request.path())).into()
}
