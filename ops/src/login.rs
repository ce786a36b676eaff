//! Logging in to the console: a form takes a token, gives a session, and leads back to where one was.

mod destination;

use actix_web::dev::ServiceRequest;
use actix_web::error::UrlencodedError;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, FormConfig, Html, Query, ReqData, ServiceConfig};
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse};
use maud::html;
use serde::Deserialize;

use crate::attached::Attached;
use crate::console::{layout, sentence};
use crate::guard::{self, Guard, LOGIN, LOGOUT, SessionCookie};
use crate::paths::{act, read_or_act};
use crate::problem::Problem;
use destination::DESTINATION_BYTES_MAX;

/// A token of 256 bits takes 64 bytes; nobody needs so many more. Where to go on is percent-encoded once more: three bytes
/// for one.
const FORM_BYTES_MAX: usize = 4 * 1024 + 3 * DESTINATION_BYTES_MAX;

pub(crate) fn configure(routes: &mut ServiceConfig) {
    let form_limits = FormConfig::default()
        .limit(FORM_BYTES_MAX)
        .error_handler(not_the_form);
    routes
        .service(read_or_act(LOGIN, form, log_in).app_data(form_limits))
        .service(act(LOGOUT, log_out));
}

/// Whoever posts something else is no browser with our form before it.
fn not_the_form(error: UrlencodedError, request: &HttpRequest) -> Error {
    match error {
        UrlencodedError::ContentType => {
            Problem::content_type(request.headers(), "application/x-www-form-urlencoded").into()
        }
        UrlencodedError::Overflow { size, limit } => {
            Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "the form is too large")
                .of("body")
                .sizes(size as u64, limit as u64)
                .into()
        }
        error => Problem::bad("token", error.to_string()).into(),
    }
}

/// Where who asks for a page without a session is sent: the form, which leads back to it.
pub(crate) fn address(base: &str, request: &ServiceRequest) -> String {
    let asked = request.uri().path_and_query().map_or("", |asked| asked.as_str());
    destination::login(base, asked)
}

#[derive(Deserialize)]
struct Asked {
    /// Where to go on.
    #[serde(default)]
    to: String,
}

#[derive(Deserialize)]
struct Offered {
    token: String,
    /// Where to go on.
    #[serde(default)]
    to: String,
}

async fn form(attached: Data<Attached>, asked: Query<Asked>) -> Html {
    Html::new(markup(&attached, &asked.to, None))
}

async fn log_in(
    request: HttpRequest,
    attached: Data<Attached>,
    guard: Data<Guard>,
    cookie: ReqData<SessionCookie>,
    offered: Form<Offered>,
) -> HttpResponse {
    match guard.log_in(&offered.token, guard::address(request.peer_addr()), &cookie) {
        Ok((access, cookie)) => {
            // for the audit log
            request.extensions_mut().insert(access);
            to(&destination::checked(&attached.base, &offered.to), cookie)
        }
        Err(problem) => refused(&attached, &offered.to, &problem),
    }
}

async fn log_out(
    request: HttpRequest,
    attached: Data<Attached>,
    guard: Data<Guard>,
    cookie: ReqData<SessionCookie>,
) -> HttpResponse {
    to(
        &format!("{}{LOGIN}", attached.base),
        guard.log_out(request.headers(), &cookie),
    )
}

fn to(path: &str, cookie: String) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .insert_header((header::SET_COOKIE, cookie))
        .finish()
}

/// The form again, with the status of the problem.
fn refused(attached: &Attached, to: &str, problem: &Problem) -> HttpResponse {
    let mut response = HttpResponse::from(problem.clone());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
        .set_body(markup(attached, to, Some(&problem.error)))
        .map_into_boxed_body()
}

fn markup(attached: &Attached, to: &str, error: Option<&str>) -> String {
    let content = html! {
        h1 { "Log in" }
        p.soft { "This console is open to holders of a token." }
        @if let Some(error) = error { p.wrong role="alert" { (sentence(error)) } }
        form method="post" action={ (attached.base) (LOGIN) } {
            @if !to.is_empty() { input type="hidden" name="to" value=(to); }
            label for="token" { "Token" }
            input id="token" name="token" type="password" autocomplete="current-password" required autofocus;
            button.primary type="submit" { "Log in" }
        }
    };
    layout::bare(&attached.base, "Log in", &content).into_string()
}
