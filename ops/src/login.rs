//! Logging in to the console: a form takes a token and gives a session.

use actix_web::error::UrlencodedError;
use actix_web::http::{StatusCode, header};
use actix_web::web::{Data, Form, FormConfig, Html, ServiceConfig};
use actix_web::{Error, HttpRequest, HttpResponse};
use maud::html;
use serde::Deserialize;

use crate::attached::Attached;
use crate::console::layout;
use crate::guard::{self, Guard, LOGIN, LOGOUT};
use crate::problem::Problem;
use crate::routes::{act, read_or_act};

/// A token of 256 bits takes 64 bytes; nobody needs so many more.
const FORM_BYTES_MAX: usize = 4 * 1024;

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

#[derive(Deserialize)]
struct Offered {
    token: String,
}

async fn form(attached: Data<Attached>) -> Html {
    Html::new(markup(&attached, None))
}

async fn log_in(
    request: HttpRequest,
    attached: Data<Attached>,
    guard: Data<Guard>,
    offered: Form<Offered>,
) -> HttpResponse {
    match guard.log_in(&offered.token, guard::address(request.peer_addr())) {
        Ok(cookie) => to(&format!("{}/", attached.base), cookie),
        Err(problem) => refused(&attached, &problem),
    }
}

async fn log_out(request: HttpRequest, attached: Data<Attached>, guard: Data<Guard>) -> HttpResponse {
    to(
        &format!("{}{LOGIN}", attached.base),
        guard.log_out(request.headers()),
    )
}

fn to(path: &str, cookie: String) -> HttpResponse {
    HttpResponse::SeeOther()
        .insert_header((header::LOCATION, path))
        .insert_header((header::SET_COOKIE, cookie))
        .finish()
}

/// The form again, with the status of the problem.
fn refused(attached: &Attached, problem: &Problem) -> HttpResponse {
    let mut response = HttpResponse::from(problem.clone());
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/html; charset=utf-8"),
    );
    response
        .set_body(markup(attached, Some(&problem.error)))
        .map_into_boxed_body()
}

fn markup(attached: &Attached, error: Option<&str>) -> String {
    let content = html! {
        h1 { "Log in" }
        p.soft { "This console is open to holders of a token." }
        @if let Some(error) = error { p.wrong role="alert" { (error) } }
        form method="post" action={ (attached.base) (LOGIN) } {
            label for="token" { "Token" }
            input id="token" name="token" type="password" autocomplete="current-password" required autofocus;
            button.primary type="submit" { "Log in" }
        }
    };
    layout::bare(&attached.base, "Log in", &content).into_string()
}
