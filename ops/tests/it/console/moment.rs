//! The version of an aggregate at a time, by the keyboard.

use fantoccini::key::Key;

use crate::console::browser::Browser;
use crate::console::{console, parcel};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_time_is_typed_and_its_version_shown() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    parcel(&runtime, "P-1", "fragile").await;
    browser
        .open(&format!("{}aggregate?type=parcel&id=P-1&at=3", ops.url()))
        .await;
    browser.until_text("#state h2", "version 3").await;
    browser
        .until("document.querySelector('#standing').dataset.kind === 'good'")
        .await;
    let field = "document.querySelector('#time')";
    let third = browser.script(&format!("return {field}.value")).await;
    assert_eq!(
        third.as_str().map(str::len),
        Some("2026-01-31 23:59:59.123".len())
    );

    browser.press("w").await;
    browser
        .until(&format!("document.activeElement === {field}"))
        .await;
    browser.press("2999-12-31").await;
    browser.press_key(Key::Enter).await;
    browser
        .until_text("#found", "At 2999-12-31 UTC its newest version was 6, stored 20")
        .await;
    browser.until_text("#state h2", "version 6").await;
    browser
        .until(
            "document.querySelector('#at').value === '6' && document.querySelector('#range').value === '6'",
        )
        .await;
    browser
        .until("location.search.includes('time=2999-12-31') && !location.search.includes('at=')")
        .await;

    browser.script(&format!("{field}.select()")).await;
    browser.press("1999-12-31 10:00").await;
    browser.press_key(Key::Enter).await;
    browser.until_text("#found", "it had no event yet").await;
    browser.until_text("#state h2", "version 1").await;

    browser.script(&format!("{field}.select()")).await;
    browser.press("yesterday").await;
    browser.press_key(Key::Enter).await;
    browser
        .until_text("#found .wrong", "“yesterday” is no time")
        .await;

    // a step goes on from there, and the field has the time of what is shown
    browser.press_key(Key::Escape).await;
    browser.press_key(Key::Home).await;
    browser.until_text("#state h2", "version 1").await;
    browser
        .until("document.querySelector('#found').childNodes.length === 0")
        .await;
    browser.press_key(Key::Right).await;
    browser.press_key(Key::Right).await;
    browser.until_text("#state h2", "version 3").await;
    browser.until(&format!("{field}.value === {third}")).await;
    browser.end().await;
    ops.stop().await;
}
