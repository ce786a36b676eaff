//! Aggregates with ids that mean something in an address.

use crate::console::browser::Browser;
use crate::console::{console, parcel};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_an_aggregate_is_called_it_is_found_and_acted_on() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    let long = "ö".repeat(256);
    let ids = [
        ".", "..", "../..", "a/b", "50%", "%2e%2e", "a?b=c&d", "#1", " ", "a  b ", "a+b", "\"'<&>", &long,
    ];
    for id in ids {
        parcel(&runtime, id, "fragile").await;
    }
    for (left, id) in ids.iter().enumerate().map(|(at, id)| (ids.len() - at - 1, id)) {
        let quoted = serde_json::json!(id);
        let link = format!(
            "[...document.querySelectorAll('#stored td.id a')].find((one) => one.textContent === {quoted})"
        );
        browser
            .open(&format!("{}aggregates?type=parcel", ops.url()))
            .await;
        browser.until(&link).await;
        browser.script(&format!("{link}.click()")).await;
        browser
            .until(&format!("document.querySelector('h1').textContent === {quoted}"))
            .await;
        browser.until_text("#state h2", "version 6").await;
        browser.click("[data-step='<']").await;
        browser.until_text("#state h2", "version 5").await;
        browser.until("location.search.includes('at=5')").await;
        browser.click("[data-post*='/passivate']").await;
        browser.click("#question button[value=yes]").await;
        browser.until_text("#told", "It is asleep.").await;
        assert_eq!(runtime.statistics().residents, left, "{id}");
    }
    browser.end().await;
    ops.stop().await;
}
