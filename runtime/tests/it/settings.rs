//! A runtime tells what it runs with.

use std::time::Duration;

use dormouse_persistence::Store;
use dormouse_runtime::{Dormouse, RuntimeSettings};

#[tokio::test(flavor = "multi_thread")]
async fn what_the_builder_was_not_told_is_the_default() {
    let untold = Dormouse::builder(Store::in_memory()).start().await.unwrap();
    assert_eq!(untold.settings(), RuntimeSettings::default());

    let builder = Dormouse::builder(Store::in_memory())
        .arbiters(1)
        .readers(3)
        .mailbox(0)
        .in_flight_max(5)
        .memory_budget_bytes(6)
        .passivate_after(Duration::from_secs(7))
        .snapshot_every(0)
        .recent_ids(9)
        .default_deadline(Duration::from_secs(10))
        .shutdown_limit(Duration::from_millis(11));
    let told = builder.start().await.unwrap().settings();
    let wanted = (1, 3, 1, 5, 6, 0, 9);
    let numbers = (
        told.arbiters,
        told.readers,
        told.mailbox,
        told.in_flight_max,
        told.memory_budget_bytes,
        told.snapshot_every,
        told.recent_ids,
    );
    assert_eq!(numbers, wanted, "zero counts as one, but for snapshots");
    let times = (told.passivate_after, told.default_deadline, told.shutdown_limit);
    let [seven, ten] = [7, 10].map(Duration::from_secs);
    assert_eq!(times, (seven, ten, Duration::from_millis(11)));
}
