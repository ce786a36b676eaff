//! Handlers' answers, and refusals in their place.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use actix_web::body::{BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::{Method, StatusCode, header};
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpResponse};

use crate::guard::check::wants_page;
use crate::guard::{Access, ToLogin};
use crate::problem::Problem;

/// What an answer may take until its first byte, the reading of the request's body included. A stream of events goes on.
pub(crate) const ANSWER_TIME: Duration = Duration::from_secs(30);

/// Lets the handler answer: within its time, and whatever it does.
pub(super) async fn of(
    request: ServiceRequest,
    access: Option<Access>,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    if let Some(access) = access {
        request.extensions_mut().insert(access);
    }
    let path = request.path().to_owned();
    let changes = request.method() == Method::POST;
    let mut called = pin!(next.call(request));
    let unpanicked =
        poll_fn(
            |context| match catch_unwind(AssertUnwindSafe(|| called.as_mut().poll(context))) {
                Ok(polled) => polled.map(Ok),
                Err(panic) => Poll::Ready(Err(panic)),
            },
        );
    let failure = match tokio::time::timeout(ANSWER_TIME, unpanicked).await {
        Ok(Ok(answered)) => {
            return answered
                .map(|answered| as_problem(answered.map_into_boxed_body()))
                .map_err(|error| problem_of(&error).map_or(error, Error::from));
        }
        Ok(Err(_)) => {
            tracing::error!(path, "a handler of the ops server panicked");
            let error = "a bug of Dormouse's: its log has the panic";
            Problem::new(StatusCode::INTERNAL_SERVER_ERROR, error)
        }
        Err(_) => {
            let error = format!("it took longer than {} seconds", ANSWER_TIME.as_secs());
            Problem::unavailable(error)
        }
    };
    // it was under way
    Err(if changes { failure.unknown() } else { failure }.into())
}

/// An answer of actix-web's own, in place of a handler's whose arguments it could not make, says in plain text what is
/// wrong: told as everything else is.
fn as_problem(answered: ServiceResponse<BoxBody>) -> ServiceResponse<BoxBody> {
    match answered.response().error().and_then(problem_of) {
        Some(problem) => answered.into_response(HttpResponse::from(problem)),
        None => answered,
    }
}

/// None: it is one already.
fn problem_of(error: &Error) -> Option<Problem> {
    let status = error.as_response_error().status_code();
    let is_ours = error.as_error::<Problem>().is_some();
    (!is_ours).then(|| Problem::new(status, error.to_string()))
}

/// A person who has yet to log in is shown where; everyone else is told.
pub(super) fn refusal(
    base: &str,
    to_login: ToLogin,
    request: ServiceRequest,
    problem: &Problem,
) -> ServiceResponse<BoxBody> {
    let person = problem.status == StatusCode::UNAUTHORIZED.as_u16()
        && request.method() == Method::GET
        && !request.headers().contains_key(header::AUTHORIZATION)
        && wants_page(request.headers());
    let response = if person {
        HttpResponse::SeeOther()
            .insert_header((header::LOCATION, to_login(base, &request)))
            .finish()
    } else {
        problem.clone().into()
    };
    request.into_response(response)
}
