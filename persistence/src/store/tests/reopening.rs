//! Reopening and closing, where they fail or are called from the wrong place.

use std::sync::atomic::Ordering;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use dormouse_domain::Version;
use parking_lot::Mutex;

use super::{Fixture, is_durable, is_stopped};
use crate::commit::CommitBuilder;
use crate::error::StoreError;
use crate::options::StoreOptions;
use crate::settlement::{Settled, SettlementSink, Ticket};
use crate::store::Store;

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

#[test]
fn closing_that_fails_says_so_and_is_over() {
    let fixture = Fixture::new(StoreOptions::default());
    fixture.disk.switches.close_fails.store(true, Ordering::SeqCst);
    assert!(matches!(fixture.store.close(), Err(StoreError::Engine { .. })));
    fixture.store.close().unwrap();
}

/// Whoever opens it next finds nobody in it.
#[test]
fn closing_waits_for_its_threads() {
    let fixture = Fixture::new(StoreOptions::default());
    let writer = fixture.open();
    let session = fixture.store.inner.session.load_full();
    let held = fixture.disk.memory.hold_appends();
    fixture.submit(&writer, 0);
    held.wait_for_append();
    let (store, (sender, closed)) = (fixture.store.clone(), mpsc::channel());
    let closing = std::thread::spawn(move || sender.send(store.close().is_ok()));
    // Long enough for a store that does not wait.
    assert!(closed.recv_timeout(Duration::from_millis(50)).is_err());
    drop(held);
    assert_eq!(closed.recv(), Ok(true));
    assert!(is_durable(&fixture.fate(0)));
    closing.join().unwrap().unwrap();
    assert_eq!(Arc::strong_count(&session), 2, "this one, and the store's own");
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

/// The store is reopened, and the stream goes on and is indexed, just when a reading of it has looked up the session: what
/// was read opens no stream.
#[test]
fn a_stream_that_was_read_over_a_reopening_opens_nothing() {
    let fixture = Fixture::new(StoreOptions::default().generation_bytes(2_000));
    assert!(is_durable(&fixture.append(&fixture.open())));
    let session = fixture.store.reading().unwrap();
    fixture.store.reopen().unwrap();
    let writer = fixture.open();
    let head = fixture.append_until_indexed(&writer);
    drop(writer);
    let visit = &mut |_: &crate::stored::StoredCommit<'_>| std::ops::ControlFlow::Continue(());
    let reached = crate::reader::read_stream(&session, &fixture.stream, Version::NONE, visit).unwrap();
    assert_eq!(reached.version().get(), 1, "the old session knows no more");
    let opened = fixture.store.open_stream(&fixture.stream, reached);
    assert!(
        matches!(opened, Err(StoreError::ReadOutdated { .. })),
        "a writer at version 1 of a stream that is at {head}"
    );
}
