//! A session that ends while a page is open: the page says so, and logging in leads back to it.

use dormouse_ops::{Ops, Scope};
use tempfile::TempDir;

use crate::console::browser::Browser;
use crate::console::{parcel, runtime};

const ACT: &str = "6f8a0c51d9e2b7746a15f0c8e94b2d7735ad60e1f8c29b4407d6a3be158fc921";
/// What the browser says of an answer 401.
const ON_PURPOSE: &[&str] = &["401 (Unauthorized)", "net::ERR_"];

fn guarded(address: &str, directory: &TempDir) -> Ops {
    let file = directory.path().join("token");
    std::fs::write(&file, ACT).unwrap();
    let builder = Ops::builder().bind(address).token_file(Scope::Act, file);
    builder.start().unwrap()
}

async fn log_in(browser: &Browser) {
    browser.until_text("h1", "Log in").await;
    browser.write("#token", ACT).await;
    browser.click("form button").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_says_that_its_session_has_ended_and_comes_back() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let ops = guarded("127.0.0.1:0", &directory);
    let runtime = runtime().await;
    ops.attach(&runtime);
    parcel(&runtime, "P-1/..?&", "fragile").await;
    let page = "aggregate?type=parcel&id=P-1%2F..%3F%26&at=3";
    browser.open(&format!("{}{page}", ops.url())).await;
    log_in(&browser).await;
    browser.until_text("#state h2", "version 3").await;
    browser.until_text("#standing", "Ready").await;

    // as if it were over by itself
    browser.script("fetch('/logout', { method: 'POST' })").await;
    browser.until_text("#ended", "Your session has ended.").await;
    browser.until("document.querySelector('#offline').hidden").await;
    browser.until_text("#standing", "Logged out").await;
    browser.click("[data-post*='/passivate']").await;
    browser.click("#question button[value=yes]").await;
    browser
        .until_text("#told", "Not done: your session has ended.")
        .await;
    browser.click("#ended a").await;
    log_in(&browser).await;
    browser.until_text("#state h2", "version 3").await;
    browser.until_text("h1", "P-1/..?&").await;
    browser.until_text("#standing", "Ready").await;

    browser.click("form[action$='/logout'] button").await;
    browser.until_text("h1", "Log in").await;
    browser.end_but(ON_PURPOSE).await;
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_restart_nobody_is_told_that_the_server_is_away() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let first = guarded("127.0.0.1:0", &directory);
    let url = first.url();
    let runtime = runtime().await;
    first.attach(&runtime);
    browser.open(&format!("{url}store")).await;
    log_in(&browser).await;
    browser.until_text("#standing", "Ready").await;
    first.stop().await;
    browser.until_text("#offline", "Disconnected").await;
    let address = url.trim_start_matches("http://").trim_end_matches('/');
    let second = guarded(address, &directory);
    second.attach(&runtime);
    browser.until_text("#ended", "Your session has ended.").await;
    browser.until("document.querySelector('#offline').hidden").await;
    browser.click("#ended a").await;
    log_in(&browser).await;
    browser.until_text("h1", "Store").await;
    browser.until_text("#standing", "Ready").await;
    browser.end_but(ON_PURPOSE).await;
    second.stop().await;
}
