//! Who waits for a mark, and when it is written for them.

use std::ops::ControlFlow;

use dormouse_domain::{AggregateType, StreamId, Version};

use super::*;
use crate::commit::CommitBuilder;
use crate::options::StoreOptions;
use crate::settlement::{Settled, SettlementSink, Ticket};
use crate::store::Store;

/// Longer than any test: what is written before was awaited.
const NEVER: Duration = Duration::from_secs(3_600);
const SOON: Duration = Duration::from_millis(5);

/// Without a thread, which would write.
fn without_thread(durable: Watermark) -> WatermarkKeeper {
    WatermarkKeeper {
        shared: Arc::new(moved_to(durable)),
        thread: Mutex::new(None),
    }
}

#[test]
fn a_mark_that_moved_waits_for_the_interval() {
    let (interval, begun) = (Duration::from_millis(20), Instant::now());
    let shared = moved_to(mark(1));
    let (durable, ending) = shared.wait_for_change(mark(0), interval);
    assert_eq!((durable, ending), (mark(1), None));
    assert!(begun.elapsed() >= interval);
}

#[test]
fn a_mark_that_somebody_waits_for_waits_until_it_is_due() {
    let due = Instant::now() + Duration::from_millis(20);
    let shared = moved_to(mark(1));
    shared.state.lock().due = Some(due);
    let (durable, ending) = shared.wait_for_change(mark(0), NEVER);
    assert_eq!((durable, ending), (mark(1), None));
    assert!(Instant::now() >= due);
    assert_eq!(shared.state.lock().due, None);
}

#[test]
fn a_write_is_due_as_soon_as_one_patience_ends() {
    let keeper = without_thread(mark(3));
    let begun = Instant::now();
    let mut waiting = 0;
    let dues = std::thread::scope(|scope| {
        let dues = [NEVER, NEVER / 2, NEVER].map(|patience| {
            let keeper = &keeper;
            scope.spawn(move || keeper.wait_for(Offset::new(3), patience));
            waiting += 1;
            while keeper.shared.written.notify_all() < waiting {
                std::thread::yield_now();
            }
            keeper.shared.state.lock().due.expect("they wait")
        });
        keeper.stop();
        dues
    });
    assert!(dues[0] >= begun + NEVER);
    assert!(dues[1] >= begun + NEVER / 2 && dues[1] < dues[0]);
    assert_eq!(dues[2], dues[1], "more patience changes nothing");
}

#[test]
fn who_waits_for_a_mark_finds_it_written_however_long_the_interval() {
    let (directory, file) = created();
    let keeper = start(&directory, file, NEVER);
    for offset in 1..=20 {
        keeper.moved(mark(offset));
        keeper.wait_for(Offset::new(offset), SOON).unwrap();
        assert_eq!(promised(directory.path()), offset);
    }
    keeper.moved(mark(21));
    keeper.wait_for(Offset::new(7), SOON).unwrap();
    assert_eq!(promised(directory.path()), 20, "nobody waits for more");
    assert!(
        keeper.wait_for(Offset::new(22), SOON).is_err(),
        "nothing is durable so far"
    );
}

#[test]
fn who_waits_is_told_that_the_mark_can_not_be_written() {
    let (directory, file) = created();
    let keeper = start(&directory, file, NEVER);
    std::fs::remove_file(directory.path().join("CURRENT")).unwrap();
    keeper.moved(mark(3));
    let error = keeper.wait_for(Offset::new(3), SOON).unwrap_err();
    assert!(error.to_string().contains("CURRENT"), "{error}");
}

#[test]
fn nobody_waits_longer_than_the_thread_lasts() {
    type End = fn(&WatermarkKeeper);
    let ends: [End; 3] = [
        WatermarkKeeper::stop,
        |keeper| drop(keeper.close()),
        |keeper| keeper.shared.fail("a test asked for it"),
    ];
    for end in ends {
        let keeper = without_thread(mark(3));
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| keeper.wait_for(Offset::new(3), SOON));
            while keeper.shared.state.lock().due.is_none() {
                std::thread::yield_now();
            }
            end(&keeper);
            waiting.join().unwrap().unwrap_err();
        });
    }
}

#[test]
fn nothing_is_indexed_beyond_it() {
    let directory = tempfile::tempdir().unwrap();
    let options = StoreOptions::default()
        .generation_bytes(1)
        .watermark_every_ms(3_600_000);
    let store = Store::open_with(directory.path(), options).unwrap();
    let stream = StreamId::new(AggregateType::from_static("t"), "a".try_into().unwrap());
    let reached = store.read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()));
    let writer = store.open_stream(&stream, reached.unwrap()).unwrap();
    let sink = store.register_sink(Arc::new(Deaf));
    for version in 1..=10 {
        let mut commit = CommitBuilder::new(&stream, Version::new(version));
        commit.system_event("e", b"").unwrap();
        let ticket = Ticket { sink, key: version };
        store.submit(&writer, commit.finish().unwrap(), ticket);
        while store.statistics().indexed.get() < version {
            std::thread::yield_now();
        }
        let (_, mark) = peek(directory.path()).unwrap().unwrap();
        assert!(mark.offset.get() >= version, "{version}: {mark:?}");
    }
}

struct Deaf;

impl SettlementSink for Deaf {
    fn settled(&self, _: Vec<Settled>) {}
}
