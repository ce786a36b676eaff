//! What panics or fails stops the store, and leaves nobody waiting.

use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Duration;

use super::{Fixture, is_durable, is_stopped};
use crate::options::StoreOptions;
use crate::settlement::Settlement;

/// Whether the panic comes before or after the segment is stored, nothing hangs and nothing is answered wrongly.
#[test]
fn a_panic_of_the_journal_stops_the_store_and_settles_everything() {
    for after in [false, true] {
        let fixture = Fixture::new(StoreOptions::default().batch_commits_max(2));
        let writer = fixture.open();
        assert!(is_durable(&fixture.append(&writer)));
        let held = fixture.disk.memory.hold_appends();
        fixture.submit(&writer, 0);
        held.wait_for_append();
        // The first append is under way; the next one panics.
        let switches = &fixture.disk.switches;
        let switch = if after {
            &switches.mark_panics
        } else {
            &switches.append_panics
        };
        switch.store(true, Ordering::SeqCst);
        for key in 1..9 {
            fixture.submit(&writer, key);
        }
        drop(held);
        let fates: Vec<_> = (0..9)
            .map(|key| {
                let settled = fixture.settled.recv().unwrap();
                assert_eq!(settled.key, key);
                settled.settlement
            })
            .collect();
        let unknown = fates
            .iter()
            .position(|fate| matches!(fate, Settlement::Unknown { .. }))
            .unwrap();
        assert!(fates[..unknown].iter().all(is_durable), "{fates:?}");
        let behind = fates[unknown..].iter().position(is_stopped).unwrap() + unknown;
        assert!(
            fates[unknown..behind]
                .iter()
                .all(|fate| matches!(fate, Settlement::Unknown { .. }))
        );
        assert!(fates[behind..].iter().all(is_stopped), "{fates:?}");
        assert_eq!(fixture.reason(), "the journal panicked");
        assert!(
            is_stopped(&fixture.append(&writer)),
            "and it fails fast from then on"
        );

        fixture.store.reopen().unwrap();
        let head = fixture.store.head(&fixture.stream).unwrap().get();
        let durable = 1 + unknown as u64;
        let found = if after { head > 1 } else { head == durable };
        assert!(found, "{head} stored, {fates:?}");
        assert!(is_durable(&fixture.append(&fixture.open())));
    }
}

/// A batch that can't even be put together is in the journal's hand by then: its commits are answered, too.
#[test]
fn a_panic_while_a_batch_is_assembled_settles_it() {
    const LARGE: usize = 100_000;
    let fixture = Fixture::new(StoreOptions::default());
    let writer = fixture.open();
    let held = fixture.disk.memory.hold_appends();
    fixture.submit(&writer, 0);
    held.wait_for_append();
    fixture.submit(&writer, 1);
    fixture.submit_of(&writer, 2, LARGE);
    fixture.submit(&writer, 3);
    fixture.store.inner.session.load().queue.misplace_large_records();
    drop(held);
    let fates: Vec<_> = (0..4).map(|key| fixture.fate(key)).collect();
    assert!(is_durable(&fates[0]), "{fates:?}");
    for fate in &fates[1..] {
        assert!(
            matches!(fate, Settlement::Unknown { reason } if **reason == *"the journal panicked"),
            "{fates:?}"
        );
    }
    assert_eq!(fixture.reason(), "the journal panicked");
    fixture.submit(&writer, 4);
    assert!(is_stopped(&fixture.fate(4)), "and it fails fast from then on");
    let statistics = fixture.store.statistics();
    assert_eq!(
        (statistics.unknown_commits, statistics.queue_bytes),
        (3, 0),
        "{statistics:?}"
    );

    fixture.store.reopen().unwrap();
    assert_eq!(fixture.store.head(&fixture.stream).unwrap().get(), 1);
    let writer = fixture.open();
    fixture.submit_of(&writer, 5, LARGE);
    assert!(is_durable(&fixture.fate(5)));
}

#[test]
fn a_run_that_fails_stops_the_store() {
    let fixture = Fixture::new(
        StoreOptions::default()
            .generation_bytes(300)
            .tail_bytes_max(2_000),
    );
    fixture.disk.switches.index_fails.store(true, Ordering::SeqCst);
    let writer = fixture.open();
    let mut durable = 0;
    loop {
        match fixture.append(&writer) {
            Settlement::Durable { .. } => durable += 1,
            other => break assert!(is_stopped(&other), "{other:?}"),
        }
    }
    assert_eq!(
        fixture.reason(),
        "indexing failed: indexing a run: a test asked for it"
    );
    assert_eq!(
        fixture.store.head(&fixture.stream).unwrap().get(),
        durable,
        "reading goes on"
    );
    fixture.store.reopen().unwrap();
    assert_eq!(fixture.store.head(&fixture.stream).unwrap().get(), durable);
    assert!(is_durable(&fixture.append(&fixture.open())));
}

/// Nobody would shorten the tail any more.
#[test]
fn a_panic_of_the_indexer_stops_the_store() {
    let fixture = Fixture::new(
        StoreOptions::default()
            .generation_bytes(500)
            .tail_bytes_max(1_000),
    );
    fixture.disk.switches.index_panics.store(true, Ordering::SeqCst);
    let writer = fixture.open();
    let mut hung = None;
    for key in 0..50 {
        fixture.submit(&writer, key);
        match fixture.settled.recv_timeout(Duration::from_secs(3)) {
            Ok(_) => {}
            Err(_) => {
                hung = Some(key);
                break;
            }
        }
    }
    let health = fixture.store.health();
    let (tx, rx) = mpsc::channel();
    let store = fixture.store.clone();
    std::thread::spawn(move || {
        let _ = store.close();
        let _ = tx.send(());
    });
    let closed = rx.recv_timeout(Duration::from_secs(3)).is_ok();
    assert!(
        hung.is_none() && closed,
        "commit {hung:?} hangs, health {health:?}, close() ended: {closed}"
    );
}
