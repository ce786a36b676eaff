//! The store on a disk that fails as it is told to: what the tests share, and their topics.

mod bounds;
mod failures;
mod log;
mod reopening;

use std::ops::ControlFlow;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use dormouse_domain::{AggregateType, Version};

use super::*;
use crate::commit::CommitBuilder;
use crate::engine::faulty::FaultyDisk;
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

    /// Appends until everything is in the index; the head then.
    fn append_until_indexed(&self, writer: &StreamWriter) -> Version {
        let indexed = || self.store.statistics().indexed == self.store.durable();
        loop {
            assert!(is_durable(&self.append(writer)));
            let deadline = Instant::now() + Duration::from_millis(20);
            while !indexed() && Instant::now() < deadline {
                std::thread::yield_now();
            }
            if indexed() {
                return writer.head();
            }
        }
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
