//! The indexer: one thread that turns frozen generations into runs, one after another.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Instant;

use dormouse_domain::{ShardId, Version};

use crate::engine::{EngineError, Rows, Run};
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
        if let Err(error) = index_oldest(session, &generation) {
            session.stop(&format!("indexing failed: {error}"));
            return;
        }
        session.core.space.notify_waiters();
    }
}

/// Indexes the oldest generation, which is frozen, and only then takes it off the tail.
fn index_oldest(session: &Session, generation: &Arc<Generation>) -> Result<(), EngineError> {
    let start = Instant::now();
    let run = build(session.shard, &generation.contents());
    session.engine.index(&run)?;
    session.tail.remove_oldest();
    metrics::histogram!(metric_names::INDEX_RUN_SECONDS).record(start.elapsed().as_secs_f64());
    session.core.counters.runs_indexed.add(1);
    #[allow(clippy::cast_precision_loss, reason = "a gauge")]
    metrics::gauge!(metric_names::INDEX_LAG_EVENTS).set(session.index_lag() as f64);
    Ok(())
}

/// Turns a generation into sorted rows. The same generation gives the same rows.
pub(crate) fn build(shard: ShardId, contents: &Contents) -> Run {
    Run {
        streams: stream_rows(shard, contents),
        commands: command_rows(shard, contents),
        indexed: (keys::meta_indexed(shard), contents.end().encode()),
    }
}

/// A commit by its stream's names and its version, and its number in the generation.
type InOrder<'a> = ((&'a [u8], &'a [u8]), Version, usize);

/// One row a stream, or several where it has more than a row takes.
fn stream_rows(shard: ShardId, contents: &Contents) -> Rows {
    let mut order: Vec<InOrder<'_>> = (0..contents.len())
        .map(|number| {
            let (record, version, ..) = contents.entry(number);
            (record::names(record), version, number)
        })
        .collect();
    order.sort_unstable();
    let bytes = contents.record_bytes() + contents.len() * (rows::ENTRY_HEADER_BYTES + 64);
    let mut out = Rows::with_capacity(contents.len(), bytes);
    let mut left = &order[..];
    while let Some(((names, version, _), _)) = left.split_first() {
        let row = row_len(contents, left);
        let (taken, rest) = left.split_at(row);
        out.push(
            |key| keys::push_stream_row(key, shard, names.0, names.1, *version),
            |value| {
                for (_, _, number) in taken {
                    let (record, _, offset, time) = contents.entry(*number);
                    rows::push(value, offset, time, record);
                }
            },
        );
        left = rest;
    }
    out
}

/// How many of the first commits make one row.
fn row_len(contents: &Contents, commits: &[InOrder<'_>]) -> usize {
    let mut bytes = 0;
    let names = commits[0].0;
    commits
        .iter()
        .take_while(|commit| {
            let fits = bytes < rows::ROW_BYTES_MAX && commit.0 == names;
            bytes += contents.entry(commit.2).0.len();
            fits
        })
        .count()
}

fn command_rows(shard: ShardId, contents: &Contents) -> Rows {
    let mut order: Vec<_> = (0..contents.len())
        .filter_map(|number| {
            let (record, version, ..) = contents.entry(number);
            let command = record::command_id(record)?;
            Some((command, record::names(record), version))
        })
        .collect();
    order.sort_unstable();
    let mut out = Rows::with_capacity(order.len(), order.len() * 64);
    for (i, (command, names, version)) in order.iter().enumerate() {
        // An id that caused several commits of a stream stands for the newest.
        if order
            .get(i + 1)
            .is_some_and(|next| (next.0, next.1) == (*command, *names))
        {
            continue;
        }
        out.push(
            |key| keys::push_command(key, *command, shard, names.0, names.1),
            |value| value.extend_from_slice(&version.get().to_be_bytes()),
        );
    }
    out
}
