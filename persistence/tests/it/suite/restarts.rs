//! Closing, crashing, opening again: in order, in the same process, and without what is derived.

use std::sync::Arc;

use dormouse_domain::{Clock, CommandId, Offset, Timestamp, Version};
use dormouse_persistence::{Health, NotCommitted, OpenProgress, Settlement, StoreError};

use super::{Place, crash, indexes_never, indexes_soon};
use crate::client::{Client, check_gapless, log, stream, texts};

pub fn versions_and_offsets_go_on_without_gaps_after_restarts_and_crashes(place: &dyn Place) {
    for round in 0..6 {
        let store = place.open(indexes_soon()).unwrap();
        let client = Client::new(&store);
        check_gapless(&store);
        for id in ["a", "b", "c"] {
            let writer = client.open(&stream(id));
            for _ in 0..5 {
                let expected = store.durable().next();
                assert_eq!(client.durable(&writer, &["one", "two"]), expected);
            }
        }
        let events = check_gapless(&store);
        assert_eq!(events.len(), (round + 1) * 30);
        if round % 2 == 0 {
            store.close().unwrap();
        }
        drop(store);
        crash(client);
    }
}

pub fn times_never_step_back(place: &dyn Place) {
    let clock = Clock::held(Timestamp::from_micros(1_000));
    for wall in [1_000, 3_000, 2_000, 500, 4_000] {
        clock.set_wall(Timestamp::from_micros(wall));
        let store = place.open(indexes_soon().clock(clock.clone())).unwrap();
        let client = Client::new(&store);
        let writer = client.open(&stream("a"));
        client.durable(&writer, &["x"]);
        clock.set_wall(Timestamp::from_micros(wall - 100));
        client.durable(&writer, &["y"]);
    }
    let store = place.open(indexes_soon()).unwrap();
    let times: Vec<u64> = log(&store, 1)
        .unwrap()
        .1
        .iter()
        .map(|time| time.as_micros())
        .collect();
    assert_eq!(
        times,
        [
            1_000, 1_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 4_000, 4_000
        ]
    );
}

pub fn deleting_what_is_derived_rebuilds_it(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let ids: Vec<_> = (0..50).map(|_| CommandId::now()).collect();
    for (n, id) in ids.iter().enumerate() {
        let writer = client.open(&stream(["a", "b", "c"][n % 3]));
        client.append(&writer, &["some", "text"], Some(*id));
    }
    let before = check_gapless(&store);
    store.close().unwrap();
    drop((client, store));

    place.delete_derived();
    let told = Arc::new(parking_lot::Mutex::new(Vec::<OpenProgress>::new()));
    let telling = Arc::clone(&told);
    let store = place
        .open(indexes_soon().progress(move |at| telling.lock().push(at)))
        .unwrap();
    let last = *told.lock().last().expect("progress is told");
    assert_eq!((last.at, last.end), (Offset::new(100), Offset::new(100)));
    assert_eq!(check_gapless(&store), before);
    for (n, id) in ids.iter().enumerate() {
        let found = store.find_command(&stream(["a", "b", "c"][n % 3]), *id).unwrap();
        assert_eq!(found, Some(Version::new(n as u64 / 3 * 2 + 1)));
    }
    let statistics = store.statistics();
    assert!(
        statistics.tail_bytes <= 8_000,
        "rebuilt in bounded memory: {}",
        statistics.tail_bytes
    );
    assert!(statistics.indexed > Offset::NONE);
    let client = Client::new(&store);
    client.durable(&client.open(&stream("a")), &["goes on"]);
    check_gapless(&store);
}

pub fn closing_writes_what_is_queued_and_ends_everything(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    for key in 0..100 {
        client.submit(&writer, &["x"], None, key);
    }
    store.close().unwrap();
    store.close().unwrap();
    for key in 0..100 {
        let settled = client.settled();
        assert_eq!(settled.key, key);
        assert!(matches!(settled.settlement, Settlement::Durable { .. }));
    }
    client.submit(&writer, &["late"], None, 100);
    assert!(matches!(
        client.settled().settlement,
        Settlement::NotDone(NotCommitted::Stopped { .. })
    ));
    client.no_more_settlements();
    assert!(matches!(store.health(), Health::Stopped { .. }));
    assert!(matches!(store.head(&stream), Err(StoreError::Closed)));
    assert!(matches!(store.snapshot(&stream), Err(StoreError::Closed)));
    assert!(matches!(store.reopen(), Err(StoreError::Closed)));
    assert!(store.has_space(), "nobody waits for a closed store");
    // Released although clones and a writer still live.
    let again = place.open(indexes_never()).unwrap();
    assert_eq!(again.head(&stream).unwrap(), Version::new(100));
}

pub fn a_place_is_open_once(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let error = place.open(indexes_never()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    store.close().unwrap();
    place.open(indexes_never()).unwrap();
}

pub fn reopening_in_process_makes_old_writers_stale(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    client.durable(&writer, &["one"]);
    assert_eq!(store.generation(), 1);
    store.reopen().unwrap();
    assert_eq!((store.generation(), store.health()), (2, Health::Healthy));
    let stale = Settlement::NotDone(NotCommitted::Stale {
        head: Version::new(1),
    });
    assert_eq!(client.append(&writer, &["late"], None), stale);
    assert_eq!(client.append(&writer, &["later"], None), stale, "for ever");
    // The old writer does not stand in the new one's way, nor does its end.
    let new = client.open(&stream);
    client.durable(&new, &["two"]);
    drop(writer);
    client.durable(&new, &["three"]);
    assert!(matches!(
        client.try_open(&stream),
        Err(StoreError::StreamHeld { .. })
    ));
    assert_eq!(texts(&store, &stream), ["one", "two", "three"]);
}
