//! Writes that fail, appends that hang, plugs that are pulled.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use dormouse_domain::{CommandId, Offset, Version};
use dormouse_persistence::{
    AppendFault, Health, MemoryDisk, NotCommitted, Settlement, Snapshot, Store, StoreError, StoreOptions,
};

use crate::client::{Client, check_gapless, eventually, stream, texts};
use crate::suite::{indexes_never, indexes_soon};

fn is_unknown(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Unknown { .. })
}

fn is_stopped(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::NotDone(NotCommitted::Stopped { .. }))
}

/// A failed append: its batch is unknown, what is behind it is not done, and nothing is written any more until
/// `reopen` has found out what is there.
fn check_failed_append(fault: AppendFault, after: &[&str]) {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default().batch_commits_max(3)).unwrap();
    let client = Client::new(&store);
    let (first, second) = (stream("a"), stream("b"));
    let (writer, other) = (client.open(&first), client.open(&second));
    client.durable(&writer, &["good"]);

    let held = disk.hold_appends();
    let id = CommandId::now();
    client.submit(&writer, &["one"], Some(id), 1);
    held.wait_for_append();
    // Queued behind it: whole batches and the beginning of one, of this stream and another.
    for key in 2..10 {
        client.submit(
            if key % 2 == 0 { &writer } else { &other },
            &["behind"],
            None,
            key,
        );
    }
    disk.fail_append(fault);
    drop(held);
    for key in 1..10 {
        let settled = client.settled();
        assert_eq!(settled.key, key);
        let right = if key == 1 {
            is_unknown(&settled.settlement)
        } else {
            is_stopped(&settled.settlement)
        };
        assert!(right, "{settled:?}");
    }
    assert!(matches!(store.health(), Health::Stopped { .. }));
    assert_eq!(
        store.durable(),
        Offset::new(1),
        "what is unknown is never announced"
    );
    assert_eq!(texts(&store, &first), ["good"], "nor read");
    assert_eq!(store.find_command(&first, id).unwrap(), None);
    assert_eq!(check_gapless(&store).len(), 1, "nor does the log show it");
    // It stays stopped, for old writers, new ones and snapshots.
    assert!(is_stopped(&client.append(&other, &["more"], None)));
    drop(writer);
    assert!(matches!(client.try_open(&first), Err(StoreError::Stopped { .. })));
    assert!(matches!(
        store.put_snapshot(&first, &snapshot()),
        Err(StoreError::Stopped { .. })
    ));
    assert_eq!(store.statistics().unknown_commits, 1);

    store.reopen().unwrap();
    assert_eq!(store.health(), Health::Healthy);
    assert_eq!(texts(&store, &first), after);
    assert_eq!(store.head(&second).unwrap(), Version::NONE);
    let found = (after.len() == 2).then_some(Version::new(2));
    assert_eq!(
        store.find_command(&first, id).unwrap(),
        found,
        "the retry finds out"
    );
    store.put_snapshot(&first, &snapshot()).unwrap();
    client.durable(&client.open(&first), &["on"]);
    check_gapless(&store);
    client.no_more_settlements();
    // And the same by a restart.
    store.close().unwrap();
    check_gapless(&Store::on_memory(&disk, indexes_never()).unwrap());
}

fn snapshot() -> Snapshot {
    Snapshot {
        version: Version::new(1),
        offset: Offset::new(1),
        fingerprint: 0,
        codec: Default::default(),
        newest_command: None,
        time: Default::default(),
        payload: vec![],
    }
}

#[test]
fn a_failed_append_that_wrote_nothing() {
    check_failed_append(AppendFault::NothingWritten, &["good"]);
}

#[test]
fn a_failed_append_that_wrote_all_the_same() {
    check_failed_append(AppendFault::Written, &["good", "one"]);
}

#[test]
fn after_a_failure_a_restart_finds_the_truth_too() {
    for (fault, after) in [(AppendFault::NothingWritten, 1), (AppendFault::Written, 2)] {
        let disk = MemoryDisk::new();
        let store = Store::on_memory(&disk, indexes_never()).unwrap();
        let client = Client::new(&store);
        let writer = client.open(&stream("a"));
        client.durable(&writer, &["good"]);
        disk.fail_append(fault);
        assert!(is_unknown(&client.append(&writer, &["bad"], None)));
        drop((client, store));
        let store = Store::on_memory(&disk, indexes_never()).unwrap();
        assert_eq!(check_gapless(&store).len(), after);
    }
}

#[test]
fn the_indexer_stops_with_the_store() {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, indexes_soon()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    while store.statistics().indexed == Offset::NONE {
        client.durable(&writer, &["text"]);
    }
    disk.fail_append(AppendFault::NothingWritten);
    assert!(is_unknown(&client.append(&writer, &["text"], None)));
    let Health::Stopped { reason } = store.health() else {
        panic!("it goes on")
    };
    assert!(reason.contains("appending to the log"), "{reason}");
    store.reopen().unwrap();
    assert_eq!(check_gapless(&store).len() as u64, store.durable().get());
}

#[test]
fn a_dropped_store_settles_what_is_queued() {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default().batch_commits_max(2)).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    let held = disk.hold_appends();
    client.submit(&writer, &["under way"], None, 0);
    held.wait_for_append();
    for key in 1..8 {
        client.submit(&writer, &["queued"], None, key);
    }
    // The plug is pulled: the append under way fails, so the drop has nothing to wait for.
    disk.crash();
    let Client { store: clone, .. } = &client;
    assert_eq!(clone.durable(), Offset::NONE);
    drop(store);
    let first = client.settled();
    assert!(first.key == 0 && is_unknown(&first.settlement), "{first:?}");
    for key in 1..8 {
        let settled = client.settled();
        assert!(
            settled.key == key && is_stopped(&settled.settlement),
            "{settled:?}"
        );
    }
    drop(held);
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    assert_eq!(check_gapless(&store), vec![]);
    // The old store still answers, and its drop does not disturb the new one.
    assert!(is_stopped(&client.append(&writer, &["late"], None)));
    drop(client);
    let client = Client::new(&store);
    client.durable(&client.open(&stream("a")), &["x"]);
}

#[test]
fn a_store_dropped_mid_queue_is_no_worse_than_a_crash() {
    for _ in 0..20 {
        let disk = MemoryDisk::new();
        let store = Store::on_memory(&disk, StoreOptions::default().batch_commits_max(5)).unwrap();
        let client = Client::new(&store);
        let (sink_client, writer) = (&client, client.open(&stream("a")));
        for key in 0..200 {
            sink_client.submit(&writer, &["x"], None, key);
        }
        drop(store);
        let durable = drop_and_count(client, 200);
        let store = Store::on_memory(&disk, indexes_never()).unwrap();
        assert_eq!(check_gapless(&store).len(), durable, "every answer was true");
    }
}

/// Drops the last clone of the store; how many of so many commits were answered as durable.
fn drop_and_count(client: Client, commits: u64) -> usize {
    let client = client.into_settlements();
    let mut durable = 0;
    for key in 0..commits {
        let settled = client.recv().expect("every submission settles");
        assert_eq!(settled.key, key);
        match settled.settlement {
            Settlement::Durable { .. } => {
                assert_eq!(durable, key, "what is not done has nothing durable behind it");
                durable += 1;
            }
            other => assert!(is_stopped(&other), "{other:?}"),
        }
    }
    assert!(client.recv().is_err(), "the sink went with the store");
    usize::try_from(durable).unwrap()
}

#[test]
fn a_stream_stays_held_until_its_last_commits_are_decided() {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    let held = disk.hold_appends();
    client.submit(&writer, &["on its way"], None, 1);
    held.wait_for_append();
    drop(writer);
    assert!(matches!(
        client.try_open(&stream),
        Err(StoreError::StreamHeld { .. })
    ));
    drop(held);
    assert!(matches!(client.settled().settlement, Settlement::Durable { .. }));
    assert_eq!(client.open(&stream).head(), Version::new(1));
}

#[test]
fn at_its_bounds_the_store_has_no_space_until_it_has() {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default().queue_commits_max(3)).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    let held = disk.hold_appends();
    for key in 0..3 {
        assert!(store.has_space());
        client.submit(&writer, &["x"], None, key);
    }
    assert!(!store.has_space());
    let mut space = pin!(store.space());
    let mut context = Context::from_waker(Waker::noop());
    assert_eq!(space.as_mut().poll(&mut context), Poll::Pending);
    drop(held);
    for _ in 0..3 {
        client.settled();
    }
    eventually("space is told", || space.as_mut().poll(&mut context).is_ready());
    // A stopped store answers at once, so nobody waits for its space.
    disk.fail_append(AppendFault::NothingWritten);
    client.append(&writer, &["x"], None);
    assert!(store.has_space());
}

/// The tail's bound holds although the journal is much faster than the indexer.
#[test]
fn the_journal_waits_for_the_indexer_at_the_tails_bound() {
    let disk = MemoryDisk::new();
    let options = StoreOptions::default()
        .generation_bytes(10_000)
        .tail_bytes_max(40_000)
        .batch_commits_max(10);
    let store = Store::on_memory(&disk, options).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    for key in 0..5_000 {
        client.submit(&writer, &["some text"], None, key);
    }
    for _ in 0..5_000 {
        assert!(matches!(client.settled().settlement, Settlement::Durable { .. }));
        assert!(store.statistics().tail_bytes < 45_000);
    }
    check_gapless(&store);
}

#[test]
fn a_sink_that_panics_harms_nobody_else() {
    struct Panics;
    impl dormouse_persistence::SettlementSink for Panics {
        fn settled(&self, _batch: Vec<dormouse_persistence::Settled>) {
            panic!("a test's sink panics");
        }
    }
    let store = Store::in_memory();
    let bad = store.register_sink(std::sync::Arc::new(Panics));
    let client = Client::new(&store);
    let (writer, other) = (client.open(&stream("a")), client.open(&stream("b")));
    let commit = crate::client::commit(writer.stream(), Version::new(1), &["x"], None);
    store.submit(
        &writer,
        commit,
        dormouse_persistence::Ticket { sink: bad, key: 0 },
    );
    client.durable(&other, &["y"]);
    assert_eq!(store.health(), Health::Healthy);
    assert_eq!(texts(&store, writer.stream()), ["x"]);
}

#[test]
fn a_crash_may_lose_derived_rows_but_never_leaves_a_hole() {
    for keep in [false, true] {
        let disk = MemoryDisk::new();
        disk.keep_unsynced(keep);
        for round in 1..=4 {
            let store = Store::on_memory(&disk, indexes_soon()).unwrap();
            let client = Client::new(&store);
            for id in ["a", "b", "c"] {
                let writer = client.open(&stream(id));
                for _ in 0..30 {
                    client.durable(&writer, &["text"]);
                }
            }
            assert_eq!(check_gapless(&store).len(), round * 90);
            disk.crash();
        }
    }
}
