//! One client of a store, for tests: submits, waits for settlements, reads back.

use std::ops::ControlFlow;
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use dormouse_domain::{
    AggregateType, Codec, Command, CommandFingerprint, CommandId, Event, EventDecodeError, Offset, StreamId,
    Timestamp, Version,
};
use dormouse_persistence::{
    Commit, CommitBuilder, LogFollower, Settled, Settlement, SettlementSink, SinkId, Store, StoreError,
    StoredCommit, StreamWriter, Ticket,
};
use serde::{Deserialize, Serialize};

/// Far longer than anything takes: a test that waits so long has found a hang.
const HANG: Duration = Duration::from_secs(60);

#[derive(Debug, PartialEq, Eq, Event)]
pub enum Note {
    Added { text: String },
}

#[derive(Serialize, Deserialize, Command)]
pub struct Add {
    pub text: String,
}

/// What a test sees of one stored event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Seen {
    pub stream: String,
    pub version: u64,
    pub offset: u64,
    pub text: String,
}

pub struct Client {
    pub store: Store,
    sink: SinkId,
    settled: mpsc::Receiver<Settled>,
}

struct Channel(mpsc::Sender<Settled>);

impl SettlementSink for Channel {
    fn settled(&self, batch: Vec<Settled>) {
        for settled in batch {
            // A test that has seen enough may be gone.
            let _ = self.0.send(settled);
        }
    }
}

pub fn stream(id: &str) -> StreamId {
    StreamId::new(AggregateType::from_static("note"), id.try_into().unwrap())
}

pub fn commit(stream: &StreamId, first: Version, texts: &[&str], command: Option<CommandId>) -> Commit {
    let mut builder = CommitBuilder::new(stream, first);
    for text in texts {
        builder
            .event(&Note::Added { text: (*text).into() }, Codec::Bincode)
            .unwrap();
    }
    if let Some(id) = command {
        let fingerprint = CommandFingerprint::of::<Add, _>(&texts).unwrap();
        builder
            .command(id, fingerprint, Codec::Bincode, b"reply")
            .unwrap();
    }
    builder.finish().unwrap()
}

impl Client {
    pub fn new(store: &Store) -> Client {
        let (sender, settled) = mpsc::channel();
        let sink = store.register_sink(Arc::new(Channel(sender)));
        Client {
            store: store.clone(),
            sink,
            settled,
        }
    }

    pub fn open(&self, stream: &StreamId) -> StreamWriter {
        self.try_open(stream).unwrap()
    }

    /// Reads and opens; reads on where so much was written meanwhile that the reading is too old.
    pub fn try_open(&self, stream: &StreamId) -> Result<StreamWriter, StoreError> {
        let mut from = Version::new(1);
        loop {
            let reached = self
                .store
                .read_stream(stream, from, &mut |_| ControlFlow::Continue(()))?;
            match self.store.open_stream(stream, reached) {
                Err(StoreError::ReadOutdated { .. }) => from = reached.version().next(),
                opened => return opened,
            }
        }
    }

    pub fn ticket(&self, key: u64) -> Ticket {
        Ticket { sink: self.sink, key }
    }

    /// Submits the commit that follows the writer's head.
    pub fn submit(&self, writer: &StreamWriter, texts: &[&str], command: Option<CommandId>, key: u64) {
        let commit = commit(writer.stream(), writer.head().next(), texts, command);
        self.store.submit(writer, commit, self.ticket(key));
    }

    /// The next settlement.
    pub fn settled(&self) -> Settled {
        self.settled.recv_timeout(HANG).expect("every submission settles")
    }

    /// Drops the store; its settlements, up to the last one.
    pub fn into_settlements(self) -> mpsc::Receiver<Settled> {
        self.settled
    }

    pub fn no_more_settlements(&self) {
        assert!(self.settled.try_recv().is_err(), "a submission settled twice");
    }

    /// Submits and waits.
    pub fn append(&self, writer: &StreamWriter, texts: &[&str], command: Option<CommandId>) -> Settlement {
        self.submit(writer, texts, command, 0);
        self.settled().settlement
    }

    /// Submits and waits; the offset of its first event.
    pub fn durable(&self, writer: &StreamWriter, texts: &[&str]) -> Offset {
        match self.append(writer, texts, None) {
            Settlement::Durable { first, .. } => first.offset,
            other => panic!("not durable: {other:?}"),
        }
    }
}

pub fn seen(commit: &StoredCommit<'_>) -> Vec<Seen> {
    let text = |event: &dormouse_persistence::StoredEvent<'_>| -> Result<String, EventDecodeError> {
        let Note::Added { text } = Note::decode(event.name, event.schema, event.codec, event.payload)?;
        Ok(text)
    };
    commit
        .events()
        .map(|event| Seen {
            stream: commit.stream().id.as_str().into(),
            version: event.version.get(),
            offset: event.offset.get(),
            text: text(&event).unwrap(),
        })
        .collect()
}

/// A stream's events from a version on.
pub fn read(store: &Store, stream: &StreamId, from: u64) -> Result<(Vec<Seen>, Version), StoreError> {
    let mut events = Vec::new();
    let reached = store.read_stream(stream, Version::new(from), &mut |commit| {
        events.extend(seen(commit));
        ControlFlow::Continue(())
    })?;
    Ok((events, reached.version()))
}

/// A stream's texts.
pub fn texts(store: &Store, stream: &StreamId) -> Vec<String> {
    read(store, stream, 1)
        .unwrap()
        .0
        .into_iter()
        .map(|event| event.text)
        .collect()
}

/// The whole log, with each commit's time.
pub fn log(store: &Store, from: u64) -> Result<(Vec<Seen>, Vec<Timestamp>), StoreError> {
    let (mut events, mut times) = (Vec::new(), Vec::new());
    store.read_log(Offset::new(from), &mut |commit| {
        events.extend(seen(commit));
        times.push(commit.time());
        ControlFlow::Continue(())
    })?;
    Ok((events, times))
}

/// The offsets that a follower has not read yet.
pub fn follow(follower: &mut LogFollower) -> Vec<u64> {
    let mut offsets = Vec::new();
    let read = follower.read(&mut |commit| {
        offsets.extend(commit.events().map(|event| event.offset.get()));
        ControlFlow::Continue(())
    });
    read.unwrap();
    offsets
}

/// Waits until a follower has something to read.
pub fn wait(follower: &mut LogFollower) -> Result<(), StoreError> {
    block_on(follower.wait())
}

/// What a follower is told that waits already while something happens.
pub fn wait_during(follower: &mut LogFollower, something: impl FnOnce()) -> Result<(), StoreError> {
    let mut waiting = std::pin::pin!(follower.wait());
    let mut context = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(
        waiting.as_mut().poll(&mut context).is_pending(),
        "nothing new is there"
    );
    something();
    block_on(waiting)
}

fn block_on<T>(waiting: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build();
    let waiting = async { tokio::time::timeout(HANG, waiting).await };
    runtime.unwrap().block_on(waiting).expect("a follower that hangs")
}

/// Checks that offsets run from 1 and versions in each stream, too, without gaps, and that every stream read by
/// itself says what the log says.
pub fn check_gapless(store: &Store) -> Vec<Seen> {
    let (events, times) = log(store, 1).unwrap();
    assert_eq!(events.len() as u64, store.durable().get());
    let mut streams = std::collections::BTreeMap::<_, Vec<Seen>>::new();
    for (event, offset) in events.iter().zip(1..) {
        assert_eq!(event.offset, offset, "offsets have no gap");
        streams
            .entry(event.stream.clone())
            .or_default()
            .push(event.clone());
    }
    assert!(times.is_sorted(), "times never step back");
    for (id, events) in streams {
        for (event, version) in events.iter().zip(1..) {
            assert_eq!(event.version, version, "versions of {id} have no gap");
        }
        let (read, head) = read(store, &stream(&id), 1).unwrap();
        assert_eq!(read, events, "stream {id} says what the log says");
        assert_eq!(head.get(), events.len() as u64);
        assert_eq!(store.head(&stream(&id)).unwrap(), head);
    }
    events
}

/// Waits for what another thread of the store is about to do.
pub fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let start = Instant::now();
    while !holds() {
        assert!(start.elapsed() < HANG, "never came: {what}");
        std::thread::yield_now();
    }
}
