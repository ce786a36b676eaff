//! Reading the log: from the tail and the engine, what is not there, and over a reopening.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::thread;

use dormouse_domain::Offset;

use super::{Fixture, is_durable};
use crate::error::StoreError;
use crate::format::segment;
use crate::log_reader;
use crate::options::StoreOptions;
use crate::stored::StoredCommit;

/// What the tail holds is read from it, slice by slice; the engine is asked for nothing but what lies further back.
#[test]
fn the_log_is_read_from_the_tail_where_it_reaches() {
    let fixture = Fixture::new(
        StoreOptions::default()
            .generation_bytes(200_000)
            .tail_bytes_max(800_000),
    );
    let writer = fixture.open();
    let scans = || fixture.disk.switches.log_scans.load(Ordering::SeqCst);
    let opening = scans();
    let read = |from| {
        let mut next = from;
        let last = fixture.store.read_log(Offset::new(from), &mut |commit| {
            assert_eq!(commit.first_offset().get(), next);
            next += 1;
            ControlFlow::Continue(())
        });
        assert_eq!(
            (last.unwrap(), next),
            (fixture.store.durable(), fixture.store.durable().get() + 1)
        );
    };
    // A segment each, two and a half slices.
    for _ in 0..640 {
        assert!(is_durable(&fixture.append(&writer)));
    }
    assert_eq!(fixture.store.statistics().indexed, Offset::NONE);
    for from in [1, 2, 255, 256, 257, 512, 513, 640] {
        read(from);
    }
    assert_eq!(scans(), opening);

    while fixture.store.statistics().indexed == Offset::NONE {
        assert!(is_durable(&fixture.append(&writer)));
    }
    let indexed = fixture.store.statistics().indexed.get();
    read(indexed + 1);
    assert_eq!(scans(), opening);
    read(indexed);
    assert_eq!(scans(), opening + 1);
    read(1);
    assert_eq!(scans(), opening + 2);
}

/// What the engine has lost is an error, not the log's end.
#[test]
fn a_log_that_is_not_there_is_told() {
    let fixture = Fixture::new(
        StoreOptions::default()
            .generation_bytes(500)
            .tail_bytes_max(2_000),
    );
    let writer = fixture.open();
    for _ in 0..40 {
        assert!(is_durable(&fixture.append(&writer)));
    }
    let read = || {
        fixture
            .store
            .read_log(Offset::new(1), &mut |_| ControlFlow::Continue(()))
    };
    read().unwrap();
    let edit = |lost: usize| {
        fixture.disk.memory.edit_log(|rows| {
            let keys: Vec<_> = rows.keys().skip(lost).cloned().collect();
            keys.iter().for_each(|key| drop(rows.remove(key)));
        });
    };
    edit(3);
    assert!(matches!(read(), Err(StoreError::Corrupt { .. })), "{:?}", read());
    edit(0);
    assert!(matches!(read(), Err(StoreError::Corrupt { .. })), "{:?}", read());
}

/// A segment of several commits is read from any of them on, and in pieces, from the tail and from the engine.
#[test]
fn a_segment_is_read_from_within_and_in_pieces() {
    for (generation_bytes, indexed) in [(1_000_000, 0), (1, 7)] {
        let fixture = Fixture::new(StoreOptions::default().generation_bytes(generation_bytes));
        let writer = fixture.open();
        let held = fixture.disk.memory.hold_appends();
        fixture.submit(&writer, 0);
        held.wait_for_append();
        (1..7).for_each(|key| fixture.submit(&writer, key));
        drop(held);
        (0..7).for_each(|_| assert!(is_durable(&fixture.settled.recv().unwrap().settlement)));
        assert_eq!(fixture.store.statistics().batches, 2);
        while fixture.store.statistics().indexed.get() < indexed {
            thread::yield_now();
        }
        for from in 1..=8 {
            let mut offsets = Vec::new();
            let last = fixture.store.read_log(Offset::new(from), &mut |commit| {
                offsets.push(commit.first_offset().get());
                ControlFlow::Continue(())
            });
            assert_eq!(
                (last.unwrap().get(), offsets),
                (7, (from..=7).collect::<Vec<_>>())
            );
        }
        let mut follower = fixture.store.follow(Offset::new(2)).unwrap();
        for expected in 2..=7 {
            let mut visited = Vec::new();
            let read = follower.read(&mut |commit| {
                visited.push(commit.first_offset().get());
                ControlFlow::Break(())
            });
            read.unwrap();
            assert_eq!((visited, follower.next().get()), (vec![expected], expected + 1));
        }
    }
}

/// The tail gets a segment a moment before the journal says that it is durable.
#[test]
fn what_is_not_announced_is_not_shown() {
    let fixture = Fixture::new(StoreOptions::default());
    let writer = fixture.open();
    assert!(is_durable(&fixture.append(&writer)));
    let session = fixture.store.inner.session.load_full();
    let mut segments = session.tail.list().segments(Offset::new(1)).unwrap();
    let bytes = segments.pop().unwrap().bytes;
    let (mut header, _) = segment::decode(&bytes).unwrap();
    header.first = Offset::new(2);
    session.tail.add(bytes, &header, 0, std::iter::empty());
    let mut visited = 0;
    let last = fixture.store.read_log(Offset::new(1), &mut |_| {
        visited += 1;
        ControlFlow::Continue(())
    });
    assert_eq!((visited, last.unwrap()), (1, Offset::new(1)));
}

/// The store is reopened, and goes on, just when a reading has looked up the session: it ends where the log ended when
/// it began. Had it asked after that what is durable, the old session would miss it.
#[test]
fn a_reading_over_a_reopening_ends_where_the_log_ended() {
    for from in 1..=4 {
        let fixture = Fixture::new(StoreOptions::default());
        let writer = fixture.open();
        (0..3).for_each(|_| assert!(is_durable(&fixture.append(&writer))));
        let reopened_meanwhile = || {
            let session = fixture.store.reading()?;
            fixture.store.reopen()?;
            assert!(is_durable(&fixture.append(&fixture.open())));
            Ok(session)
        };
        let mut offsets = Vec::new();
        let visit = &mut |commit: &StoredCommit<'_>| {
            offsets.push(commit.first_offset().get());
            ControlFlow::Continue(())
        };
        let core = &fixture.store.inner.core;
        let last = log_reader::read_log(core, reopened_meanwhile, Offset::new(from), visit);
        assert_eq!(
            (last.unwrap().get(), offsets),
            (3, (from..=3).collect::<Vec<_>>())
        );
        assert_eq!(fixture.store.durable().get(), 4);
    }
}

/// What an ended session does not have was written after it: that is no damage.
#[test]
fn an_ended_session_does_not_miss_what_came_after_it() {
    let fixture = Fixture::new(StoreOptions::default());
    assert!(is_durable(&fixture.append(&fixture.open())));
    let ended = fixture.store.reading().unwrap();
    fixture.store.reopen().unwrap();
    assert!(is_durable(&fixture.append(&fixture.open())));
    let mut visited = 0;
    let visit = &mut |_: &StoredCommit<'_>| {
        visited += 1;
        ControlFlow::Continue(())
    };
    let core = &fixture.store.inner.core;
    let last = log_reader::read_log(core, || Ok(ended), Offset::new(1), visit);
    assert!(matches!(last, Err(StoreError::Closed)), "{last:?}");
    assert_eq!(visited, 1);
}
