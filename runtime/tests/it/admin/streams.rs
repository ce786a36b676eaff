//! Streams, listed by type and prefix.

use dormouse_domain::{AggregateType, Version};
use dormouse_persistence::Store;
use dormouse_runtime::admin::{AdminError, StreamsWanted};

use super::{deposit, partly_indexed, places};
use crate::bank::bank;

const ACCOUNT: AggregateType = AggregateType::from_static("account");

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_are_listed_page_by_page_whether_they_are_awake_or_not() {
    for place in places(|builder| builder).await {
        let bank = &place.bank;
        for n in [3, 1, 2, 5, 4] {
            deposit(bank, &format!("acc-{n}"), n).await;
        }
        deposit(bank, "other", 1).await;
        partly_indexed(bank).await;
        let admin = bank.admin();
        admin.passivate(&crate::basics::stream("acc-3")).await.unwrap();
        let mut wanted = StreamsWanted::of(ACCOUNT);
        (wanted.id_prefix, wanted.limit) = ("acc-".into(), 2);
        let mut seen = Vec::new();
        loop {
            let page = admin.streams(&wanted).await.unwrap();
            seen.extend(page.streams);
            wanted.after = seen.last().map(|last| last.stream.id.clone());
            if !page.more {
                break;
            }
        }
        let told: Vec<_> = seen.iter().map(|s| (s.stream.to_string(), s.head)).collect();
        let expected: Vec<_> = (1..=5)
            .map(|n| (format!("account/acc-{n}"), Version::new(n)))
            .collect();
        assert_eq!(told, expected);
        let all = admin.streams(&StreamsWanted::of(ACCOUNT)).await.unwrap();
        assert_eq!((all.streams.len(), all.more), (6, false));
        let unknown = StreamsWanted::of(AggregateType::from_static("accoun"));
        assert_eq!(admin.streams(&unknown).await.unwrap().streams, []);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listing_beyond_its_bounds_is_refused() {
    let admin = bank().await.admin();
    let mut wanted = StreamsWanted::of(ACCOUNT);
    wanted.limit = Store::STREAMS_PAGE_MAX + 1;
    let says = admin.streams(&wanted).await.unwrap_err().to_string();
    assert_eq!(says, "limit is 1001; it takes 1 to 1000");
    (wanted.limit, wanted.id_prefix) = (1, "x".repeat(513));
    let refused = admin.streams(&wanted).await;
    assert!(
        matches!(
            refused,
            Err(AdminError::Invalid {
                value_size: 513,
                limit: 512,
                ..
            })
        ),
        "{refused:?}"
    );
}
