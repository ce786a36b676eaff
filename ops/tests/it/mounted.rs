//! Its routes in an actix-web app of the service's own.

use actix_web::http::header;
use actix_web::test::{TestRequest, call_service, init_service, read_body};
use actix_web::{App, HttpResponse, web};
use dormouse_ops::{Ops, Scope};
use tempfile::TempDir;

use crate::tokens::{ACT, METRICS, READ, bearer, file};

#[actix_web::test]
async fn it_lives_below_its_path_and_leaves_the_rest_alone() {
    let directory = TempDir::new().unwrap();
    let ops = Ops::builder()
        .base_path("/internal/ops")
        .token_file(Scope::Metrics, file(&directory, "metrics", METRICS))
        .token_file(Scope::Read, file(&directory, "read", READ))
        .token_file(Scope::Act, file(&directory, "act", ACT))
        .allow_host("bank.example.com")
        .mounted()
        .unwrap();
    assert_eq!(ops.url(), "/internal/ops/");
    let own = web::get().to(|| async { HttpResponse::Ok().body("the bank's own") });
    let app = init_service(App::new().route("/accounts", own).configure(|app| ops.mount(app))).await;
    let request = |path: &str, token: Option<&str>| {
        let request = TestRequest::get()
            .uri(path)
            .insert_header(("Host", "bank.example.com"));
        match token.map(bearer) {
            Some(header) => request
                .insert_header(("Authorization", &header["Authorization: ".len()..]))
                .to_request(),
            None => request.to_request(),
        }
    };
    for (path, token, status) in [
        ("/accounts", None, 200),
        ("/elsewhere", None, 404),
        ("/internal/ops/health/live", None, 200),
        ("/internal/ops/health/ready", None, 503),
        ("/internal/ops/metrics", None, 401),
        ("/internal/ops/metrics", Some(METRICS), 200),
        ("/internal/ops/api/v1/overview", Some(METRICS), 403),
        ("/internal/ops/api/v1/overview", Some(READ), 200),
        ("/internal/ops/", Some(READ), 200),
        ("/internal/ops/nowhere", Some(READ), 404),
        ("/metrics", Some(ACT), 404),
    ] {
        let answer = call_service(&app, request(path, token)).await;
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let guarded = answer.headers().contains_key(header::CONTENT_SECURITY_POLICY);
        assert_eq!(guarded, path.starts_with("/internal"), "{path}");
    }
    let document = call_service(&app, request("/internal/ops/api/v1/openapi.json", Some(READ))).await;
    let document: serde_json::Value = serde_json::from_slice(&read_body(document).await).unwrap();
    assert_eq!(document["servers"][0]["url"], "/internal/ops");

    let foreign = TestRequest::get()
        .uri("/internal/ops/health/live")
        .insert_header(("Host", "evil.example.com"));
    assert_eq!(
        call_service(&app, foreign.to_request()).await.status().as_u16(),
        403
    );
}

#[test]
fn a_base_path_is_a_path() {
    for path in ["ops", "/ops/", "/", "//", "/a//b", "/a b", "/{id}", "/ä", "/../x"] {
        let error = Ops::builder()
            .bind("127.0.0.1:0")
            .base_path(path)
            .start()
            .unwrap_err();
        assert!(error.to_string().contains("base path"), "{error}");
    }
    assert!(
        Ops::builder()
            .bind("127.0.0.1:0")
            .base_path("/a/b-c_d")
            .start()
            .is_ok()
    );
}
