use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use dormouse_domain::AggregateType;

use super::*;
use crate::commit::CommitBuilder;
use crate::engine::faulty::FaultyDisk;
use crate::format::segment;
use crate::settlement::{NotCommitted, Settled, Settlement};

struct Channel(mpsc::Sender<Settled>);

impl SettlementSink for Channel {
    fn settled(&self, batch: Vec<Settled>) {
        for settled in batch {
            let _ = self.0.send(settled);
        }
    }
}

struct Fixture {
    disk: FaultyDisk,
    store: Store,
    sink: SinkId,
    settled: mpsc::Receiver<Settled>,
    stream: StreamId,
}

impl Fixture {
    fn new(options: StoreOptions) -> Fixture {
        let disk = FaultyDisk::default();
        let store = Store::on_disk(Box::new(disk.clone()), options).unwrap();
        let (sender, settled) = mpsc::channel();
        let sink = store.register_sink(Arc::new(Channel(sender)));
        let stream = StreamId::new(AggregateType::from_static("t"), "a".try_into().unwrap());
        Fixture {
            disk,
            store,
            sink,
            settled,
            stream,
        }
    }

    fn open(&self) -> StreamWriter {
        let reached = self
            .store
            .read_stream(&self.stream, Version::NONE, &mut |_| ControlFlow::Continue(()));
        self.store.open_stream(&self.stream, reached.unwrap()).unwrap()
    }

    fn submit(&self, writer: &StreamWriter, key: u64) {
        self.submit_of(writer, key, 7);
    }

    /// Submits a commit whose payload is of so many bytes.
    fn submit_of(&self, writer: &StreamWriter, key: u64, bytes: usize) {
        let mut commit = CommitBuilder::new(&self.stream, writer.head().next());
        commit.system_event("event", &vec![7; bytes]).unwrap();
        self.store
            .submit(writer, commit.finish().unwrap(), Ticket { sink: self.sink, key });
    }

    /// What became of the commit whose turn it is; a commit that is never answered fails the test.
    fn fate(&self, key: u64) -> Settlement {
        let settled = self
            .settled
            .recv_timeout(Duration::from_secs(10))
            .unwrap_or_else(|error| panic!("commit {key} is not answered: {error}"));
        assert_eq!(settled.key, key);
        settled.settlement
    }

    fn append(&self, writer: &StreamWriter) -> Settlement {
        self.submit(writer, 0);
        self.settled.recv().unwrap().settlement
    }

    fn reason(&self) -> String {
        match self.store.health() {
            Health::Stopped { reason } => reason.to_string(),
            Health::Healthy => panic!("the store goes on"),
        }
    }
}

fn is_durable(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Durable { .. })
}

fn is_stopped(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::NotDone(NotCommitted::Stopped { .. }))
}

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

#[test]
fn reopening_that_fails_can_be_tried_again() {
    let fixture = Fixture::new(StoreOptions::default());
    let writer = fixture.open();
    assert!(is_durable(&fixture.append(&writer)));
    let switches = &fixture.disk.switches;
    switches.open_fails.store(true, Ordering::SeqCst);
    switches.close_fails.store(true, Ordering::SeqCst);
    assert!(fixture.store.reopen().is_err());
    assert_eq!(fixture.reason(), "reopening failed: opening: a test asked for it");
    assert!(is_stopped(&fixture.append(&writer)));
    assert!(matches!(
        fixture.store.head(&fixture.stream),
        Err(StoreError::Closed)
    ));
    fixture.store.reopen().unwrap();
    assert_eq!(fixture.store.generation(), 2);
    assert_eq!(fixture.store.head(&fixture.stream).unwrap().get(), 1);
    assert!(is_durable(&fixture.append(&fixture.open())));
}

#[test]
fn closing_that_fails_says_so_and_is_over() {
    let fixture = Fixture::new(StoreOptions::default());
    fixture.disk.switches.close_fails.store(true, Ordering::SeqCst);
    assert!(matches!(fixture.store.close(), Err(StoreError::Engine { .. })));
    fixture.store.close().unwrap();
}

/// The threads can't be waited for from one of their own.
#[test]
fn a_sink_that_ends_the_store_is_refused_and_one_that_drops_it_is_not() {
    struct Ends(Mutex<Option<Store>>, mpsc::Sender<Option<StoreError>>);
    impl SettlementSink for Ends {
        fn settled(&self, _batch: Vec<Settled>) {
            let store = self.0.lock().take();
            let error = store
                .as_ref()
                .and_then(|store| store.reopen().and_then(|()| store.close()).err());
            drop(store);
            let _ = self.1.send(error);
        }
    }
    let fixture = Fixture::new(StoreOptions::default());
    let (sender, errors) = mpsc::channel();
    let writer = fixture.open();
    let ends = Arc::new(Ends(Mutex::new(None), sender));
    let sink = fixture
        .store
        .register_sink(Arc::clone(&ends) as Arc<dyn SettlementSink>);
    let mut commit = CommitBuilder::new(&fixture.stream, Version::new(1));
    commit.system_event("event", b"").unwrap();
    let commit = commit.finish().unwrap();
    // The sink gets the last clone of the store while the journal holds the commit.
    let held = fixture.disk.memory.hold_appends();
    fixture.store.submit(&writer, commit, Ticket { sink, key: 0 });
    held.wait_for_append();
    *ends.0.lock() = Some(fixture.store);
    drop(held);
    assert!(matches!(errors.recv().unwrap(), Some(StoreError::Engine { .. })));
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

/// A log that lost what this process saw durable is not taken, whatever the watermark says.
#[test]
fn reopen_knows_what_was_durable() {
    let fixture = Fixture::new(StoreOptions::default());
    let writer = fixture.open();
    for _ in 0..5 {
        assert!(is_durable(&fixture.append(&writer)));
    }
    fixture
        .disk
        .switches
        .forget_watermark
        .store(true, Ordering::SeqCst);
    let session = fixture.store.inner.session.load_full();
    session.stop("a test");
    fixture.disk.memory.edit_log(|rows| {
        rows.pop_last();
    });
    let reopened = fixture.store.reopen();
    assert!(
        reopened.is_err(),
        "durable() says {}, the log ends at 4",
        fixture.store.durable()
    );
}

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
