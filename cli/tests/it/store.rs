//! Stores to work on.

use std::collections::BTreeMap;
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};

use dormouse_domain::{AggregateType, Offset, StreamId, Version};
use dormouse_persistence::{CommitBuilder, Settled, Settlement, SettlementSink, Store, Ticket};

/// Commits of two events in each store of two sessions: half of them in a table, half in the write-ahead log.
pub(crate) const COMMITS: u64 = 60;

struct Channel(mpsc::Sender<Settled>);

impl SettlementSink for Channel {
    fn settled(&self, batch: Vec<Settled>) {
        batch.into_iter().for_each(|settled| drop(self.0.send(settled)));
    }
}

/// A closed store in `place`.
pub(crate) fn make(place: &Path) -> PathBuf {
    make_of(place, 2)
}

/// One that was opened so often: each opening but the first makes a table of what the one before wrote.
pub(crate) fn make_of(place: &Path, sessions: u64) -> PathBuf {
    let path = place.join("store");
    for _ in 0..sessions {
        let store = Store::open(&path).unwrap();
        (0..COMMITS / 2).for_each(|n| append(&store, ["a", "b", "c"][n as usize % 3]));
        store.close().unwrap();
    }
    path
}

fn append(store: &Store, id: &str) {
    let stream = StreamId::new(AggregateType::from_static("note"), id.try_into().unwrap());
    let (sender, settlements) = mpsc::channel();
    let sink = store.register_sink(Arc::new(Channel(sender)));
    let reached = store.read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()));
    let writer = store.open_stream(&stream, reached.unwrap()).unwrap();
    let mut commit = CommitBuilder::new(&stream, writer.head().next());
    commit.system_event("noted", &[7; 300]).unwrap();
    commit.system_event("ended", b"").unwrap();
    store.submit(&writer, commit.finish().unwrap(), Ticket { sink, key: 0 });
    let settled = settlements.recv().unwrap();
    assert!(matches!(settled.settlement, Settlement::Durable { .. }));
}

/// Stream, offset, version and payload of each event.
pub(crate) fn events(path: &Path) -> Vec<(String, u64, u64, Vec<u8>)> {
    let store = Store::open(path).unwrap();
    let mut events = Vec::new();
    let read = store.read_log(Offset::new(1), &mut |commit| {
        let stream = commit.stream().to_string();
        events.extend(commit.events().map(|event| {
            (
                stream.clone(),
                event.offset.get(),
                event.version.get(),
                event.payload.to_vec(),
            )
        }));
        ControlFlow::Continue(())
    });
    read.unwrap();
    store.close().unwrap();
    events
}

/// The newest write-ahead file.
pub(crate) fn wal(store: &Path) -> PathBuf {
    let files = fs::read_dir(store.join("log"))
        .unwrap()
        .map(|entry| entry.unwrap().path());
    files
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .max()
        .unwrap()
}

/// All files with their bytes.
pub(crate) fn image(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(image(&path));
        } else {
            files.insert(path.clone(), fs::read(path).unwrap());
        }
    }
    files
}

pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}
