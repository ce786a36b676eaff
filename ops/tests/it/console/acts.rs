//! What is said of an action that failed.

use crate::console::browser::Browser;
use crate::console::{console, parcel};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_was_not_done_is_said_not_to_be() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    parcel(&runtime, "P-1", "fragile").await;
    browser
        .open(&format!("{}aggregate?type=parcel&id=P-1", ops.url()))
        .await;
    browser.until_text("#state h2", "version 6").await;
    for (status, body, said) in [
        (409, r#"{"error": "it is busy"}"#, "Not done: it is busy"),
        (
            503,
            r#"{"error": "it took long", "unknown": true}"#,
            "Not known whether it was done: it took long",
        ),
        (504, "<html>", "Not known whether it was done: 504"),
    ] {
        // in place of the server, which nothing makes fail so
        let answer = serde_json::json!(body);
        browser
            .script(&format!(
                "window.real ??= window.fetch; window.fetch = (to, asked) => asked?.method === 'POST'
                    ? Promise.resolve(new Response({answer}, {{ status: {status} }})) : window.real(to, asked);"
            ))
            .await;
        browser.click("[data-post*='/passivate']").await;
        browser.click("#question button[value=yes]").await;
        browser
            .until(&format!(
                "[...document.querySelectorAll('#told .bad')].some((one) => one.textContent === '{said}')"
            ))
            .await;
    }
    browser.end().await;
    ops.stop().await;
}
