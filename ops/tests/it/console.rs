//! The console in a real browser: Chromium, driven through WebDriver. Where there is none, each test says that it was
//! skipped.

mod acts;
mod any_id;
#[allow(dead_code, reason = "the screenshots use more of it")]
mod browser;
mod keyboard;
mod layout;
mod login;
mod moment;
mod one_aggregate;
mod overview;
mod restart;
mod session;

#[path = "../../examples/console/parcels.rs"]
#[allow(dead_code, reason = "the example uses more of it")]
mod parcels;

use std::time::Duration;

use dormouse_ops::Ops;
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;

use parcels::{Add, Book, Meter, Note, Order, Parcel, Record, Scan};

/// A console on a new runtime in memory.
async fn console() -> (Ops, Dormouse) {
    let ops = Ops::builder().bind("127.0.0.1:0").start().unwrap();
    let runtime = runtime().await;
    ops.attach(&runtime);
    (ops, runtime)
}

async fn runtime() -> Dormouse {
    Dormouse::builder(Store::in_memory())
        .aggregate::<Order>()
        .aggregate::<Parcel>()
        .aggregate::<Meter>()
        .passivate_after(Duration::from_secs(3_600))
        .start()
        .await
        .unwrap()
}

/// A parcel with six events; the last one is a note.
async fn parcel(runtime: &Dormouse, id: &str, note: &str) {
    let parcel = runtime.entity::<Parcel>(id).unwrap();
    let (order, address) = ("2026-11-01-00001".to_owned(), parcels::Address::default());
    parcel
        .execute(Book {
            order,
            address,
            grams: 750,
        })
        .await
        .unwrap();
    for hub in ["Leipzig", "Leipzig", "Passau"] {
        parcel.execute(Scan { hub: hub.into() }).await.unwrap();
    }
    parcel.execute(Note { text: note.into() }).await.unwrap();
}

/// Orders something, again and again, for as long as it is polled.
async fn traffic(runtime: Dormouse) {
    for number in 0_u64.. {
        let order = runtime.entity::<Order>(format!("order-{}", number % 50)).unwrap();
        let (customer, article) = ("Ada".into(), "Hazelnuts".into());
        order
            .execute(Add {
                customer,
                article,
                quantity: 1,
                cents: 100,
            })
            .await
            .unwrap();
    }
}

/// A meter that was read that often.
async fn meter(runtime: &Dormouse, id: &str, readings: u64) {
    let meter = runtime.entity::<Meter>(id).unwrap();
    for first in (0..readings).step_by(1_000) {
        let values = (first..readings.min(first + 1_000)).collect();
        meter.execute(Record { values }).await.unwrap();
    }
}
