//! The store's own path: commits handed to the journal, until they are settled.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};

use dormouse::store::{Settled, Settlement, SettlementSink, SinkId, StreamWriter, Ticket};
use dormouse::{MemoryDisk, Store, StoreOptions, Version};

use super::Go;
use super::decide::Decider;
use crate::account::Deposit;

/// Commits that are handed over before the first of them may be settled.
const AT_ONCE: u64 = 64;
/// Streams that take turns.
const STREAMS: u64 = 8;

struct Told(Sender<Vec<Settled>>);

impl SettlementSink for Told {
    fn settled(&self, batch: Vec<Settled>) {
        // whoever no longer listens has seen enough
        let _ = self.0.send(batch);
    }
}

/// A store in memory that commits are written to without a runtime.
pub(super) struct Writing {
    disk: MemoryDisk,
    pub(super) store: Store,
    sink: SinkId,
    told: Receiver<Vec<Settled>>,
}

/// A stream that is written to.
pub(super) struct Stream {
    pub(super) decider: Decider,
    writer: StreamWriter,
}

impl Writing {
    pub(super) fn new(options: StoreOptions) -> Self {
        let disk = MemoryDisk::new();
        let store = Store::on_memory(&disk, options).expect("a new memory disk opens");
        let (tell, told) = channel();
        let sink = store.register_sink(Arc::new(Told(tell)));
        Self {
            disk,
            store,
            sink,
            told,
        }
    }

    pub(super) fn open(&self, id: &str) -> Stream {
        let decider = Decider::new(id);
        let reached = self
            .store
            .read_stream(&decider.stream, Version::new(1), &mut |_| {
                ControlFlow::Continue(())
            });
        let writer = self
            .store
            .open_stream(&decider.stream, reached.expect("the store reads"));
        Stream {
            decider,
            writer: writer.expect("nobody else writes this stream"),
        }
    }

    fn submit(&self, stream: &mut Stream, number: u64) {
        let commit = stream.decider.deposit(Deposit::number(number));
        let ticket = Ticket {
            sink: self.sink,
            key: number,
        };
        self.store.submit(&stream.writer, commit, ticket);
    }

    /// Writes `commits` of them, to the streams in turn. The first is a segment, which the disk holds back until the
    /// others have gathered behind it and are the next one.
    pub(super) fn write(&self, streams: &mut [Stream], commits: u64) {
        let mut turns = (0..streams.len()).cycle();
        let mut submit = |number| {
            let turn = turns.next().expect("there is a stream");
            self.submit(&mut streams[turn], number);
        };
        let held = self.disk.hold_appends();
        submit(0);
        held.wait_for_append();
        (1..commits).for_each(&mut submit);
        drop(held);
        let mut left = commits;
        while left > 0 {
            let batch = self.told.recv().expect("the store settles what it took");
            let durable = |settled: &Settled| matches!(settled.settlement, Settlement::Durable { .. });
            assert!(batch.iter().all(durable), "a memory disk does not fail");
            left -= batch.len() as u64;
        }
    }
}

pub(super) fn journal() -> Go {
    let writing = Writing::new(StoreOptions::default());
    let mut streams: Vec<_> = (0..STREAMS)
        .map(|number| writing.open(&format!("acc-{number:08}")))
        .collect();
    Box::new(move |times| {
        let mut left = times;
        while left > 0 {
            let commits = left.min(AT_ONCE);
            writing.write(&mut streams, commits);
            left -= commits;
        }
    })
}
