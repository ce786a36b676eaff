//! Who may write to a stream, and what becomes of what is written, small, large or all at once.

use std::ops::ControlFlow;

use dormouse_domain::{Offset, Version};
use dormouse_persistence::{NotCommitted, Settlement, StoreError, StoreOptions};

use super::{Place, indexes_never, indexes_soon};
use crate::client::{Client, check_gapless, commit, stream, texts};

pub fn a_commit_that_does_not_follow_the_head_is_stale(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    // In one batch with good ones, before and behind.
    client.submit(&writer, &["one"], None, 1);
    for (key, version) in [(2, 1), (3, 3), (4, 0), (5, u64::MAX / 2)] {
        let commit = commit(&stream, Version::new(version), &["stale"], None);
        store.submit(&writer, commit, client.ticket(key));
    }
    client.submit(&writer, &["two"], None, 6);
    for key in 1..=6 {
        let settled = client.settled();
        assert_eq!(settled.key, key, "settled in the order of submission");
        let stale = Settlement::NotDone(NotCommitted::Stale {
            head: Version::new(1),
        });
        match key {
            1 | 6 => assert!(
                matches!(settled.settlement, Settlement::Durable { .. }),
                "{settled:?}"
            ),
            _ => assert_eq!(settled.settlement, stale),
        }
    }
    // A commit of another stream never goes in under this one's head.
    let other = commit(&crate::client::stream("b"), Version::new(3), &["other"], None);
    store.submit(&writer, other, client.ticket(7));
    assert!(matches!(
        client.settled().settlement,
        Settlement::NotDone(NotCommitted::Stale { .. })
    ));
    assert_eq!(texts(&store, &stream), ["one", "two"]);
    assert_eq!(store.statistics().stale_commits, 5);
    check_gapless(&store);
}

pub fn a_stream_has_one_writer(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let before = store
        .read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let writer = store.open_stream(&stream, before).unwrap();
    assert!(matches!(
        store.open_stream(&stream, before),
        Err(StoreError::StreamHeld { .. })
    ));
    client.durable(&writer, &["one"]);
    drop(writer);
    // In the tail, the head is known exactly.
    let error = store.open_stream(&stream, before).unwrap_err();
    assert!(
        matches!(error, StoreError::StaleVersion { head, .. } if head == Version::new(1)),
        "{error}"
    );
    // What has left the tail may have been anything.
    let filler = client.open(&crate::client::stream("filler"));
    while store.statistics().indexed == Offset::NONE {
        client.durable(&filler, &["filler"]);
    }
    assert!(store.open_stream(&stream, before).is_err());
    // Who stopped reading early does not know the head.
    let partial = store
        .read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Break(()))
        .unwrap();
    assert!(store.open_stream(&stream, partial).is_err());
    let writer = client.open(&stream);
    client.durable(&writer, &["two"]);
    assert_eq!(texts(&store, &stream), ["one", "two"]);
}

pub fn a_read_that_is_too_old_opens_nothing(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let old = store
        .read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    client.durable(&client.open(&stream), &["one"]);
    let filler = client.open(&crate::client::stream("filler"));
    while store.statistics().indexed == Offset::NONE {
        client.durable(&filler, &["filler"]);
    }
    let error = store.open_stream(&stream, old).unwrap_err();
    assert!(matches!(error, StoreError::ReadOutdated { .. }), "{error}");
    assert_eq!(client.open(&stream).head(), Version::new(1));
}

/// Many threads, each with streams of its own: every submission settles once, in order, where it was stored.
pub fn many_clients_settle_once_and_in_order(place: &dyn Place) {
    let store = place
        .open(indexes_soon().tail_bytes_max(100_000).batch_commits_max(7))
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let client = Client::new(store);
                let stream = stream(&format!("s{thread}"));
                let mut last = Version::NONE;
                for _ in 0..20 {
                    let writer = client.open(&stream);
                    let texts = |key: u64| &["x", "y", "z"][..=usize::try_from(key % 3).unwrap()];
                    for key in 0..25 {
                        client.submit(&writer, texts(key), None, key);
                    }
                    for key in 0..25 {
                        let settled = client.settled();
                        assert_eq!(settled.key, key);
                        let first = last.next();
                        last = last.plus(texts(key).len() as u64);
                        assert_eq!(settled.last_version, last);
                        let Settlement::Durable {
                            first: position,
                            time,
                        } = settled.settlement
                        else {
                            panic!("{settled:?}")
                        };
                        // Its place is the one it was told, at once.
                        let found = store.read_commit(&stream, first, &mut |commit| {
                            assert_eq!((commit.position(), commit.time()), (position, time));
                            assert_eq!(commit.last_version(), last);
                        });
                        assert!(found.unwrap());
                    }
                }
                client.no_more_settlements();
            });
        }
    });
    let statistics = store.statistics();
    assert_eq!(
        (
            statistics.commits,
            statistics.queue_commits,
            statistics.queue_bytes
        ),
        (2_000, 0, 0)
    );
    assert!(statistics.batch_commits.max() <= 7);
    assert_eq!(statistics.open_streams, 0, "closed streams are forgotten");
    assert_eq!(check_gapless(&store).len(), 4 * 20 * (9 + 2 * 8 + 3 * 8));
}

pub fn large_commits_get_through(place: &dyn Place) {
    let store = place
        .open(
            StoreOptions::default()
                .generation_bytes(1_000_000)
                .tail_bytes_max(3_000_000),
        )
        .unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    let large = "x".repeat(900_000);
    for key in 0..6 {
        client.submit(&writer, &["small"], None, 3 * key);
        client.submit(&writer, &[&large, &large, &large, &large], None, 3 * key + 1);
        client.submit(&writer, &["small"], None, 3 * key + 2);
    }
    for key in 0..18 {
        let settled = client.settled();
        assert_eq!(settled.key, key);
        assert!(
            matches!(settled.settlement, Settlement::Durable { .. }),
            "{settled:?}"
        );
    }
    assert_eq!(check_gapless(&store).len(), 36);
}

/// Small and large ones in one batch, in whatever order: each is where it was told to be, and as it was written.
pub fn large_commits_share_batches_with_small_ones(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let ids = ["a", "b", "c"];
    let writers = ids.map(|id| client.open(&stream(id)));
    let lengths = [5, 20_000, 40_000, 3, 16_384, 1, 300_000, 7, 16_000, 20_000];
    let text = |key: usize| format!("{key} ") + &"x".repeat(lengths[key % lengths.len()]);
    let commits = 90_usize;
    for key in 0..commits {
        client.submit(&writers[key % 3], &[&text(key)], None, key as u64);
    }
    for key in 0..commits {
        let settled = client.settled();
        assert_eq!(settled.key, key as u64);
        let Settlement::Durable { first, .. } = settled.settlement else {
            panic!("{settled:?}")
        };
        assert_eq!(first.offset.get(), key as u64 + 1);
    }
    let events = check_gapless(&store);
    for (key, event) in events.iter().enumerate() {
        assert!(
            event.stream == ids[key % 3] && event.text == text(key),
            "commit {key}"
        );
    }
    let statistics = store.statistics();
    assert!(statistics.batches < commits as u64 / 3, "{statistics:?}");
    store.close().unwrap();
    drop((store, client, writers));
    let store = place.open(indexes_never()).unwrap();
    assert_eq!(check_gapless(&store), events, "what was written is sound");
}
