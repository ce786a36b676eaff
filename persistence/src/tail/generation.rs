//! A generation: the part of the tail that is indexed as one run.

use std::sync::Arc;

use dormouse_domain::{Offset, StreamId, Timestamp, Version};
use parking_lot::{RwLock, RwLockReadGuard};

use crate::format::meta::Indexed;
use crate::format::record::{self, Record};
use crate::format::segment::{self, Header};
use crate::format::{Malformed, Reader};
use crate::hash::{self, HashedMap};
use crate::queue::Placed;

/// What one commit takes beside its bytes: its entry and its part of the maps.
const ENTRY_BYTES: usize = 96;
/// Ends a chain of entries.
const NONE: u32 = u32::MAX;

/// Consecutive segments. Filled by the journal, in whole batches; once another one follows it, it never changes.
pub(crate) struct Generation {
    after: Indexed,
    contents: RwLock<Contents>,
}

/// What a generation holds.
pub(crate) struct Contents {
    segments: Vec<Segment>,
    entries: Vec<Entry>,
    /// Stream hash to its newest entry; the others follow by `older_in_stream`. Streams of one hash share a chain.
    streams: HashedMap<u32>,
    /// Command hash to its newest entry, in the same way.
    commands: HashedMap<u32>,
    bytes: usize,
    end: Indexed,
}

struct Segment {
    bytes: Arc<[u8]>,
    time: Timestamp,
}

struct Entry {
    segment: u32,
    start: u32,
    len: u32,
    events: u32,
    older_in_stream: u32,
    older_command: u32,
    first_version: Version,
    first_offset: Offset,
}

/// A commit in the tail, kept alive by its segment.
pub(crate) struct TailCommit {
    segment: Arc<[u8]>,
    start: usize,
    end: usize,
    pub(crate) first_version: Version,
    pub(crate) first_offset: Offset,
    pub(crate) time: Timestamp,
}

impl TailCommit {
    pub(crate) fn record(&self) -> &[u8] {
        &self.segment[self.start..self.end]
    }
}

impl Generation {
    /// An empty generation after `after`, with room for about as much as the one before holds.
    pub(super) fn new(after: Indexed, before: Option<&Generation>) -> Generation {
        let mut contents = Contents {
            segments: Vec::new(),
            entries: Vec::new(),
            streams: HashedMap::default(),
            commands: HashedMap::default(),
            bytes: 0,
            end: after,
        };
        if let Some(before) = before {
            let before = before.contents.read();
            contents.segments.reserve(before.segments.len());
            contents.entries.reserve(before.entries.len());
            contents.streams.reserve(before.streams.len());
            contents.commands.reserve(before.commands.len());
        }
        Generation {
            after,
            contents: RwLock::new(contents),
        }
    }

    /// What is indexed when this generation is the oldest.
    pub(super) fn after(&self) -> Indexed {
        self.after
    }

    pub(super) fn end(&self) -> Indexed {
        self.contents.read().end
    }

    pub(super) fn bytes(&self) -> usize {
        self.contents.read().bytes
    }

    /// What it holds. A frozen generation never changes, so its lock is free.
    pub(crate) fn contents(&self) -> RwLockReadGuard<'_, Contents> {
        self.contents.read()
    }

    /// Adds a segment; how many bytes it takes, and how many the generation takes now.
    pub(super) fn add(
        &self,
        segment: Arc<[u8]>,
        header: &Header,
        hash: u128,
        placed: impl Iterator<Item = Placed>,
    ) -> (usize, usize) {
        let mut contents = self.contents.write();
        let added = segment.len() + header.commits as usize * ENTRY_BYTES;
        let number = u32::try_from(contents.segments.len()).expect("a generation is bounded");
        contents.segments.push(Segment {
            bytes: segment,
            time: header.time,
        });
        let mut offset = header.first;
        for commit in placed {
            contents.push(number, offset, &commit);
            offset = offset.plus(commit.events.into());
        }
        contents.bytes += added;
        contents.end = Indexed {
            offset: header.last(),
            hash,
        };
        (added, contents.bytes)
    }

    /// Adds the stream's commits to `found`, newest first; true once the one that holds `from`, or an older one,
    /// is among them.
    pub(super) fn collect(
        &self,
        hash: u64,
        stream: &StreamId,
        from: Version,
        found: &mut Vec<TailCommit>,
    ) -> bool {
        let contents = self.contents.read();
        for entry in contents.of_stream(hash, stream) {
            found.push(contents.commit(entry));
            if entry.first_version <= from {
                return true;
            }
        }
        false
    }

    pub(super) fn head(&self, hash: u64, stream: &StreamId) -> Option<Version> {
        let contents = self.contents.read();
        contents.of_stream(hash, stream).next().map(Entry::last_version)
    }

    pub(super) fn find_command(&self, stream_hash: u64, stream: &StreamId, command: u128) -> Option<Version> {
        let contents = self.contents.read();
        let newest = contents
            .commands
            .get(&hash::command(stream_hash, command))
            .copied();
        let mut chain = contents.chain(newest, |entry| entry.older_command);
        let found = chain.find(|entry| {
            let record = contents.record(entry);
            is_of(record, stream) && record::command_id(record) == Some(command)
        });
        found.map(|entry| entry.first_version)
    }
}

impl Contents {
    fn push(&mut self, segment: u32, first_offset: Offset, commit: &Placed) {
        let number = u32::try_from(self.entries.len()).expect("a generation is bounded");
        let older_in_stream = self.streams.insert(commit.stream_hash, number).unwrap_or(NONE);
        let older_command = commit
            .command_hash
            .and_then(|hash| self.commands.insert(hash, number))
            .unwrap_or(NONE);
        self.entries.push(Entry {
            segment,
            start: commit.start,
            len: commit.len,
            events: commit.events,
            older_in_stream,
            older_command,
            first_version: commit.first_version,
            first_offset,
        });
    }

    /// How many commits it holds.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// How many streams have commits in it, streams of one hash counted once.
    pub(crate) fn streams(&self) -> usize {
        self.streams.len()
    }

    /// The numbers of each stream's commits, newest first. Streams of one hash share a chain.
    pub(crate) fn chains(&self) -> impl Iterator<Item = impl Iterator<Item = usize>> {
        self.streams.values().map(move |newest| {
            let known = |number: u32| (number != NONE).then_some(number as usize);
            std::iter::successors(known(*newest), move |number| {
                known(self.entries[*number].older_in_stream)
            })
        })
    }

    /// Bytes of its segments.
    pub(crate) fn record_bytes(&self) -> usize {
        self.segments.iter().map(|segment| segment.bytes.len()).sum()
    }

    /// What is indexed once its run is.
    pub(crate) fn end(&self) -> Indexed {
        self.end
    }

    /// One commit's record, and where and when it was stored.
    pub(crate) fn entry(&self, number: usize) -> (&[u8], Version, Offset, Timestamp) {
        let entry = &self.entries[number];
        let time = self.segments[entry.segment as usize].time;
        (self.record(entry), entry.first_version, entry.first_offset, time)
    }

    fn of_stream<'a>(&'a self, hash: u64, stream: &'a StreamId) -> impl Iterator<Item = &'a Entry> {
        let newest = self.streams.get(&hash).copied();
        self.chain(newest, |entry| entry.older_in_stream)
            .filter(move |entry| is_of(self.record(entry), stream))
    }

    /// Entries from the newest on.
    fn chain(&self, newest: Option<u32>, older: impl Fn(&Entry) -> u32) -> impl Iterator<Item = &Entry> {
        let entry = |number: u32| self.entries.get(number as usize);
        std::iter::successors(newest.and_then(entry), move |newer| entry(older(newer)))
    }

    fn record(&self, entry: &Entry) -> &[u8] {
        let start = entry.start as usize;
        &self.segments[entry.segment as usize].bytes[start..start + entry.len as usize]
    }

    fn commit(&self, entry: &Entry) -> TailCommit {
        let segment = &self.segments[entry.segment as usize];
        TailCommit {
            segment: Arc::clone(&segment.bytes),
            start: entry.start as usize,
            end: entry.start as usize + entry.len as usize,
            first_version: entry.first_version,
            first_offset: entry.first_offset,
            time: segment.time,
        }
    }
}

impl Entry {
    fn last_version(&self) -> Version {
        Version::new(self.first_version.get() + u64::from(self.events) - 1)
    }
}

fn is_of(record: &[u8], stream: &StreamId) -> bool {
    let (aggregate_type, id) = record::names(record);
    aggregate_type == stream.aggregate_type.as_str().as_bytes() && id == stream.id.as_str().as_bytes()
}

/// Where the commits of a segment that was read back are, checked in every part.
pub(crate) fn placed(body: &[u8]) -> Result<Vec<Placed>, Malformed> {
    let mut reader = Reader::new(body);
    let mut placed = Vec::new();
    let mut start = segment::HEADER_BYTES;
    while !reader.is_empty() {
        let bytes = record::take(&mut reader)?;
        let record = Record::parse(bytes)?;
        let stream_hash = hash::stream(record.aggregate_type, record.id);
        placed.push(Placed {
            start: u32::try_from(start).map_err(|_| Malformed::Long("a segment"))?,
            len: u32::try_from(bytes.len()).map_err(|_| Malformed::Long("a record"))?,
            events: record.events,
            first_version: record.first_version,
            stream_hash,
            command_hash: record
                .command
                .map(|command| hash::command(stream_hash, command.id)),
        });
        start += bytes.len();
    }
    Ok(placed)
}
