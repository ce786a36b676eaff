//! Finding an aggregate, going through its versions, and acting on it.

use fantoccini::key::Key;

use crate::console::browser::Browser;
use crate::console::{console, meter, parcel};

const RANGE: &str = "#slider input[type=range]";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn search_then_the_slider_to_version_1_and_back() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    parcel(&runtime, "P-1", "fragile").await;
    parcel(&runtime, "P-2/with?odd&chars", "heavy").await;
    browser.open(&format!("{}aggregates", ops.url())).await;
    browser.write("[data-search]", "P-2").await;
    browser.click(".search button").await;
    browser.until_text("#stored", "P-2/with?odd&chars").await;
    browser
        .until("!document.querySelector('#stored').innerText.includes('P-1')")
        .await;
    browser.click("#stored td.id a").await;
    browser.until_text("h1", "P-2/with?odd&chars").await;
    browser.until_text("#state h2", "version 6").await;
    browser.until_text("#state .add", "heavy").await;
    browser.until_text("#timeline [aria-current]", "Noted").await;
    browser.click(RANGE).await;
    browser.write(RANGE, &char::from(Key::Home).to_string()).await;
    browser.until_text("#state h2", "version 1").await;
    browser.until_text("#timeline [aria-current]", "Booked").await;
    browser.until_text("#state .gone", r#""order": """#).await;
    browser
        .until_text("#state .add", r#""order": "2026-11-01-00001""#)
        .await;
    browser.until("location.search.includes('at=1')").await;
    browser.write(RANGE, &char::from(Key::Right).to_string()).await;
    browser.until_text("#state .add", r#""grams": 750"#).await;
    browser.write(RANGE, &char::from(Key::End).to_string()).await;
    browser.until_text("#state h2", "version 6").await;
    browser.until_text("#state .add", "heavy").await;
    browser.end().await;
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_a_hundred_thousand_events() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    meter(&runtime, "belt-7", 100_000).await;
    browser
        .open(&format!("{}aggregate?type=meter&id=belt-7", ops.url()))
        .await;
    browser.until_text("#state h2", "version 100,000").await;
    let events = browser
        .script("return document.querySelectorAll('.event').length")
        .await;
    assert_eq!(events, 50, "a page of them");
    browser.script("const at = document.querySelector('#at'); at.value = 50000; at.dispatchEvent(new Event('input'))").await;
    browser.until_text("#state h2", "version 50,000").await;
    browser.until_text("#state .add", r#""readings": 50000"#).await;
    browser
        .until_text("#timeline [aria-current]", r#"{"value":49999}"#)
        .await;
    browser.click_link("Older").await;
    browser.until_text("#state h2", "version 49,950").await;
    browser.click_link("First").await;
    browser.until_text("#state .add", r#""readings": 1"#).await;
    browser.end().await;
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passivating_asks_first() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    parcel(&runtime, "P-1", "fragile").await;
    browser
        .open(&format!("{}aggregate?type=parcel&id=P-1", ops.url()))
        .await;
    browser.until_text("#subject", "in memory").await;
    browser.click("[data-post*='/passivate']").await;
    browser.until("document.querySelector('#question').open").await;
    browser.click("#question button[value=no]").await;
    browser.until("!document.querySelector('#question').open").await;
    assert_eq!(runtime.statistics().residents, 1, "it was not meant");
    browser.click("[data-post*='/passivate']").await;
    browser.click("#question button[value=yes]").await;
    browser.until_text("#told", "It is asleep.").await;
    browser.until_text("#subject", "asleep").await;
    assert_eq!(runtime.statistics().residents, 0);
    browser.click("[data-post*='/snapshot']").await;
    browser.click("#question button[value=yes]").await;
    browser.until_text("#told", "A snapshot is stored.").await;
    browser.end().await;
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_events_say_is_text() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    let hostile = r#"<script>document.title = "owned"</script><img src=x onerror="document.title='owned'"><a href="javascript:1">"#;
    let id = r#""><script>document.title="owned"</script>"#;
    parcel(&runtime, id, hostile).await;
    browser
        .open(&format!("{}aggregates?type=parcel", ops.url()))
        .await;
    browser.until_text("#residents", "<script>").await;
    browser.click("#stored td.id a").await;
    browser.until_text("h1", id).await;
    browser
        .until_text(
            "#timeline [aria-current] .json",
            r#"<script>document.title = \"owned\"</script>"#,
        )
        .await;
    browser
        .until_text("#state .add", r#"<img src=x onerror=\"document.title='owned'\">"#)
        .await;
    // the same once scripts have swapped it in
    browser.click("[data-step='<']").await;
    browser.until_text("#state h2", "version 5").await;
    browser.click("[data-step='>']").await;
    browser.until_text("#state .add", "<script>").await;
    let made = browser
        .script("return document.querySelectorAll('main script, main img, main a[href^=javascript]').length")
        .await;
    assert_eq!(made, 0, "an element was made of an event's text");
    assert_ne!(browser.script("return document.title").await, "owned");
    browser.end().await;
    ops.stop().await;
}
