//! What panics or fails stops the store, and leaves nobody waiting.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use dormouse_domain::Version;
use metrics::{Counter, Gauge, Histogram, Key, KeyName, Metadata, Recorder, SharedString, Unit};

use super::{Fixture, is_durable, is_stopped};
use crate::commit::CommitBuilder;
use crate::metric_names;
use crate::options::StoreOptions;
use crate::settlement::{NotCommitted, Settled, Settlement, SettlementSink, Ticket};
use crate::writer::StreamWriter;

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

/// An application's recorder of metrics that panics, whenever it is asked for one of these.
struct Panicking(&'static [&'static str]);

impl Panicking {
    fn look(&self, key: &Key) {
        assert!(!self.0.contains(&key.name()), "{} panics", key.name());
    }
}

impl Recorder for Panicking {
    fn describe_counter(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_gauge(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}
    fn describe_histogram(&self, _: KeyName, _: Option<Unit>, _: SharedString) {}

    fn register_counter(&self, key: &Key, _: &Metadata<'_>) -> Counter {
        self.look(key);
        Counter::noop()
    }

    fn register_gauge(&self, key: &Key, _: &Metadata<'_>) -> Gauge {
        self.look(key);
        Gauge::noop()
    }

    fn register_histogram(&self, key: &Key, _: &Metadata<'_>) -> Histogram {
        self.look(key);
        Histogram::noop()
    }
}

/// A sink runs on the journal's thread, and so gives that thread its recorder.
struct Installing(&'static Panicking, mpsc::Sender<()>);

impl SettlementSink for Installing {
    fn settled(&self, _: Vec<Settled>) {
        // for as long as the thread lives
        std::mem::forget(metrics::set_default_local_recorder(self.0));
        self.1.send(()).unwrap();
    }
}

fn install(fixture: &Fixture, writer: &StreamWriter, recorder: &'static Panicking) {
    let (sender, installed) = mpsc::channel();
    let sink = fixture
        .store
        .register_sink(Arc::new(Installing(recorder, sender)));
    let mut commit = CommitBuilder::new(&fixture.stream, writer.head().next());
    commit.system_event("event", b"the first").unwrap();
    fixture
        .store
        .submit(writer, commit.finish().unwrap(), Ticket { sink, key: 0 });
    installed.recv_timeout(Duration::from_secs(10)).unwrap();
}

#[test]
fn whatever_a_recorder_of_metrics_panics_at_each_commit_is_answered() {
    static EVERYTHING: Panicking = Panicking(&[
        metric_names::JOURNAL_SYNC_SECONDS,
        metric_names::STORE_STOPPED,
        metric_names::JOURNAL_UNKNOWN_COMMITS,
        metric_names::JOURNAL_STOPPED_COMMITS,
    ]);
    static BATCHES: Panicking = Panicking(&[metric_names::JOURNAL_BATCH_COMMITS]);
    static FATES: Panicking = Panicking(&[
        metric_names::STORE_STOPPED,
        metric_names::JOURNAL_UNKNOWN_COMMITS,
        metric_names::JOURNAL_STOPPED_COMMITS,
    ]);
    for recorder in [&EVERYTHING, &BATCHES, &FATES] {
        let fixture = Fixture::new(StoreOptions::default().batch_commits_max(2));
        let writer = fixture.open();
        install(&fixture, &writer, recorder);
        let appends_panic = std::ptr::eq(recorder, &raw const FATES);
        let switches = &fixture.disk.switches;
        switches.append_panics.store(appends_panic, Ordering::SeqCst);
        let fates: Vec<_> = (1..9)
            .map(|key| {
                fixture.submit(&writer, key);
                fixture.fate(key)
            })
            .collect();
        assert!(matches!(&fates[0], Settlement::Unknown { .. }), "{fates:?}");
        assert!(fates[1..].iter().all(is_stopped), "{fates:?}");
        assert_eq!(fixture.reason(), "the journal panicked");
        let statistics = fixture.store.statistics();
        assert_eq!((statistics.unknown_commits, statistics.queue_bytes), (1, 0));
    }
}

/// A commit that is stale has no segment, and is counted nevertheless. Where none is, nobody is told of any.
#[test]
fn a_recorder_that_panics_at_stale_commits_leaves_nobody_waiting() {
    static STALE: Panicking = Panicking(&[metric_names::JOURNAL_STALE_COMMITS]);
    let fixture = Fixture::new(StoreOptions::default());
    let writer = fixture.open();
    install(&fixture, &writer, &STALE);
    for key in 1..3 {
        fixture.submit(&writer, key);
        assert!(is_durable(&fixture.fate(key)), "{key}");
    }
    let mut stale = CommitBuilder::new(&fixture.stream, Version::new(1));
    stale.system_event("event", b"again").unwrap();
    let ticket = Ticket {
        sink: fixture.sink,
        key: 3,
    };
    fixture.store.submit(&writer, stale.finish().unwrap(), ticket);
    let fate = fixture.fate(3);
    assert!(
        matches!(fate, Settlement::NotDone(NotCommitted::Stale { .. })),
        "{fate:?}"
    );
    fixture.submit(&writer, 4);
    let fate = fixture.fate(4);
    assert!(is_stopped(&fate), "{fate:?}");
    assert_eq!(fixture.reason(), "the journal panicked");
}

/// A batch that waits for the index to make room is in the journal's hand, too, and surely not done.
#[test]
fn a_recorder_that_panics_at_a_wait_for_room_leaves_nobody_waiting() {
    static WAITS: Panicking = Panicking(&[metric_names::JOURNAL_ROOM_WAIT_SECONDS]);
    let options = StoreOptions::default()
        .generation_bytes(300)
        .tail_bytes_max(2_000);
    let fixture = Fixture::new(options);
    let writer = fixture.open();
    install(&fixture, &writer, &WAITS);
    let mut keys = 1..;
    // Until a commit comes that has to wait: the index may have made room just before.
    let fate = loop {
        fixture.disk.switches.hold_runs(true);
        while fixture.store.inner.session.load().tail.has_room() {
            let key = keys.next().unwrap();
            fixture.submit(&writer, key);
            assert!(is_durable(&fixture.fate(key)));
        }
        let key = keys.next().unwrap();
        fixture.submit(&writer, key);
        std::thread::yield_now();
        fixture.disk.switches.hold_runs(false);
        let fate = fixture.fate(key);
        if !is_durable(&fate) {
            break fate;
        }
    };
    assert!(is_stopped(&fate), "{fate:?}");
    assert_eq!(fixture.reason(), "the journal panicked");
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
