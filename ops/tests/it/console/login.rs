//! Logging in with a token.

use dormouse_ops::{Ops, Scope};
use tempfile::TempDir;

use crate::console::browser::Browser;

const READ: &str = "5f8a0c51d9e2b7746a15f0c8e94b2d7735ad60e1f8c29b4407d6a3be158fc921";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_token_is_refused_and_the_right_one_accepted() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("token");
    std::fs::write(&file, READ).unwrap();
    let ops = Ops::builder()
        .bind("127.0.0.1:0")
        .token_file(Scope::Read, file)
        .start()
        .unwrap();
    let runtime = super::runtime().await;
    ops.attach(&runtime);
    super::parcel(&runtime, "P-1", "fragile").await;
    browser.open(&ops.url()).await;
    browser.until_text("h1", "Log in").await;
    browser.write("#token", &READ.replace('5', "6")).await;
    browser.click("form button").await;
    browser.until("document.querySelector('[role=alert]')").await;
    browser.write("#token", READ).await;
    browser.click("form button").await;
    browser.until_text("h1", "Overview").await;
    browser.until_text("#standing", "Ready").await;
    browser
        .open(&format!("{}aggregate?type=parcel&id=P-1", ops.url()))
        .await;
    browser.until_text("#state h2", "version 6").await;
    let buttons = browser
        .script("return document.querySelectorAll('[data-post]').length")
        .await;
    assert_eq!(buttons, 0, "who may only read sees no button to act");
    browser.end_but(&["401 (Unauthorized)"]).await;
    ops.stop().await;
}
