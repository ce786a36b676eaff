//! What becomes of a handler that misbehaves.

use std::future::pending;
use std::sync::Arc;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::middleware::{Next, from_fn};
use actix_web::test::{TestRequest, call_and_read_body_json, try_call_service};
use actix_web::{App, HttpResponse, web};
use serde_json::Value;

use super::{FAILURES_MAX, Guard, Hosts};
use crate::guard::Tokens;

async fn guarded(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse, actix_web::Error> {
    let guard = Arc::new(Guard::new(
        Hosts::default(),
        Tokens::default(),
        false,
        FAILURES_MAX,
    ));
    guard.run("", |_, _| "/login".into(), request, next).await
}

async fn panics() -> HttpResponse {
    panic!("a secret")
}

/// What is answered at `path`, status and body.
async fn answer(path: &str) -> (u16, Value) {
    answer_to(TestRequest::get(), path).await
}

async fn answer_to(request: TestRequest, path: &str) -> (u16, Value) {
    let app = App::new()
        .wrap(from_fn(guarded))
        .route("/panics", web::route().to(panics))
        .route("/never", web::route().to(pending::<HttpResponse>))
        .route(
            "/good",
            web::get().to(|| async { HttpResponse::Ok().json("good") }),
        );
    let app = actix_web::test::init_service(app).await;
    let asked = |request: TestRequest, path: &str| {
        request
            .uri(path)
            .insert_header(("Host", "localhost"))
            .insert_header(("X-Dormouse-Action", "1"))
            .to_request()
    };
    let answer = match try_call_service(&app, asked(request, path)).await {
        Ok(answer) => answer.into_parts().1.map_into_boxed_body(),
        Err(error) => error.error_response(),
    };
    assert!(
        answer.headers().contains_key("content-security-policy"),
        "{answer:?}"
    );
    let after: Value = call_and_read_body_json(&app, asked(TestRequest::get(), "/good")).await;
    assert_eq!(after, "good", "it goes on");
    let status = answer.status().as_u16();
    let body = actix_web::body::to_bytes(answer.into_body()).await.unwrap();
    (status, serde_json::from_slice(&body).unwrap())
}

#[actix_web::test]
async fn a_panic_in_a_handler_is_a_500_and_nothing_more() {
    let (status, body) = answer("/panics").await;
    assert_eq!((status, &body["status"]), (500, &Value::from(500)));
    assert!(
        !body["error"].as_str().unwrap().contains("secret"),
        "what panicked is for the log: {body}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_does_not_end_is_given_up() {
    let (status, body) = answer("/never").await;
    assert_eq!(
        (status, body["error"].as_str()),
        (503, Some("it took longer than 30 seconds"))
    );
}

#[tokio::test(start_paused = true)]
async fn what_may_have_been_done_is_told() {
    for (path, wanted) in [("/panics", 500), ("/never", 503)] {
        let (status, body) = answer_to(TestRequest::post(), path).await;
        assert_eq!((status, &body["unknown"]), (wanted, &Value::from(true)));
        let error = body["error"].as_str().unwrap();
        assert!(error.ends_with("it may have been done"), "{error}");
        // reading changes nothing
        let (status, body) = answer(path).await;
        assert_eq!((status, body.get("unknown")), (wanted, None));
        let error = body["error"].as_str().unwrap();
        assert!(!error.contains("done"), "{error}");
    }
}
