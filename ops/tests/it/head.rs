//! HEAD is answered as GET is, without the body.

use crate::api::with_bank;
use crate::bank::deposit;
use crate::client::{Answer, get, send};

/// What does not change from one request to the next.
fn told(answer: &Answer) -> [Option<String>; 6] {
    [
        "Content-Type",
        "Content-Length",
        "Transfer-Encoding",
        "Cache-Control",
        "Content-Security-Policy",
        "Connection",
    ]
    .map(|name| answer.header(name).map(str::to_owned))
}

#[tokio::test(flavor = "multi_thread")]
async fn head_is_get_without_the_body() {
    let (ops, bank) = with_bank().await;
    deposit(&bank, "acc-1", 10).await;
    for path in [
        "/health/live",
        "/health/ready",
        "/api/v1/types",
        "/api/v1/streams/account/acc-1/state",
        "/api/v1/streams?type=nobody",
        "/api/v1/openapi.json",
        "/assets/0/console.css",
        "/login",
        "/nowhere",
    ] {
        let (whole, head) = (get(&ops, path, &[]), send(&ops, &format!("HEAD {path}"), &[], ""));
        assert_eq!((head.status, told(&head)), (whole.status, told(&whole)), "{path}");
        assert!(head.body.is_empty() && !whole.body.is_empty(), "{path}: {head:?}");
    }
    // of changing length
    for path in ["/", "/metrics", "/api/v1/overview"] {
        let head = send(&ops, &format!("HEAD {path}"), &[], "");
        assert!(head.status == 200 && head.body.is_empty(), "{path}: {head:?}");
        assert!(head.header("Content-Length").is_some(), "{path}: {head:?}");
    }
}

/// A stream of events has no end, so a body that was only not sent would keep its connection.
#[test]
fn head_of_a_stream_of_events_ends() {
    let head = send(&crate::client::open(), "HEAD /live", &[], "");
    assert_eq!(
        (head.status, head.header("Content-Type"), &*head.body),
        (200, Some("text/event-stream"), "")
    );
}
