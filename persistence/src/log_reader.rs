//! Reading the log: from the tail what it still holds, from the engine what lies further back.
//!
//! A reading knows the offset that must come next, and takes it from wherever it is at that moment: so it does not
//! matter that the tail moves on meanwhile, and nothing is skipped or seen twice where one source ends and the other
//! begins.

use std::ops::ControlFlow;
use std::sync::Arc;

use dormouse_domain::{Offset, Timestamp};

use crate::core::Core;
use crate::error::{StoreError, THE_LOG};
use crate::format::record::{Known, Record};
use crate::format::{Malformed, Reader, keys, record, segment};
use crate::reader::VisitCommit;
use crate::session::Session;
use crate::stored::StoredCommit;
use crate::sync::Guard;

/// Reads the log from the commit that holds `from` up to what is durable now; the last offset seen.
///
/// What is durable is read first, and the session looked up after that: the other way round the store might be reopened
/// in between, and the old session would miss what is durable since.
pub(crate) fn read_log(
    core: &Core,
    session: impl FnOnce() -> Result<Guard<Arc<Session>>, StoreError>,
    from: Offset,
    visit: VisitCommit<'_>,
) -> Result<Offset, StoreError> {
    let durable = core.durable();
    let session = session()?;
    let mut walk = Walk {
        session: &session,
        durable,
        next: from.max(Offset::new(1)),
        broken: false,
        visit,
    };
    while walk.next <= walk.durable && !walk.broken {
        walk.step()?;
    }
    Ok(Offset::new(walk.next.get() - 1))
}

/// The log's commits in order, each once, without gaps.
struct Walk<'a> {
    session: &'a Session,
    durable: Offset,
    /// The offset that must come next.
    next: Offset,
    broken: bool,
    visit: VisitCommit<'a>,
}

impl Walk<'_> {
    /// Goes on from the tail, or up to where the tail begins.
    fn step(&mut self) -> Result<(), StoreError> {
        let before = self.next;
        // The list is let go before anything is visited: a slow visitor must not keep what has left the tail.
        let list = self.session.tail.list();
        match list.segments(self.next) {
            Some(segments) => {
                drop(list);
                // The tail gets a segment a moment before it is told to be durable.
                let durable = self.durable;
                for segment in segments.iter().take_while(|segment| segment.first <= durable) {
                    self.segment(segment.first, segment.time, segment.records())?;
                    if self.broken {
                        break;
                    }
                }
            }
            None => {
                let end = list.after();
                drop(list);
                self.engine(end)?;
            }
        }
        if self.next == before && !self.broken && self.session.ended() {
            return Err(StoreError::Closed);
        }
        if self.next == before && !self.broken {
            return Err(damaged(before, "it is durable, but not there"));
        }
        Ok(())
    }

    /// Reads the engine's log up to `end`, the last offset of a segment.
    fn engine(&mut self, end: Offset) -> Result<(), StoreError> {
        let from = keys::log(self.session.shard, self.next);
        let mut expected = None;
        let mut failed = Ok(());
        self.session.engine.scan_log(
            &from,
            &mut |key, bytes| match self.row(key, bytes, end, &mut expected) {
                Ok(flow) => flow,
                Err(error) => {
                    failed = Err(error);
                    ControlFlow::Break(())
                }
            },
        )?;
        failed
    }

    /// Verifies a row, which begins at `expected` unless it is the first one, and visits its commits.
    fn row(
        &mut self,
        key: &[u8],
        bytes: &[u8],
        end: Offset,
        expected: &mut Option<Offset>,
    ) -> Result<ControlFlow<()>, StoreError> {
        let Some((shard, at)) = keys::parse_log(key) else {
            return Err(damaged(Offset::NONE, "a key that is not a segment's"));
        };
        if shard != self.session.shard || at > end.min(self.durable) {
            return Ok(ControlFlow::Break(()));
        }
        // The first row may begin before what is asked for.
        let expected_at = expected.unwrap_or(at.min(self.next));
        if at != expected_at {
            return Err(StoreError::LogGap {
                expected: expected_at,
                found: at,
            });
        }
        let (header, records) = segment::decode(bytes).map_err(|error| damaged(at, error))?;
        *expected = Some(header.last().next());
        self.segment(header.first, header.time, &records)?;
        if !self.broken && self.next != header.last().next() {
            return Err(damaged(
                at,
                "its records hold another number of events than it says",
            ));
        }
        Ok(if self.broken {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        })
    }

    /// Visits a segment's commits from the one that holds the next offset on.
    fn segment(&mut self, first: Offset, time: Timestamp, records: &[u8]) -> Result<(), StoreError> {
        let mut reader = Reader::new(records);
        let mut offset = first;
        let mut known = Known::default();
        while !reader.is_empty() && !self.broken {
            let record = next_record(&mut reader, &known).map_err(|error| damaged(first, error))?;
            known = Known {
                aggregate_type: record.aggregate_type,
                id: "",
                event: record.events().next().map_or("", |event| event.name),
            };
            let commit = StoredCommit::new(record, self.session.shard, offset, time);
            offset = commit.last_offset().next();
            if offset > self.next {
                self.next = offset;
                self.broken = (self.visit)(&commit).is_break();
            }
        }
        Ok(())
    }
}

fn next_record<'a>(reader: &mut Reader<'a>, known: &Known<'a>) -> Result<Record<'a>, Malformed> {
    record::take(reader).and_then(|bytes| Record::parse_knowing(bytes, known))
}

fn damaged(at: Offset, reason: impl std::fmt::Display) -> StoreError {
    StoreError::corrupt(THE_LOG, format!("the segment at offset {at}"), reason)
}
