//! All of it without a mouse.

use fantoccini::key::Key;

use crate::console::browser::Browser;
use crate::console::{console, parcel};

const FOCUSED: &str = "document.activeElement";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn from_the_first_key_to_a_version() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    parcel(&runtime, "P-1", "fragile").await;
    browser.open(&ops.url()).await;
    browser.press_key(Key::Tab).await;
    browser
        .until(&format!(
            "{FOCUSED}.matches('.skip') && {FOCUSED}.getBoundingClientRect().top >= 0"
        ))
        .await;
    browser.press_key(Key::Enter).await;
    browser.until(&format!("{FOCUSED}.id === 'main'")).await;
    browser.press("?").await;
    browser.until("document.querySelector('#keys').open").await;
    browser.press_key(Key::Escape).await;
    browser.until("!document.querySelector('#keys').open").await;
    browser.press("t").await;
    let theme = "getComputedStyle(document.body).backgroundColor";
    let first = browser.script(&format!("return {theme}")).await;
    browser.press("t").await;
    browser.until(&format!("{theme} !== {first}")).await;
    browser.press("gs").await;
    browser.until_text("h1", "Store").await;
    browser.press("/").await;
    browser
        .until(&format!("{FOCUSED}.matches('[data-search]')"))
        .await;
    browser.press("P-").await;
    browser.press_key(Key::Enter).await;
    browser.until_text("#stored", "P-1").await;
    browser
        .script("document.querySelector('#stored td.id a').focus()")
        .await;
    browser.press_key(Key::Enter).await;
    browser.until_text("#state h2", "version 6").await;
    browser.press_key(Key::Left).await;
    browser.until_text("#state h2", "version 5").await;
    browser.press_key(Key::Home).await;
    browser.until_text("#state h2", "version 1").await;
    browser.press_key(Key::End).await;
    browser.until_text("#state h2", "version 6").await;
    browser.end().await;
    ops.stop().await;
}
