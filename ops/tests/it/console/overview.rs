//! What it does now, as it does it; and that every page fits a phone.

use crate::console::browser::Browser;
use crate::console::{console, parcel, traffic};

/// The figure that stands in the tile of this number.
fn tile(number: usize) -> String {
    format!(
        "Number(document.querySelectorAll('.tile .number .live')[{number}].textContent.replaceAll(',', ''))"
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_moves_under_load() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    browser.open(&ops.url()).await;
    browser.until_text("#standing", "Ready").await;
    browser.until(&format!("{} === 0", tile(0))).await;
    let load = tokio::spawn(traffic(runtime.clone()));
    browser.until(&format!("{} > 0", tile(0))).await;
    browser.until(&format!("{} > 0", tile(4))).await;
    browser
        .until("document.querySelectorAll('.chart .area').length > 0")
        .await;
    let drawn = "document.querySelector('.chart .area').getAttribute('d')";
    let before = browser.script(&format!("return {drawn}")).await;
    browser.until(&format!("{drawn} !== {before}")).await;
    load.abort();
    browser.until(&format!("{} === 0", tile(0))).await;
    // a page that is opened now shows what was
    browser.open(&ops.url()).await;
    browser
        .until("document.querySelectorAll('.chart .area').length > 0")
        .await;
    browser.end().await;
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_runtime_that_comes_later_shows_by_itself() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let ops = dormouse_ops::Ops::builder().bind("127.0.0.1:0").start().unwrap();
    browser.open(&format!("{}store", ops.url())).await;
    browser
        .until_text("main", "There is nothing to see before the store is open.")
        .await;
    browser.until_text("#standing", "Opening").await;
    let runtime = super::runtime().await;
    ops.attach(&runtime);
    browser.until_text("main", "Last durable position").await;
    browser.until_text("#standing", "Ready").await;
    runtime.shutdown().await.unwrap();
    browser.until_text("#standing", "Shut down").await;
    browser.end_but(&["503 (Service Unavailable)"]).await;
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_is_wider_than_a_phone() {
    let Some(browser) = Browser::start_phone().await else {
        return;
    };
    let (ops, runtime) = console().await;
    let long = "parcel".repeat(35);
    parcel(
        &runtime,
        &long,
        &"a note without any break ".replace(' ', "_").repeat(40),
    )
    .await;
    for page in [
        "",
        "aggregates",
        "aggregates?type=parcel",
        &format!("aggregate?type=parcel&id={long}"),
        "store",
        "jobs",
    ] {
        browser.open(&format!("{}{page}", ops.url())).await;
        browser.until("document.querySelector('main h1')").await;
        let width = browser
            .script("return [document.documentElement.scrollWidth, innerWidth]")
            .await;
        assert_eq!(width, serde_json::json!([375, 375]), "{page}");
    }
    browser.end().await;
    ops.stop().await;
}
