//! A generation: the part of the tail that is indexed as one run.

use std::ops::ControlFlow;
use std::sync::Arc;

use dormouse_domain::{Offset, StreamId, Timestamp, Version};

use crate::format::meta::Indexed;
use crate::format::record::{self, Record};
use crate::format::segment::{self, Header};
use crate::format::{Malformed, Reader};
use crate::hash::{self, HashedMap};
use crate::queue::Placed;
use crate::sync::{RwLock, RwLockReadGuard};

/// What one commit takes beside its bytes: its entry and its part of the maps.
const ENTRY_BYTES: usize = 96;
/// Entries that a reader goes through before it lets go of the lock for a moment: some ten microseconds. The journal
/// adds to the newest generation under the same lock, and a hot stream has a hundred thousand entries in it.
const WALK_ENTRIES: usize = 256;
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
    first: Offset,
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

/// A whole segment in the tail, kept alive by itself. Its records were made here, or checked when it was read back.
pub(crate) struct TailSegment {
    pub(crate) bytes: Arc<[u8]>,
    pub(crate) first: Offset,
    pub(crate) time: Timestamp,
}

impl TailSegment {
    /// Its commit records, one after another.
    pub(crate) fn records(&self) -> &[u8] {
        &self.bytes[segment::HEADER_BYTES..]
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

    pub(crate) fn end(&self) -> Indexed {
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
            first: header.first,
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

    /// Shows segments, beginning with the one that holds `from`, or else the first one after it, for as long as
    /// `take` says.
    pub(super) fn segments(&self, from: Offset, mut take: impl FnMut(TailSegment) -> bool) -> bool {
        let contents = self.contents.read();
        let later = contents.segments.partition_point(|segment| segment.first <= from);
        contents.segments[later.saturating_sub(1)..]
            .iter()
            .all(|segment| {
                take(TailSegment {
                    bytes: Arc::clone(&segment.bytes),
                    first: segment.first,
                    time: segment.time,
                })
            })
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
        let newest = self.contents.read().streams.get(&hash).copied();
        let mut next = newest.unwrap_or(NONE);
        // What is older than an entry never changes, so the walk goes on where it was, whatever came meanwhile.
        loop {
            let contents = self.contents.read();
            match contents.collect(next, stream, from, found) {
                ControlFlow::Continue(older) => next = older,
                ControlFlow::Break(reached) => return reached,
            }
        }
    }

    /// Shows the type and the id of every commit's stream, with the lock free in between.
    pub(super) fn each_name(&self, visit: &mut dyn FnMut(&[u8], &[u8])) {
        let mut next = 0;
        loop {
            let contents = self.contents.read();
            let until = contents.entries.len().min(next + WALK_ENTRIES);
            if next == until {
                return;
            }
            for entry in &contents.entries[next..until] {
                let (aggregate_type, id) = record::names(contents.record(entry));
                visit(aggregate_type, id);
            }
            next = until;
        }
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

    /// A part of [`Generation::collect`]: the entry to go on with, or its result.
    fn collect(
        &self,
        mut number: u32,
        stream: &StreamId,
        from: Version,
        found: &mut Vec<TailCommit>,
    ) -> ControlFlow<bool, u32> {
        for _ in 0..WALK_ENTRIES {
            let Some(entry) = self.entries.get(number as usize) else {
                return ControlFlow::Break(false);
            };
            if is_of(self.record(entry), stream) {
                found.push(self.commit(entry));
                if entry.first_version <= from {
                    return ControlFlow::Break(true);
                }
            }
            number = entry.older_in_stream;
        }
        ControlFlow::Continue(number)
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
                .command()
                .map(|command| hash::command(stream_hash, command.id)),
        });
        start += bytes.len();
    }
    Ok(placed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::CommitBuilder;
    use dormouse_domain::{AggregateType, ShardId};

    fn stream(id: &str) -> StreamId {
        StreamId::new(AggregateType::from_static("t"), id.try_into().unwrap())
    }

    /// Takes one commit of one event as a segment of its own.
    fn add(generation: &Generation, stream: &StreamId, version: u64) {
        let mut commit = CommitBuilder::new(stream, Version::new(version));
        commit.system_event("event", b"").unwrap();
        let record = commit.finish().unwrap().bytes;
        let header = Header {
            shard: ShardId::new(0),
            epoch: 1,
            batch: 1,
            first: generation.end().offset.next(),
            time: Timestamp::from_micros(1),
            previous: 0,
            events: 1,
            commits: 1,
        };
        let segment = [&[0; segment::HEADER_BYTES], &record[..]].concat();
        generation.add(segment.into(), &header, 0, placed(&record).unwrap().into_iter());
    }

    fn collected(generation: &Generation, stream: &StreamId, from: u64) -> (Vec<u64>, bool) {
        let hash = hash::stream(stream.aggregate_type.as_str(), stream.id.as_str());
        let mut found = Vec::new();
        let reached = generation.collect(hash, stream, Version::new(from), &mut found);
        let versions = found.iter().map(|commit| commit.first_version.get());
        (versions.collect(), reached)
    }

    #[test]
    fn a_long_stream_is_collected_whole_and_in_pieces() {
        let after = Indexed {
            offset: Offset::NONE,
            hash: 0,
        };
        let (generation, hot, other) = (Generation::new(after, None), stream("hot"), stream("other"));
        let piece = WALK_ENTRIES as u64;
        let commits = 3 * piece;
        for version in 1..=commits {
            add(&generation, &hot, version + 1);
            add(&generation, &other, version);
        }
        // Around the ends of pieces, and beyond both ends of the stream.
        for from in [0, 1, 2, 3, piece, piece + 1, piece + 2, commits + 1, commits + 9] {
            let oldest = from.clamp(2, commits + 1);
            let expected: Vec<u64> = (oldest..=commits + 1).rev().collect();
            assert_eq!(
                collected(&generation, &hot, from),
                (expected, from > 1),
                "from {from}"
            );
        }
        let contents = generation.contents();
        let newest = u32::try_from(contents.len()).unwrap() - 1;
        let mut found = Vec::new();
        let flow = contents.collect(newest, &other, Version::new(1), &mut found);
        assert_eq!(found.len(), WALK_ENTRIES, "the lock is held for one piece");
        assert!(flow.is_continue());
    }
}
