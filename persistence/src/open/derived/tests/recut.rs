//! A crash while a run is stored, and an opening that cuts the same part of the log into other rows.

use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};

use dormouse_domain::{AggregateType, StreamId, Version};

use super::*;
use crate::commit::CommitBuilder;
use crate::engine::Disk;
use crate::open::RocksDisk;
use crate::open::layout::State;
use crate::options::StoreOptions;
use crate::settlement::{Settled, SettlementSink, Ticket};
use crate::store::Store;
use crate::{indexer, recovery};

/// A row is full behind each commit of these bytes and the small ones before it.
const LARGE_BYTES: usize = 40_000;
const SMALL_BYTES: usize = 1_000;
/// What the versions of the stream are, from 1.
const COMMITS: [usize; 10] = [
    LARGE_BYTES,
    SMALL_BYTES,
    SMALL_BYTES,
    SMALL_BYTES,
    SMALL_BYTES,
    SMALL_BYTES,
    LARGE_BYTES,
    SMALL_BYTES,
    SMALL_BYTES,
    SMALL_BYTES,
];
/// Runs of so many commits make the rows 1 to 5 and 6 to 10.
const SMALL_RUN: usize = 5;
/// A run of so many commits makes the rows 1 to 7 and 8 to 9, and the second lies inside of one of the others.
const LARGE_RUN: usize = 9;

struct Channel(mpsc::Sender<Settled>);

impl SettlementSink for Channel {
    fn settled(&self, batch: Vec<Settled>) {
        for settled in batch {
            self.0.send(settled).unwrap();
        }
    }
}

fn hot() -> StreamId {
    StreamId::new(AggregateType::from_static("t"), "hot".try_into().unwrap())
}

/// Writes the stream; how many bytes of the tail its first commits take, by number.
fn write(path: &Path) -> [usize; COMMITS.len()] {
    let store = Store::open(path).unwrap();
    let (sender, settled) = mpsc::channel();
    let sink = store.register_sink(Arc::new(Channel(sender)));
    let reached = store.read_stream(&hot(), Version::new(1), &mut |_| ControlFlow::Continue(()));
    let writer = store.open_stream(&hot(), reached.unwrap()).unwrap();
    let mut version = 0;
    let bytes = COMMITS.map(|bytes| {
        version += 1;
        let mut commit = CommitBuilder::new(&hot(), Version::new(version));
        commit.system_event("e", &vec![7; bytes]).unwrap();
        store.submit(&writer, commit.finish().unwrap(), Ticket { sink, key: version });
        settled.recv().unwrap();
        usize::try_from(store.statistics().tail_bytes).unwrap()
    });
    store.close().unwrap();
    bytes
}

fn in_runs_of(bytes: usize) -> StoreOptions {
    StoreOptions::default().generation_bytes(bytes)
}

/// The store's run of its first commits.
fn run_of(path: &Path, bytes: usize) -> Run {
    let options = in_runs_of(bytes);
    let opened = RocksDisk::new(path).open(&options).unwrap();
    let recovered = recovery::recover(&opened, &options).unwrap();
    let oldest = recovered.tail.oldest_frozen().expect("so much is in the log");
    let run = indexer::build(ShardId::FIRST, &oldest.contents());
    opened.engine.close().unwrap();
    run
}

/// The stream can be read from each version, and has the head that it has.
fn check(store: &Store, when: &str) {
    let head = COMMITS.len() as u64;
    for from in 1..=head {
        let mut seen = Vec::new();
        let reached = store.read_stream(&hot(), Version::new(from), &mut |commit| {
            seen.push(commit.first_version().get());
            ControlFlow::Continue(())
        });
        let reached = reached.unwrap_or_else(|error| panic!("{when}, from {from}: {error}"));
        assert_eq!(seen, (from..=head).collect::<Vec<_>>(), "{when}, from {from}");
        assert_eq!(reached.version().get(), head, "{when}, from {from}");
    }
    assert_eq!(store.head(&hot()).unwrap().get(), head, "{when}");
}

#[test]
fn a_run_that_a_crash_cut_short_leaves_no_row_among_those_of_smaller_runs() {
    let directory = tempfile::tempdir().unwrap();
    let bytes = write(directory.path());
    let run = run_of(directory.path(), bytes[LARGE_RUN - 1]);
    assert_eq!(run.streams.iter().count(), 2);

    let (layout, lock, state) = Layout::claim(directory.path()).unwrap();
    let State::Store(store) = state else {
        panic!("{state:?}")
    };
    let (db, _) = try_open(&layout, store, ShardId::FIRST, &shared())
        .unwrap()
        .unwrap();
    let runs = RunWriter::new(&layout.derived(), &shared()).unwrap();
    let mut crashed = Vec::new();
    let stored = runs.store(&db, &run, |step| {
        let image = tempfile::tempdir().unwrap();
        copy(layout.root(), image.path());
        crashed.push((step, image));
    });
    stored.unwrap();
    drop((db, lock));

    assert_eq!(crashed.len(), 4, "no command has an id");
    for (step, image) in crashed {
        let store = Store::open_with(image.path(), in_runs_of(bytes[SMALL_RUN - 1])).unwrap();
        check(&store, &format!("{step:?}, while it is indexed"));
        while store.statistics().indexed.get() < LARGE_RUN as u64 {
            std::thread::yield_now();
        }
        check(&store, &format!("{step:?}, indexed"));
    }
}
