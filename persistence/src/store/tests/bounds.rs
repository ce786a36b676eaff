//! The bounds of tail and batch.

use std::thread;
use std::time::Duration;

use dormouse_domain::Version;

use super::{Fixture, is_durable, is_stopped};
use crate::admission::Admission;
use crate::commit::CommitBuilder;
use crate::options::StoreOptions;

/// The journal waits for the indexer at the tail's bound; nothing is lost, and callers can see it.
#[test]
fn at_the_tails_bound_the_journal_waits() {
    let options = StoreOptions::default()
        .generation_bytes(1_000)
        .tail_bytes_max(4_000)
        .batch_commits_max(2);
    let fixture = Fixture::new(options);
    fixture.disk.switches.hold_runs(true);
    let writer = fixture.open();
    let mut durable = 0;
    while fixture.store.has_space() {
        assert!(is_durable(&fixture.append(&writer)));
        durable += 1;
    }
    let bound = fixture.store.statistics().tail_bytes;
    assert!((4_000..5_000).contains(&bound), "{bound}");
    assert!(fixture.store.statistics().room_wait.is_zero());
    let held = std::time::Instant::now();
    for key in 0..50 {
        fixture.submit(&writer, key);
    }
    // Long enough for a journal that does not wait to write them all.
    assert!(fixture.settled.recv_timeout(Duration::from_millis(50)).is_err());
    assert_eq!(fixture.store.statistics().tail_bytes, bound);
    assert_eq!(fixture.store.head(&fixture.stream).unwrap().get(), durable);
    fixture.disk.switches.hold_runs(false);
    for key in 0..50 {
        let settled = fixture.settled.recv().unwrap();
        assert!(settled.key == key && is_durable(&settled.settlement));
    }
    // Well below the 50 ms above: the journal's thread may begin late.
    let (least, most) = (Duration::from_millis(10), held.elapsed());
    let counted = fixture.store.statistics().room_wait;
    assert!((least..=most).contains(&counted), "{counted:?} of {most:?}");
}

/// A store that is dropped while its journal waits at the bound does not wait for ever.
#[test]
fn a_journal_that_waits_at_the_bound_can_be_ended() {
    let options = StoreOptions::default()
        .generation_bytes(1_000)
        .tail_bytes_max(4_000);
    let fixture = Fixture::new(options);
    fixture.disk.switches.hold_runs(true);
    let writer = fixture.open();
    while fixture.store.has_space() {
        assert!(is_durable(&fixture.append(&writer)));
    }
    fixture.submit(&writer, 1);
    let Fixture {
        store, settled, disk, ..
    } = fixture;
    let dropping = thread::spawn(move || drop(store));
    assert!(is_stopped(&settled.recv().unwrap().settlement));
    disk.switches.hold_runs(false);
    dropping.join().unwrap();
}

/// The queue is full at its bound, in commits or in bytes, and not one commit before.
#[test]
fn at_the_queues_bounds_there_is_no_space() {
    const COMMITS: u64 = 3;
    let bytes = {
        let fixture = Fixture::new(StoreOptions::default());
        let mut commit = CommitBuilder::new(&fixture.stream, Version::new(1));
        commit.system_event("event", &[7; 100]).unwrap();
        commit.finish().unwrap().bytes()
    };
    for options in [
        StoreOptions::default().queue_commits_max(COMMITS as usize),
        StoreOptions::default().queue_bytes_max(COMMITS as usize * bytes),
    ] {
        let fixture = Fixture::new(options);
        let writer = fixture.open();
        let held = fixture.disk.memory.hold_appends();
        for key in 0..COMMITS {
            assert!(fixture.store.has_space(), "{key} commits wait");
            fixture.submit_of(&writer, key, 100);
        }
        assert!(!fixture.store.has_space());
        drop(held);
        for key in 0..COMMITS {
            assert!(is_durable(&fixture.fate(key)));
        }
        assert!(fixture.store.has_space());
    }
}

#[test]
fn admission_tells_of_generation_space_and_health() {
    let fixture = Fixture::new(StoreOptions::default().queue_commits_max(1));
    let writer = fixture.open();
    let admission = || fixture.store.admission(1);
    assert_eq!(admission(), Admission::Open);
    assert_eq!(fixture.store.admission(2), Admission::Outdated);
    let held = fixture.disk.memory.hold_appends();
    fixture.submit(&writer, 0);
    assert_eq!(admission(), Admission::Full);
    drop(held);
    assert!(is_durable(&fixture.fate(0)));
    assert_eq!(admission(), Admission::Open);
    fixture.store.close().unwrap();
    assert!(matches!(admission(), Admission::Stopped { .. }));
}

#[test]
fn the_index_lags_by_what_is_durable_and_not_indexed() {
    let fixture = Fixture::new(StoreOptions::default().generation_bytes(1_000));
    let writer = fixture.open();
    let head = fixture.append_until_indexed(&writer).get();
    let session = fixture.store.inner.session.load_full();
    assert_eq!(session.index_lag(), 0);
    fixture.disk.switches.hold_runs(true);
    for events in 1..=3 {
        assert!(is_durable(&fixture.append(&writer)));
        assert_eq!(session.index_lag(), events);
    }
    assert_eq!(fixture.store.durable().get(), head + 3);
    fixture.disk.switches.hold_runs(false);
}

/// What gathers while a batch is written, large commits and then a small one, is one batch up to the bound; a commit
/// above the bound is one by itself.
#[test]
fn a_batch_takes_large_commits_up_to_its_bound() {
    const BYTES: usize = 100_000;
    for (commits, batch_bytes_max, batches) in [
        (9, 10 * BYTES, 1),
        (10, 10 * BYTES, 2),
        (27, 10 * BYTES, 3),
        (4, BYTES / 2, 5),
    ] {
        let fixture = Fixture::new(StoreOptions::default().batch_bytes_max(batch_bytes_max));
        let writer = fixture.open();
        let held = fixture.disk.memory.hold_appends();
        fixture.submit(&writer, 0);
        held.wait_for_append();
        for key in 1..=commits {
            fixture.submit_of(&writer, key, BYTES);
        }
        fixture.submit(&writer, commits + 1);
        drop(held);
        for key in 0..=commits + 1 {
            let settled = fixture.settled.recv().unwrap();
            assert!(
                settled.key == key && is_durable(&settled.settlement),
                "{settled:?}"
            );
        }
        let statistics = fixture.store.statistics();
        assert_eq!(
            statistics.batches,
            1 + batches,
            "{commits} commits: {statistics:?}"
        );
        assert_eq!(fixture.store.head(&fixture.stream).unwrap().get(), 2 + commits);
    }
}
