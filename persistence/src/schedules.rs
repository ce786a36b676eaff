//! The store under a scheduler that explores schedules: `torture schedules`, docs/torture.md.
//!
//! The code is the shipped one; only its locks, atomics and threads are the scheduler's (`sync.rs`). A wake-up that is lost
//! shows as a deadlock.

mod completion;
mod hand_over;
mod opening;

use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::Arc;

use dormouse_domain::{
    AggregateType, Clock, Codec, CommandFingerprint, CommandId, SchemaVersion, StreamId, Timestamp, Version,
};
use uuid::Uuid;

use crate::commit::CommitBuilder;
use crate::engine::Disk;
use crate::engine::memory::MemoryDisk;
use crate::error::StoreError;
use crate::options::StoreOptions;
use crate::settlement::{Settled, Settlement, SettlementSink, SinkId, Ticket};
use crate::store::Store;
use crate::sync::{Condvar, Mutex, explore, thread};
use crate::writer::StreamWriter;

/// Where a test finds what became of its commits.
#[derive(Default)]
struct Fates {
    told: Mutex<Told>,
    changed: Condvar,
}

#[derive(Default)]
struct Told {
    by_key: BTreeMap<u64, Vec<Settled>>,
    /// Batches that were settled, and writers that were dropped.
    changes: u64,
}

impl SettlementSink for Fates {
    fn settled(&self, batch: Vec<Settled>) {
        let mut told = self.told.lock();
        for settled in batch {
            told.by_key.entry(settled.key).or_default().push(settled);
        }
        told.changes += 1;
        self.changed.notify_all();
    }
}

impl Fates {
    /// What became of a commit, once that is known. Told twice, it fails the test.
    fn wait(&self, key: u64) -> Settlement {
        let mut told = self.told.lock();
        while !told.by_key.contains_key(&key) {
            self.changed.wait(&mut told);
        }
        let fates = &told.by_key[&key];
        assert_eq!(fates.len(), 1, "commit {key} was settled more than once");
        fates[0].settlement.clone()
    }

    fn changes(&self) -> u64 {
        self.told.lock().changes
    }

    fn wait_for_more_than(&self, changes: u64) {
        let mut told = self.told.lock();
        while told.changes == changes {
            self.changed.wait(&mut told);
        }
    }

    /// A writer was dropped.
    fn dropped(&self) {
        self.told.lock().changes += 1;
        self.changed.notify_all();
    }
}

/// A store in memory, whose threads are the scheduler's.
struct House {
    disk: MemoryDisk,
    store: Store,
    fates: Arc<Fates>,
    sink: SinkId,
}

impl House {
    fn new(options: StoreOptions) -> Arc<House> {
        let disk = MemoryDisk::new();
        House::on_disk(disk.clone(), Box::new(disk), options)
    }

    /// `disk` has the switches of what is below `opened`.
    fn on_disk(disk: MemoryDisk, opened: Box<dyn Disk>, options: StoreOptions) -> Arc<House> {
        let clock = Clock::held(Timestamp::EPOCH);
        let store = Store::on_disk(opened, options.clock(clock)).unwrap();
        let fates = Arc::<Fates>::default();
        let sink = store.register_sink(Arc::clone(&fates) as _);
        Arc::new(House {
            disk,
            store,
            fates,
            sink,
        })
    }

    /// Reads a stream and opens it, as often as it moves on between the two.
    fn open(&self, stream: &StreamId) -> Result<StreamWriter, StoreError> {
        loop {
            let reached = self
                .store
                .read_stream(stream, Version::NONE, &mut |_| ControlFlow::Continue(()));
            match self.store.open_stream(stream, reached?) {
                // whoever moves it on may be the one that does not run
                Err(StoreError::StaleVersion { .. } | StoreError::ReadOutdated { .. }) => thread::yield_now(),
                opened => return opened,
            }
        }
    }

    /// Submits a commit of one event, caused by the command of that number.
    fn submit(&self, writer: &StreamWriter, number: u64) {
        let mut commit = CommitBuilder::new(writer.stream(), writer.head().next());
        commit.system_event("event", b"").unwrap();
        let fingerprint = CommandFingerprint {
            name: 0,
            version: SchemaVersion::FIRST,
            fields: 0,
        };
        commit
            .command(command(number), fingerprint, Codec::Bincode, &())
            .unwrap();
        let ticket = Ticket {
            sink: self.sink,
            key: number,
        };
        self.store.submit(writer, commit.finish().unwrap(), ticket);
    }

    /// A stream's versions, each once and in order, or reading it failed.
    fn versions(&self, stream: &StreamId) -> u64 {
        versions(&self.store, stream)
    }
}

fn versions(store: &Store, stream: &StreamId) -> u64 {
    let mut seen = 0;
    let reached = store.read_stream(stream, Version::NONE, &mut |commit| {
        seen += 1;
        assert_eq!(commit.first_version().get(), seen);
        ControlFlow::Continue(())
    });
    assert_eq!(reached.unwrap().version().get(), seen);
    seen
}

/// How many offsets the log has, each once and in order.
fn offsets(store: &Store) -> u64 {
    let mut seen = 0;
    let last = store.read_log(dormouse_domain::Offset::new(1), &mut |commit| {
        seen += 1;
        assert_eq!(commit.last_offset().get(), seen);
        ControlFlow::Continue(())
    });
    assert_eq!(last.unwrap().get(), seen);
    seen
}

fn command(number: u64) -> CommandId {
    CommandId::from(Uuid::from_u128(u128::from(number) + 1))
}

fn stream(id: &str) -> StreamId {
    StreamId::new(AggregateType::from_static("t"), id.try_into().unwrap())
}

fn is_durable(settlement: &Settlement) -> bool {
    matches!(settlement, Settlement::Durable { .. })
}

/// Small enough that every batch is a generation, and the indexer always has work.
fn every_batch_a_run() -> StoreOptions {
    StoreOptions::default().generation_bytes(1).batch_commits_max(2)
}
