//! Following the log: who is told what, and that nobody misses anything.

use std::ops::ControlFlow;

use dormouse_domain::Offset;
use dormouse_persistence::{StoreError, StoreOptions};

use super::{Place, indexes_never, indexes_soon};
use crate::client::{Client, follow, stream, wait, wait_during};

pub fn a_follower_is_told_of_what_is_durable_and_of_the_end(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    client.durable(&writer, &["one", "two"]);
    // What was there before anybody followed does not wait for the next commit.
    let mut follower = store.follow(Offset::NONE).unwrap();
    wait(&mut follower).unwrap();
    assert_eq!(follow(&mut follower), [1, 2]);
    assert_eq!(follower.next(), Offset::new(3));
    assert!(follow(&mut follower).is_empty());
    let told = wait_during(&mut follower, || {
        client.durable(&writer, &["three"]);
    });
    told.unwrap();
    assert_eq!(follow(&mut follower), [3]);

    let reopened = wait_during(&mut follower, || {
        store.reopen().unwrap();
        client.durable(&client.open(&stream("a")), &["four"]);
    });
    reopened.unwrap();
    assert_eq!(follow(&mut follower), [4], "it survives reopening");
    let mut late = store.follow(Offset::new(2)).unwrap();
    wait(&mut late).unwrap();
    assert_eq!(
        follow(&mut late),
        [1, 2, 3, 4],
        "from the commit that holds the offset on"
    );

    let closed = wait_during(&mut follower, || store.close().unwrap());
    assert!(matches!(closed, Err(StoreError::Closed)));
    assert!(matches!(wait(&mut follower), Err(StoreError::Closed)));
    assert!(matches!(store.follow(Offset::NONE), Err(StoreError::Closed)));
}

/// More is written while a follower reads than it reads, so that the tail leaves it behind again and again; then it
/// catches up, from the engine into the tail.
pub fn a_follower_that_falls_behind_skips_and_repeats_nothing(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    client.durable(&writer, &["one", "two"]);
    let mut follower = store.follow(Offset::new(1)).unwrap();
    let (mut offsets, mut visits, mut behind) = (Vec::new(), 0, 0);
    while follower.next() <= store.durable() {
        follower
            .read(&mut |commit| {
                visits += 1;
                behind += u32::from(commit.last_offset() <= store.statistics().indexed);
                offsets.extend(commit.events().map(|event| event.offset.get()));
                for _ in 0..if visits <= 100 { 3 } else { 0 } {
                    client.durable(&writer, &["one", "two"]);
                }
                // It also stops now and then, and goes on from there.
                if visits % 7 == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
    }
    assert_eq!(offsets, (1..=602).collect::<Vec<_>>());
    assert!(
        behind > 100,
        "it was behind the tail in {behind} of {visits} commits"
    );
}

/// Followers, quick and slow, while the journal writes and the indexer takes generation after generation off the tail.
pub fn followers_see_each_commit_once_and_in_order(place: &dyn Place) {
    const COMMITS: u64 = 1_500;
    let store = place
        .open(
            StoreOptions::default()
                .generation_bytes(2_000)
                .tail_bytes_max(8_000)
                .batch_commits_max(5),
        )
        .unwrap();
    std::thread::scope(|scope| {
        for slowness in [0, 1, 20] {
            let store = &store;
            scope.spawn(move || {
                let mut follower = store.follow(Offset::new(1)).unwrap();
                let mut expected = 1;
                while expected <= 3 * COMMITS {
                    wait(&mut follower).unwrap();
                    follower
                        .read(&mut |commit| {
                            assert_eq!(commit.first_offset().get(), expected);
                            assert_eq!(commit.first_version().get(), expected, "{:?}", commit.stream());
                            assert!(commit.last_offset() <= store.durable(), "it is durable");
                            expected += commit.event_count() as u64;
                            (0..slowness).for_each(|_| std::thread::yield_now());
                            ControlFlow::Continue(())
                        })
                        .unwrap();
                }
                assert_eq!(follower.next().get(), 3 * COMMITS + 1);
            });
        }
        let client = Client::new(&store);
        let writer = client.open(&stream("a"));
        for key in 0..COMMITS {
            client.submit(&writer, &["a", "b", "c"], None, key);
            if key % 50 == 49 {
                (0..50).for_each(|_| drop(client.settled()));
            }
        }
    });
    assert!(store.statistics().runs_indexed > 20, "{:?}", store.statistics());
}
