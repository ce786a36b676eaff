//! Reading a stream: the tail first, then the index; the tail wins.

use std::ops::ControlFlow;

use dormouse_domain::{CommandId, Offset, StreamId, Version};

use crate::engine::{Family, Start};
use crate::error::StoreError;
use crate::format::keys;
use crate::format::record::{Known, Record};
use crate::format::rows::{self, RowEntry};
use crate::hash;
use crate::planted::{Planted, planted};
use crate::session::Session;
use crate::stored::StoredCommit;
use crate::tail::TailCommit;
use crate::writer::Reached;

/// Called with each commit; `Break` ends the reading.
pub(crate) type VisitCommit<'v> = &'v mut dyn FnMut(&StoredCommit<'_>) -> ControlFlow<()>;

/// Reads a stream from the commit that holds `from` on.
pub(crate) fn read_stream(
    session: &Session,
    stream: &StreamId,
    from: Version,
    visit: VisitCommit<'_>,
) -> Result<Reached, StoreError> {
    // Before the list is taken: what is durable by now is in the list or in the index.
    let as_of = session.core.durable();
    let from = from.max(Version::new(1));
    let hash = hash::stream(stream.aggregate_type.as_str(), stream.id.as_str());
    let take_tail = || session.tail.list().commits(hash, stream, from);
    let mut tail = if planted(Planted::TailAfterIndex) {
        Vec::new()
    } else {
        take_tail()
    };
    let mut walk = Walk {
        session,
        stream,
        next: from,
        head: Version::NONE,
        broken: false,
        visit,
    };
    let tail_first = tail.first().map(|commit| commit.first_version);
    if tail_first.is_none_or(|first| first > from) {
        walk.index(tail_first)?;
    }
    if planted(Planted::TailAfterIndex) {
        tail = take_tail();
    }
    for commit in &tail {
        if walk.broken {
            break;
        }
        walk.tail_commit(commit)?;
    }
    // Who stopped early has not seen the head, and can't open the stream with what was reached.
    let as_of = if walk.broken { Offset::NONE } else { as_of };
    Ok(Reached {
        version: walk.head,
        stream: hash,
        as_of,
        generation: session.generation,
    })
}

/// A stream's commits in order, each once, without gaps.
struct Walk<'a> {
    session: &'a Session,
    stream: &'a StreamId,
    /// The version that must come next.
    next: Version,
    /// The last version seen, also of what was not visited.
    head: Version,
    broken: bool,
    visit: VisitCommit<'a>,
}

impl<'a> Walk<'a> {
    /// Walks the index up to where the tail begins.
    fn index(&mut self, tail_first: Option<Version>) -> Result<(), StoreError> {
        let shard = self.session.shard;
        let prefix = keys::stream_prefix(shard, self.stream);
        let from = keys::stream_row(shard, self.stream, self.next);
        // The row that holds a version may begin before it; but nothing begins before the first.
        let start = if self.next == Version::new(1) {
            Start::AtOrAfter(&from)
        } else {
            Start::AtOrBefore(&from)
        };
        let mut failed = Ok(());
        self.session
            .engine
            .scan(
                Family::Streams,
                &prefix,
                start,
                &mut |_, row| match self.row(row, tail_first) {
                    Ok(flow) => flow,
                    Err(error) => {
                        failed = Err(error);
                        ControlFlow::Break(())
                    }
                },
            )?;
        failed
    }

    fn row(&mut self, row: &[u8], tail_first: Option<Version>) -> Result<ControlFlow<()>, StoreError> {
        for entry in rows::entries(row, self.known()) {
            let RowEntry { first, time, record } = entry.map_err(|error| self.damaged(error))?;
            if tail_first.is_some_and(|tail| record.first_version >= tail) {
                return Ok(ControlFlow::Break(()));
            }
            if !self.is_ours(&record) {
                return Err(self.damaged("a row holds a commit of another stream"));
            }
            self.commit(&StoredCommit::new(record, self.session.shard, first, time))?;
            if self.broken {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn tail_commit(&mut self, commit: &TailCommit) -> Result<(), StoreError> {
        let record = Record::parse_knowing(commit.record(), &self.known());
        let record = record.map_err(|error| self.damaged(error))?;
        self.commit(&StoredCommit::new(
            record,
            self.session.shard,
            commit.first_offset,
            commit.time,
        ))
    }

    /// Visits the commit if it is the next one; passes over what was seen already.
    fn commit(&mut self, commit: &StoredCommit<'_>) -> Result<(), StoreError> {
        self.head = self.head.max(commit.last_version());
        if commit.last_version() < self.next {
            return Ok(());
        }
        if commit.first_version() > self.next && !planted(Planted::GapCheckRemoved) {
            let (stream, expected, found) = (self.stream.clone(), self.next, commit.first_version());
            return Err(StoreError::StreamGap {
                stream,
                expected,
                found,
            });
        }
        self.next = commit.last_version().next();
        self.broken = (self.visit)(commit).is_break();
        Ok(())
    }

    /// The names that the stream's records hold.
    fn known(&self) -> Known<'a> {
        let stream = self.stream;
        Known {
            aggregate_type: stream.aggregate_type.as_str(),
            id: stream.id.as_str(),
            event: "",
        }
    }

    fn is_ours(&self, record: &Record<'_>) -> bool {
        record.aggregate_type == self.stream.aggregate_type.as_str() && record.id == self.stream.id.as_str()
    }

    fn damaged(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::corrupt(
            "a stream's rows",
            format!("{} from version {}", self.stream, self.next),
            reason,
        )
    }
}

/// A stream's head.
pub(crate) fn head(session: &Session, stream: &StreamId) -> Result<Version, StoreError> {
    // Beyond every version: only the row before it is read, and nothing is visited.
    let beyond = Version::new(u64::MAX);
    read_stream(session, stream, beyond, &mut |_| ControlFlow::Break(())).map(|reached| reached.version)
}

/// The first version of the commit that a command caused in a stream.
pub(crate) fn find_command(
    session: &Session,
    stream: &StreamId,
    id: CommandId,
) -> Result<Option<Version>, StoreError> {
    let hash = hash::stream(stream.aggregate_type.as_str(), stream.id.as_str());
    if let Some(version) = session.tail.list().find_command(hash, stream, id.as_u128())
        && !planted(Planted::StragglerNotInTail)
    {
        return Ok(Some(version));
    }
    let key = keys::command(id, session.shard, stream);
    let Some(value) = session.engine.get(Family::Commands, &key)? else {
        return Ok(None);
    };
    let version: [u8; 8] = value.as_slice().try_into().map_err(|_| {
        StoreError::corrupt(
            "the command index",
            format!("{stream}, command {id}"),
            "it is not 8 bytes",
        )
    })?;
    Ok(Some(Version::new(u64::from_be_bytes(version))))
}
