//! Commits that will be one segment.

use dormouse_domain::Version;

use crate::commit::Commit;
use crate::format::segment;
use crate::settlement::Ticket;

/// A commit of this size is not copied under the lock: that takes a microsecond, and its submitters wait in turn.
pub(super) const LARGE_COMMIT_BYTES: usize = 16 * 1024;

/// Commits that will be one segment.
#[derive(Default)]
pub(crate) struct Batch {
    /// Room for the segment's header, then the records; the large ones once it is assembled.
    pub(crate) segment: Vec<u8>,
    /// Large records that are not in their place yet, in order.
    large: Vec<Large>,
    large_bytes: usize,
    pub(crate) items: Vec<Item>,
    /// Commits and events in the segment: stale items have none.
    pub(crate) commits: u32,
    pub(crate) events: u32,
    /// Bytes of all records submitted, stale ones included.
    pub(crate) submitted_bytes: usize,
    pub(crate) last_submission: u64,
}

/// A large record, and where in the segment it belongs.
struct Large {
    start: usize,
    record: Vec<u8>,
}

/// One submission.
pub(crate) struct Item {
    pub(crate) ticket: Ticket,
    pub(crate) last_version: Version,
    pub(crate) fate: Fate,
}

/// What is to be done with a submission.
pub(crate) enum Fate {
    /// It has its place in the segment.
    Write(Placed),
    /// It does not follow this head.
    Stale(Version),
}

/// A commit's place in a segment, and what the tail finds it by.
#[derive(Clone, Copy)]
pub(crate) struct Placed {
    pub(crate) start: u32,
    pub(crate) len: u32,
    pub(crate) events: u32,
    pub(crate) first_version: Version,
    pub(crate) stream_hash: u64,
    pub(crate) command_hash: Option<u64>,
}

impl Batch {
    /// How long its segment will be.
    pub(super) fn bytes(&self) -> usize {
        self.segment.len() + self.large_bytes
    }

    /// Gives a commit its place behind the ones before, and takes its bytes.
    pub(super) fn place(
        &mut self,
        stream_hash: u64,
        command_hash: Option<u64>,
        commit: &mut Commit,
    ) -> Placed {
        if self.segment.is_empty() {
            self.segment.resize(segment::HEADER_BYTES, 0);
        }
        let (start, len) = (self.bytes(), commit.bytes.len());
        if len < LARGE_COMMIT_BYTES {
            self.segment.extend_from_slice(&commit.bytes);
        } else {
            let record = std::mem::take(&mut commit.bytes);
            self.large.push(Large { start, record });
            self.large_bytes += len;
        }
        self.commits += 1;
        self.events += commit.events;
        Placed {
            start: u32::try_from(start).expect("a batch is bounded far below 4 GiB"),
            len: u32::try_from(len).expect("a commit is bounded far below 4 GiB"),
            events: commit.events,
            first_version: commit.first_version,
            stream_hash,
            command_hash,
        }
    }

    /// Copies the large records to their places. Those before the first one are in theirs.
    pub(crate) fn assemble(&mut self) {
        let Some(first) = self.large.first() else { return };
        let whole = self.bytes();
        let behind = self.segment.split_off(first.start);
        let mut behind = behind.as_slice();
        self.segment.reserve(whole - self.segment.len());
        for Large { start, record } in self.large.drain(..) {
            let (between, rest) = behind.split_at(start - self.segment.len());
            self.segment.extend_from_slice(between);
            self.segment.extend_from_slice(&record);
            behind = rest;
        }
        self.segment.extend_from_slice(behind);
        self.large_bytes = 0;
    }

    pub(super) fn clear(&mut self) {
        self.segment.clear();
        self.large.clear();
        self.large_bytes = 0;
        self.items.clear();
        self.commits = 0;
        self.events = 0;
        self.submitted_bytes = 0;
        self.last_submission = 0;
    }
}

#[cfg(test)]
impl Batch {
    pub(super) fn misplace_large_records(&mut self) {
        for large in &mut self.large {
            large.start = usize::MAX;
        }
    }
}
