//! What an activation does on its reader thread: read, decode, fold.

use std::hint::black_box;
use std::ops::ControlFlow;
use std::thread::sleep;
use std::time::Duration;

use dormouse::{Event, Store, StoreOptions, StreamId, Version};

use super::Go;
use super::journal::Writing;
use crate::account::{Account, Entry};
use dormouse::Aggregate;

const EVENTS: u64 = 100;
/// The indexer takes far less than a second for a hundred events; between two looks it has the processor.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

pub(super) fn replay_100() -> Go {
    // every segment is indexed at once, so that nothing is read from the tail
    let writing = Writing::new(StoreOptions::default().generation_bytes(1));
    let mut streams = [writing.open("acc-00000001")];
    writing.write(&mut streams, EVENTS);
    while writing.store.statistics().indexed < writing.store.durable() {
        sleep(LOOK_AGAIN);
    }
    let [stream] = streams;
    let stream = stream.decider.stream;
    Box::new(move |times| {
        for _ in 0..times {
            let (_, events) = black_box(replay(&writing.store, &stream));
            assert_eq!(events, EVENTS);
        }
    })
}

fn replay(store: &Store, stream: &StreamId) -> (Account, u64) {
    let (mut state, mut events) = (Account::default(), 0);
    let read = store.read_stream(stream, Version::new(1), &mut |commit| {
        for stored in commit.events() {
            let event = Entry::decode(stored.name, stored.schema, stored.codec, stored.payload);
            state.apply(&event.expect("what was encoded decodes"));
            events += 1;
        }
        ControlFlow::Continue(())
    });
    read.expect("the store reads");
    (state, events)
}
