//! The indexer: one thread that turns frozen generations into runs, one after another.

use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_domain::ShardId;

use crate::engine::{Engine, EngineError, Rows, Run};
use crate::format::{keys, record, rows};
use crate::metric_names;
use crate::session::Session;
use crate::tail::{Contents, Generation};

/// Runs until the session ends. After a panic the store stops: nobody would shorten the tail any more.
pub(crate) fn run(session: &Session) {
    if catch_unwind(AssertUnwindSafe(|| run_until_end(session))).is_err() {
        session.stop("the indexer panicked");
    }
}

fn run_until_end(session: &Session) {
    while let Some(generation) = session.tail.wait_for_frozen(|| session.indexer_ends()) {
        if !take(session, &generation) {
            return;
        }
    }
}

/// Indexes the oldest generation, if one is frozen. `false`: there was none, or nothing may be indexed any more.
#[cfg(feature = "simulation")]
pub(crate) fn step(session: &Session) -> bool {
    let oldest = (!session.indexer_ends()).then(|| session.tail.oldest_frozen());
    oldest.flatten().is_some_and(|oldest| take(session, &oldest))
}

/// `false`: it failed, and the store has stopped.
fn take(session: &Session, generation: &Arc<Generation>) -> bool {
    if let Err(error) = index_oldest(session, generation) {
        session.stop(&format!("indexing failed: {error}"));
        return false;
    }
    session.core.space.notify_waiters();
    true
}

/// Indexes the oldest generation, which is frozen, and only then takes it off the tail.
fn index_oldest(session: &Session, generation: &Arc<Generation>) -> Result<(), EngineError> {
    let start = Instant::now();
    store(&*session.engine, session.shard, generation)?;
    session.tail.remove_oldest();
    metrics::histogram!(metric_names::INDEX_RUN_SECONDS).record(start.elapsed().as_secs_f64());
    session.core.counters.runs_indexed.add(1);
    #[allow(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!(metric_names::INDEX_LAG_EVENTS).set(session.index_lag() as f64);
    Ok(())
}

/// What a run waits for the watermark: runs are seconds apart.
const PATIENCE: Duration = Duration::from_millis(5);

/// Stores a generation as a run, once the watermark speaks for all of it, which must be noted.
///
/// Rows of commits that the log then loses would be taken for those that come in their place. A log that ends before
/// its watermark is refused, and where that is overruled what is derived goes; so nothing may be derived from what
/// lies beyond it. Only the indexer waits here, no command does.
pub(crate) fn store(engine: &dyn Engine, shard: ShardId, generation: &Generation) -> Result<(), EngineError> {
    let run = build(shard, &generation.contents());
    engine.wait_for_mark(generation.end().offset, PATIENCE)?;
    engine.index(&run)
}

/// Turns a generation into sorted rows. The same generation gives the same rows.
pub(crate) fn build(shard: ShardId, contents: &Contents) -> Run {
    Run {
        streams: stream_rows(shard, contents),
        commands: command_rows(shard, contents),
        indexed: (keys::meta_indexed(shard), contents.end().encode()),
    }
}

/// What a stream is called: its aggregate's type and id.
type Names<'a> = (&'a [u8], &'a [u8]);

/// One row a stream, or several where it has more than a row takes.
fn stream_rows(shard: ShardId, contents: &Contents) -> Rows {
    let (numbers, streams) = by_stream(contents);
    let bytes = contents.record_bytes() + contents.len() * rows::ENTRY_HEADER_BYTES + streams.len() * 64;
    let mut out = Rows::with_capacity(streams.len(), bytes);
    for (names, place) in streams {
        let mut left = &numbers[place];
        while let Some((first, _)) = left.split_first() {
            let (row, rest) = left.split_at(row_len(contents, left));
            let (_, version, ..) = contents.entry(*first);
            out.push(
                |key| keys::push_stream_row(key, shard, names.0, names.1, version),
                |value| {
                    for number in row {
                        let (record, _, offset, time) = contents.entry(*number);
                        rows::push(value, offset, time, record);
                    }
                },
            );
            left = rest;
        }
    }
    out
}

/// The commits' numbers, a stream's together and by version, and where each stream's are, in the order of names.
///
/// The generation knows each stream's commits already, so only the streams themselves are sorted.
fn by_stream(contents: &Contents) -> (Vec<usize>, Vec<(Names<'_>, Range<usize>)>) {
    let names = |number: usize| record::names(contents.entry(number).0);
    let mut numbers = Vec::with_capacity(contents.len());
    let mut streams = Vec::with_capacity(contents.streams());
    for chain in contents.chains() {
        let start = numbers.len();
        numbers.extend(chain);
        let chain = &mut numbers[start..];
        chain.reverse();
        // Streams of one hash share a chain; a stable sort leaves each one's versions in order.
        if chain.iter().any(|number| names(*number) != names(chain[0])) {
            chain.sort_by_key(|number| names(*number));
        }
        let mut from = start;
        for stream in chain.chunk_by(|a, b| names(*a) == names(*b)) {
            streams.push((names(stream[0]), from..from + stream.len()));
            from += stream.len();
        }
    }
    streams.sort_unstable_by_key(|(names, _)| *names);
    (numbers, streams)
}

/// How many of a stream's commits make one row.
fn row_len(contents: &Contents, commits: &[usize]) -> usize {
    let mut bytes = 0;
    commits
        .iter()
        .take_while(|number| {
            let fits = bytes < rows::ROW_BYTES_MAX;
            bytes += contents.entry(**number).0.len();
            fits
        })
        .count()
}

fn command_rows(shard: ShardId, contents: &Contents) -> Rows {
    let names = |number: u32| record::names(contents.entry(number as usize).0);
    // Small elements, since there are many to sort, nearly in order. Only commits of one command need their names
    // compared; of one stream, the older comes first.
    let mut order: Vec<(u128, u32)> = (0..contents.len())
        .filter_map(|number| {
            let command = record::command_id(contents.entry(number).0)?;
            let number = u32::try_from(number).expect("a generation is bounded");
            Some((command, number))
        })
        .collect();
    order.sort_unstable();
    for same in order.chunk_by_mut(|a, b| a.0 == b.0) {
        same.sort_by_key(|(_, number)| names(*number));
    }
    let mut out = Rows::with_capacity(order.len(), order.len() * 64);
    for (i, (command, number)) in order.iter().enumerate() {
        let (names, next) = (names(*number), order.get(i + 1));
        // An id that caused several commits of a stream stands for the newest.
        if next.is_some_and(|next| {
            next.0 == *command && record::names(contents.entry(next.1 as usize).0) == names
        }) {
            continue;
        }
        let (_, version, ..) = contents.entry(*number as usize);
        out.push(
            |key| keys::push_command(key, *command, shard, names.0, names.1),
            |value| value.extend_from_slice(&version.get().to_be_bytes()),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::commit::CommitBuilder;
    use crate::format::meta::Indexed;
    use crate::format::segment::{self, Header};
    use crate::options::StoreOptions;
    use crate::queue::Placed;
    use crate::tail::Tail;
    use dormouse_domain::{AggregateType, Offset, StreamId, Timestamp, Version};

    /// The rows of a generation whose commits belong to these streams, in this order; `hash` of a stream's id.
    fn rows(streams: &[&str], hash: impl Fn(&str) -> u64) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut segment = vec![0; segment::HEADER_BYTES];
        let mut placed: Vec<Placed> = Vec::new();
        for (number, id) in streams.iter().enumerate() {
            let stream = StreamId::new(AggregateType::from_static("t"), (*id).try_into().unwrap());
            let version =
                Version::new(1 + streams[..number].iter().filter(|other| *other == id).count() as u64);
            let mut commit = CommitBuilder::new(&stream, version);
            commit.system_event("e", &[7; 90]).unwrap();
            let commit = commit.finish().unwrap();
            placed.push(Placed {
                start: segment.len() as u32,
                len: commit.bytes.len() as u32,
                events: 1,
                first_version: version,
                stream_hash: hash(id),
                command_hash: None,
            });
            segment.extend_from_slice(&commit.bytes);
        }
        let header = Header {
            shard: ShardId::FIRST,
            epoch: 1,
            batch: 1,
            first: Offset::new(1),
            time: Timestamp::from_micros(1),
            previous: 0,
            events: placed.len() as u32,
            commits: placed.len() as u32,
        };
        let tail = Tail::new(&StoreOptions::default().generation_bytes(1), Indexed::NONE);
        tail.add(segment.into(), &header, 0, placed.into_iter());
        let run = build(ShardId::FIRST, &tail.oldest_frozen().unwrap().contents());
        let rows = run.streams.iter();
        rows.map(|(key, value)| (key.to_vec(), value.to_vec())).collect()
    }

    #[test]
    fn streams_that_share_a_hash_get_rows_of_their_own() {
        let streams = ["b", "a", "b", "c", "a", "a", "b"];
        let apart = rows(&streams, |id| id.as_bytes()[0].into());
        assert_eq!(apart.len(), 3);
        assert!(apart.is_sorted(), "rows go into files in key order");
        assert_eq!(rows(&streams, |_| 5), apart);
    }

    /// Against the plainest rule there is: the last commit of (id, names) wins, rows in key order.
    #[test]
    fn rows_of_commands_are_those_of_a_sorted_map() {
        use dormouse_domain::{Codec, CommandFingerprint, CommandId, SchemaVersion};
        use std::collections::BTreeMap;
        let mut random = 88_172_645_463_325_252_u64;
        let mut below = move |n: u64| {
            random ^= random << 13;
            random ^= random >> 7;
            random ^= random << 17;
            random % n
        };
        for round in 0..300 {
            let (ids, streams) = (1 + below(6), 1 + below(7));
            let mut segment = vec![0; segment::HEADER_BYTES];
            let mut placed: Vec<Placed> = Vec::new();
            let mut heads = [0_u64; 8];
            let mut wanted = BTreeMap::new();
            for _ in 0..1 + below(120) {
                let which = below(streams) as usize;
                let (ty, id) = [
                    ("a", "b"),
                    ("ab", "b"),
                    ("a", "bb"),
                    ("a", "c"),
                    ("b", "a"),
                    ("ab", "a"),
                    ("a", "a b"),
                ][which];
                let stream = StreamId::new(AggregateType::from_static(ty), id.try_into().unwrap());
                let version = Version::new(heads[which] + 1);
                let mut commit = CommitBuilder::new(&stream, version);
                for _ in 0..1 + below(3) {
                    commit.system_event("e", &[7; 9]).unwrap();
                    heads[which] += 1;
                }
                if below(5) > 0 {
                    let command = CommandId::from(uuid::Uuid::from_u128(u128::from(below(ids)) << 100));
                    let fingerprint = CommandFingerprint {
                        name: 0,
                        version: SchemaVersion::FIRST,
                        fields: 0,
                    };
                    commit.command(command, fingerprint, Codec::Bincode, &()).unwrap();
                    wanted.insert(
                        keys::command(command, ShardId::FIRST, &stream),
                        version.get().to_be_bytes().to_vec(),
                    );
                }
                let events = commit.events() as u32;
                let commit = commit.finish().unwrap();
                placed.push(Placed {
                    start: segment.len() as u32,
                    len: commit.bytes.len() as u32,
                    events,
                    first_version: version,
                    stream_hash: which as u64 % 3,
                    command_hash: None,
                });
                segment.extend_from_slice(&commit.bytes);
            }
            let header = Header {
                shard: ShardId::FIRST,
                epoch: 1,
                batch: 1,
                first: Offset::new(1),
                time: Timestamp::from_micros(1),
                previous: 0,
                events: placed.iter().map(|p| p.events).sum(),
                commits: placed.len() as u32,
            };
            let tail = Tail::new(&StoreOptions::default().generation_bytes(1), Indexed::NONE);
            tail.add(segment.into(), &header, 0, placed.into_iter());
            let run = build(ShardId::FIRST, &tail.oldest_frozen().unwrap().contents());
            let rows: Vec<_> = run
                .commands
                .iter()
                .map(|(k, v)| (k.to_vec(), v.to_vec()))
                .collect();
            assert_eq!(rows, wanted.into_iter().collect::<Vec<_>>(), "round {round}");
        }
    }
}
