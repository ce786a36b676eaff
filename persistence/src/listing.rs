//! Which streams there are: those of the tail and those of the index, as one list in the order of their ids.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use dormouse_domain::{AggregateId, AggregateType, StreamId, Version};

use crate::engine::{Family, Start};
use crate::error::StoreError;
use crate::format::keys;
use crate::reader;
use crate::session::Session;

/// Streams on one page: each costs two seeks, so a page of them some ten milliseconds.
pub(crate) const STREAMS_PAGE_MAX: usize = 1_000;

/// A part of the streams of one type, in the order of their ids (by bytes).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamsPage {
    /// The streams.
    pub streams: Vec<StreamSummary>,
    /// Whether there are streams after these. Go on after the last one's id.
    pub more: bool,
}

/// A stream that has events.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StreamSummary {
    /// Its type and id.
    pub stream: StreamId,
    /// The version of its newest event.
    pub head: Version,
}

/// Which ids are asked for.
pub(crate) struct Wanted<'a> {
    pub(crate) aggregate_type: &'a AggregateType,
    pub(crate) id_prefix: &'a str,
    pub(crate) after: Option<&'a AggregateId>,
    pub(crate) limit: usize,
}

/// A page of streams.
pub(crate) fn list(session: &Session, wanted: &Wanted<'_>) -> Result<StreamsPage, StoreError> {
    let limit = wanted.limit.min(STREAMS_PAGE_MAX);
    // no id has them, and in a key they would mean something else
    if limit == 0 || wanted.id_prefix.contains(char::is_control) {
        return Ok(StreamsPage::default());
    }
    // The tail first: what leaves it meanwhile is in the index by then. One more than wanted tells whether there are more.
    let mut ids = in_tail(session, wanted, limit + 1);
    ids.extend(in_index(session, wanted, limit + 1)?);
    let more = ids.len() > limit;
    let summary = |id| {
        let stream = StreamId::new(wanted.aggregate_type.clone(), id);
        let head = reader::head(session, &stream)?;
        Ok(StreamSummary { stream, head })
    };
    let streams: Result<_, StoreError> = ids.into_iter().take(limit).map(summary).collect();
    Ok(StreamsPage {
        streams: streams?,
        more,
    })
}

impl Wanted<'_> {
    fn takes(&self, id: &str) -> bool {
        id.starts_with(self.id_prefix) && self.after.is_none_or(|after| id > after.as_str())
    }
}

/// The first `count` ids in the tail. Looks at every commit there, a few at a time under the journal's lock.
fn in_tail(session: &Session, wanted: &Wanted<'_>, count: usize) -> BTreeSet<AggregateId> {
    let mut first = BTreeSet::<AggregateId>::new();
    let aggregate_type = wanted.aggregate_type.as_str().as_bytes();
    session.tail.list().each_name(&mut |of_type, id| {
        let Ok(id) = std::str::from_utf8(id) else { return };
        let full = first.len() == count;
        let is_first = of_type == aggregate_type
            && wanted.takes(id)
            && !(full && first.last().is_some_and(|last| id >= last.as_str()));
        if is_first && let Ok(id) = AggregateId::try_from(id) {
            first.insert(id);
            if first.len() > count {
                first.pop_last();
            }
        }
    });
    first
}

/// The first `count` ids in the index: one seek each, over all of a stream's rows to the next stream's first.
fn in_index(session: &Session, wanted: &Wanted<'_>, count: usize) -> Result<Vec<AggregateId>, StoreError> {
    let of_type = keys::type_prefix(session.shard, wanted.aggregate_type);
    let prefix = [&of_type, wanted.id_prefix.as_bytes()].concat();
    let mut from = match wanted.after {
        Some(after) if after.as_str() >= wanted.id_prefix => {
            if !after.as_str().starts_with(wanted.id_prefix) {
                return Ok(Vec::new());
            }
            keys::after_stream(&of_type, after)
        }
        _ => prefix.clone(),
    };
    let mut ids = Vec::new();
    while ids.len() < count {
        let mut found = None;
        let start = Start::AtOrAfter(&from);
        session
            .engine
            .scan(Family::Streams, &prefix, start, &mut |key, _| {
                found = Some(keys::id_of_stream_row(&of_type, key));
                ControlFlow::Break(())
            })?;
        let Some(id) = found else { break };
        let id = id.ok_or_else(|| {
            let place = format!("the first row after {:?}", ids.last());
            StoreError::corrupt("a stream's rows", place, "its key is not a stream's")
        })?;
        from = keys::after_stream(&of_type, &id);
        ids.push(id);
    }
    Ok(ids)
}
