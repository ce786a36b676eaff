//! What a path takes: which methods, and what is answered to the others.

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::web;
use actix_web::{
    FromRequest, Handler, HttpRequest, HttpResponse, Resource, Responder, Route, guard as method,
};

use crate::problem::Problem;

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
    Problem::not_found(nothing_at(&request)).into()
}

pub(crate) fn nothing_at(request: &HttpRequest) -> String {
    format!("there is nothing at {}", request.path())
}
