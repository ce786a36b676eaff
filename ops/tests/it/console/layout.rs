//! What all pages have in common: where their heads are, and what stands above them when something is wrong.

use dormouse_ops::Ops;
use dormouse_persistence::{AppendFault, MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;

use crate::console::browser::Browser;
use crate::console::parcels::Parcel;
use crate::console::{console, parcel};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn title_and_lead_are_at_the_same_place_on_each_page() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let (ops, runtime) = console().await;
    parcel(&runtime, "P-1", "fragile").await;
    let mut places = Vec::new();
    for page in [
        "",
        "aggregates",
        "aggregates?type=parcel",
        "aggregate?type=parcel&id=P-1",
        "aggregate?type=parcel&id=nobody",
        "store",
        "jobs",
    ] {
        browser.open(&format!("{}{page}", ops.url())).await;
        browser.until("document.querySelector('main .lead')").await;
        let place = browser
            .script(
                "return ['h1', '.lead'].map((one) => document.querySelector(`main ${one}`).getBoundingClientRect())
                    .map(({ left, top }) => [left, top].map(Math.round).join(' ')).join(', ')",
            )
            .await;
        places.push((page, place));
    }
    let first = &places[0].1;
    assert!(places.iter().all(|(_, place)| place == first), "{places:#?}");
    browser.end_but(&["404 (Not Found)"]).await;
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_store_is_told_on_each_page_and_its_faults_stand_out() {
    let Some(browser) = Browser::start().await else {
        return;
    };
    let ops = Ops::builder().bind("127.0.0.1:0").start().unwrap();
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let builder = Dormouse::builder(store).aggregate::<Parcel>();
    let runtime = builder.start().await.unwrap();
    ops.attach(&runtime);
    browser.open(&format!("{}jobs", ops.url())).await;
    browser.until_text("#standing", "Ready").await;
    browser.until("document.querySelector('#trouble').hidden").await;
    disk.fail_append(AppendFault::NothingWritten);
    let scan = runtime.entity::<Parcel>("P-1").unwrap();
    let address = super::parcels::Address::default();
    let order = "2026-11-01-00001".into();
    let booked = scan
        .execute(super::Book {
            order,
            address,
            grams: 1,
        })
        .await;
    assert!(booked.is_err());
    browser.until_text("#trouble", "Stopped").await;
    // as the server renders it, too
    browser.open(&format!("{}aggregates", ops.url())).await;
    browser.until_text("#trouble", "Stopped").await;
    browser.open(&format!("{}store", ops.url())).await;
    browser.until_text(".fault", "1").await;
    browser.until_text("main .lead", "Stopped").await;
    browser
        .until("getComputedStyle(document.querySelector('#trouble')).display === 'none'")
        .await;
    browser.end().await;
    ops.stop().await;
}
