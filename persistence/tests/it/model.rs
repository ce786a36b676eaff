//! Random operations against a simple model: what was acknowledged is there, what was refused is not, what is
//! unknown is there as a whole or not at all.

use std::collections::BTreeMap;

use dormouse_domain::{CommandId, Offset, Version};
use dormouse_persistence::{
    AppendFault, MemoryDisk, NotCommitted, Settlement, Snapshot, Store, StoreOptions, StreamWriter,
};
use proptest::prelude::*;

use crate::client::{Client, check_gapless, stream};

const STREAMS: [&str; 4] = ["a", "b", "c", "d"];

#[derive(Clone, Debug)]
enum Step {
    /// Commits of so many events to a stream, all submitted before the first settles.
    Append {
        stream: usize,
        commits: usize,
        events: usize,
    },
    CloseStream(usize),
    Stale(usize),
    Snapshot(usize),
    /// The next append fails.
    Fail(bool),
    Reopen,
    Restart,
    Crash {
        keep_unsynced: bool,
    },
    DeleteDerived,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        12 => (0..4_usize, 1..6_usize, 1..4_usize)
            .prop_map(|(stream, commits, events)| Step::Append { stream, commits, events }),
        3 => (0..4_usize).prop_map(Step::CloseStream),
        1 => (0..4_usize).prop_map(Step::Stale),
        1 => (0..4_usize).prop_map(Step::Snapshot),
        1 => any::<bool>().prop_map(Step::Fail),
        1 => Just(Step::Reopen),
        1 => Just(Step::Restart),
        1 => any::<bool>().prop_map(|keep_unsynced| Step::Crash { keep_unsynced }),
        1 => Just(Step::DeleteDerived),
    ]
}

/// What must be in the store.
#[derive(Default)]
struct Model {
    /// Texts of each stream, in order; every event's text is unique.
    streams: BTreeMap<usize, Vec<String>>,
    commands: Vec<(usize, CommandId, Version)>,
    /// Commits whose fate is unknown, in order: stream, command, first version, texts.
    unknown: Vec<(usize, CommandId, Version, Vec<String>)>,
    snapshots: BTreeMap<usize, Snapshot>,
}

struct World {
    disk: MemoryDisk,
    client: Client,
    writers: BTreeMap<usize, StreamWriter>,
    model: Model,
    counter: u64,
    stopped: bool,
}

fn options() -> StoreOptions {
    StoreOptions::default()
        .generation_bytes(900)
        .tail_bytes_max(4_000)
        .batch_commits_max(3)
}

impl World {
    fn new() -> World {
        let disk = MemoryDisk::new();
        let client = Client::new(&Store::on_memory(&disk, options()).unwrap());
        World {
            disk,
            client,
            writers: BTreeMap::new(),
            model: Model::default(),
            counter: 0,
            stopped: false,
        }
    }

    fn run(&mut self, step: &Step) {
        match step {
            Step::Append {
                stream,
                commits,
                events,
            } => self.append(*stream, *commits, *events),
            Step::CloseStream(stream) => drop(self.writers.remove(stream)),
            Step::Stale(stream) => self.stale(*stream),
            Step::Snapshot(stream) => self.snapshot(*stream),
            Step::Fail(written) => {
                let fault = if *written {
                    AppendFault::Written
                } else {
                    AppendFault::NothingWritten
                };
                self.disk.fail_append(fault);
            }
            Step::Reopen => {
                self.client.store.reopen().unwrap();
                self.writers.clear();
                self.opened();
            }
            Step::Restart => {
                self.client.store.close().unwrap();
                self.start();
            }
            Step::Crash { keep_unsynced } => {
                self.disk.keep_unsynced(*keep_unsynced);
                self.disk.crash();
                // An unsynced snapshot may go back to the one before, or to none.
                if !keep_unsynced {
                    self.model.snapshots.clear();
                }
                self.start();
            }
            Step::DeleteDerived => {
                self.client.store.close().unwrap();
                self.disk.delete_derived();
                self.model.snapshots.clear();
                self.start();
            }
        }
    }

    fn start(&mut self) {
        self.writers.clear();
        self.client = Client::new(&Store::on_memory(&self.disk, options()).unwrap());
        self.opened();
    }

    fn writer(&mut self, stream: usize) -> Option<&StreamWriter> {
        if !self.writers.contains_key(&stream) {
            if self.stopped {
                return None;
            }
            let writer = self.client.open(&crate::client::stream(STREAMS[stream]));
            assert_eq!(
                writer.head().get() as usize,
                self.model.streams.entry(stream).or_default().len()
            );
            self.writers.insert(stream, writer);
        }
        self.writers.get(&stream)
    }

    fn append(&mut self, stream: usize, commits: usize, events: usize) {
        let mut submitted = Vec::new();
        for key in 0..commits {
            let id = CommandId::now();
            let texts: Vec<String> = (0..events).map(|n| format!("{}.{n}", self.counter)).collect();
            self.counter += 1;
            let Some(writer) = self.writer(stream) else { return };
            let first = writer.head().next();
            let writer = &self.writers[&stream];
            let slices: Vec<&str> = texts.iter().map(String::as_str).collect();
            self.client.submit(writer, &slices, Some(id), key as u64);
            submitted.push((id, first, texts));
        }
        for (key, (id, first, texts)) in submitted.into_iter().enumerate() {
            let settled = self.client.settled();
            assert_eq!(settled.key, key as u64);
            match settled.settlement {
                Settlement::Durable { .. } => {
                    assert!(!self.stopped);
                    self.model.streams.get_mut(&stream).unwrap().extend(texts);
                    self.model.commands.push((stream, id, first));
                }
                Settlement::Unknown { .. } => {
                    self.stopped = true;
                    self.model.unknown.push((stream, id, first, texts));
                }
                Settlement::NotDone(NotCommitted::Stopped { .. }) => assert!(self.stopped),
                other => panic!("{other:?}"),
            }
        }
    }

    fn stale(&mut self, stream: usize) {
        let Some(writer) = self.writer(stream) else { return };
        let first = writer.head().plus(2);
        let commit = crate::client::commit(&crate::client::stream(STREAMS[stream]), first, &["stale"], None);
        self.client
            .store
            .submit(&self.writers[&stream], commit, self.client.ticket(0));
        assert!(matches!(self.client.settled().settlement, Settlement::NotDone(_)));
    }

    fn snapshot(&mut self, stream: usize) {
        let version = self.model.streams.get(&stream).map_or(0, Vec::len) as u64;
        let snapshot = Snapshot {
            version: Version::new(version),
            offset: Offset::new(version),
            fingerprint: self.counter,
            codec: Default::default(),
            newest_command: None,
            time: Default::default(),
            payload: vec![],
        };
        let id = crate::client::stream(STREAMS[stream]);
        let put = self.client.store.put_snapshot(&id, &snapshot);
        assert_eq!(put.is_ok(), !self.stopped);
        if put.is_ok() {
            self.model.snapshots.insert(stream, snapshot);
        }
    }

    /// After opening: each unknown commit is there as a whole or not at all.
    fn opened(&mut self) {
        self.stopped = false;
        for (stream, id, first, texts) in std::mem::take(&mut self.model.unknown) {
            let store = &self.client.store;
            let known = self.model.streams.entry(stream).or_default();
            if store
                .find_command(&crate::client::stream(STREAMS[stream]), id)
                .unwrap()
                .is_some()
            {
                assert_eq!(first.get() as usize, known.len() + 1);
                known.extend(texts);
                self.model.commands.push((stream, id, first));
            }
        }
        self.check();
    }

    fn check(&self) {
        let store = &self.client.store;
        let events = check_gapless(store);
        for (stream, texts) in &self.model.streams {
            let of_stream = events.iter().filter(|event| event.stream == STREAMS[*stream]);
            assert_eq!(
                of_stream.map(|event| &event.text).collect::<Vec<_>>(),
                texts.iter().collect::<Vec<_>>()
            );
        }
        assert_eq!(
            events.len(),
            self.model.streams.values().map(Vec::len).sum::<usize>()
        );
        for (id, command, version) in &self.model.commands {
            let found = store.find_command(&stream(STREAMS[*id]), *command).unwrap();
            assert_eq!(found, Some(*version));
        }
        for (id, snapshot) in &self.model.snapshots {
            assert_eq!(
                store.snapshot(&stream(STREAMS[*id])).unwrap().as_ref(),
                Some(snapshot)
            );
        }
    }
}

proptest! {
    // proptest prints the failing steps, and the line that reruns them goes to proptest-regressions/.
    #![proptest_config(ProptestConfig::with_cases(150))]

    #[test]
    fn random_operations_agree_with_the_model(steps in proptest::collection::vec(step(), 1..60)) {
        let mut world = World::new();
        for step in &steps {
            world.run(step);
        }
        if world.stopped {
            world.run(&Step::Reopen);
        }
        world.check();
    }
}
