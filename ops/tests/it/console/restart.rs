//! A server that goes away, and comes back.

use dormouse_ops::Ops;

use crate::console::browser::Browser;
use crate::console::{console, runtime, traffic};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_that_it_is_disconnected_and_recovers_by_itself() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, first) = console().await;
    let url = ops.url();
    browser.open(&url).await;
    browser.until_text("#standing", "Ready").await;
    ops.stop().await;
    first.shutdown().await.unwrap();
    browser.until_text("#offline", "Disconnected").await;
    browser.until_text("#offline", " UTC.").await;
    browser.until("document.body.classList.contains('stale')").await;
    browser.until_text("#standing", "Disconnected").await;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let ops = Ops::builder().bind(address).start().unwrap();
    browser.until_text("#standing", "Opening").await;
    let second = runtime().await;
    ops.attach(&second);
    let load = tokio::spawn(traffic(second.clone()));
    browser.until_text("#standing", "Ready").await;
    browser
        .until("document.querySelector('#offline').hidden && !document.body.classList.contains('stale')")
        .await;
    browser
        .until("document.querySelector('.tile .number .live').textContent !== '0'")
        .await;
    load.abort();
    browser.end_but(&["net::ERR_"]).await;
    ops.stop().await;
}
