//! Bugs that an attack on the store found, each as the test that found it.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, mpsc};
use std::time::Duration;

use dormouse_domain::Version;
use dormouse_persistence::{CommitBuilder, CommitError, Settled, SettlementSink, Store, Ticket};

use crate::client::{Client, commit, stream};

/// A name that no reader would take is refused before it can brick the log.
#[test]
fn an_event_name_with_a_control_character_is_refused() {
    let mut builder = CommitBuilder::new(&stream("a"), Version::new(1));
    let refused = builder.system_event("line\nfeed", b"x");
    assert!(
        matches!(
            refused,
            Err(CommitError::Unencodable {
                field: "event name",
                ..
            })
        ),
        "{refused:?}"
    );
    assert_eq!(builder.events(), 0);
}

/// What was reached in one stream opens no other.
#[test]
fn what_was_reached_names_its_stream() {
    let store = Store::in_memory();
    let client = Client::new(&store);
    let (a, b) = (stream("a"), stream("b"));
    client.durable(&client.open(&a), &["1"]);
    let reached = store
        .read_stream(&a, Version::new(1), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    assert!(store.open_stream(&b, reached).is_err());
}

/// It must not wait for a thread that waits for it.
#[test]
fn a_sink_that_reopens_while_another_thread_closes_is_refused() {
    let store = Store::in_memory();
    struct Reopens(Mutex<Option<Store>>, mpsc::Sender<()>, Mutex<mpsc::Receiver<()>>);
    impl SettlementSink for Reopens {
        fn settled(&self, _: Vec<Settled>) {
            let _ = self.2.lock().unwrap().recv_timeout(Duration::from_secs(3)); // close() is under way
            std::thread::sleep(Duration::from_millis(100));
            let store = self.0.lock().unwrap().take();
            if let Some(store) = store {
                assert!(store.reopen().is_err());
            }
            let _ = self.1.send(());
        }
    }
    let (tx, rx) = mpsc::channel();
    let (begin, begun) = mpsc::channel();
    let sink = store.register_sink(Arc::new(Reopens(
        Mutex::new(Some(store.clone())),
        tx,
        Mutex::new(begun),
    )));
    let s = stream("a");
    let reached = store
        .read_stream(&s, Version::new(1), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let writer = store.open_stream(&s, reached).unwrap();
    store.submit(
        &writer,
        commit(&s, Version::new(1), &["x"], None),
        Ticket { sink, key: 1 },
    );
    let closing = store.clone();
    let (done, closed) = mpsc::channel();
    std::thread::spawn(move || {
        begin.send(()).unwrap();
        let r = closing.close();
        done.send(r.is_ok()).unwrap();
    });
    let _ = rx.recv_timeout(Duration::from_secs(3));
    assert!(closed.recv_timeout(Duration::from_secs(3)).is_ok(), "deadlock");
}
