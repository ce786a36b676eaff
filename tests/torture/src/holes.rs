//! Holes (P4, P5): a row of the log or of the index by stream goes missing beneath the store, without a trace: RocksDB
//! itself is asked to delete it. Whoever reads over the hole is told; nobody gets less without knowing.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use dormouse::{
    Aggregate, AggregateType, CommandId, Dormouse, Offset, Store, StoreError, StoreOptions, StreamId, Version,
};
use rocksdb::{DB, IteratorMode, Options};

use crate::counter::{Add, Counter, stream_name};
use crate::place;
use crate::random::Random;
use crate::tally::Tally;
use crate::violation::Violation;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Holes {
    /// Rows that go missing, one at a time.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) holes: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the store is made: new or empty; removed if nothing is found. Default: in memory, or else a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

const STREAMS: u32 = 12;
/// Commands of the store that is damaged.
const COMMANDS: u64 = 600;
/// Several runs, so that a stream has several rows.
const GENERATION_BYTES: usize = 16 << 10;
/// A stream's rows end with a version of so many bytes (docs/format.md).
const VERSION_BYTES: usize = 8;

/// Events of each stream of the store as it was made.
type Content = HashMap<u32, u64>;

/// A row that may be deleted.
#[derive(Debug)]
struct Row {
    instance: &'static str,
    family: &'static str,
    key: Vec<u8>,
}

pub(crate) async fn run(holes: &Holes) -> Result<Tally> {
    let place = place::make_in_memory(holes.directory.as_deref(), "holes")?;
    let sound = place.join("sound");
    let mut tally = Tally::new("holes", holes.holes);
    let content = make(&sound).await?;
    let mut rows = rows_between(&sound, "log", "default", |_| &[])?;
    rows.extend(rows_between(&sound, "derived", "streams", |key| {
        &key[..key.len().saturating_sub(VERSION_BYTES)]
    })?);
    tally.count("rows to choose from", rows.len() as u64);
    let mut random = Random::new(holes.seed, 0);
    for hole in 0..holes.holes {
        let row = &rows[random.below(rows.len() as u64) as usize];
        let store = place.join("store");
        copy(&sound, &store)?;
        delete(&store, row)?;
        let (outcome, violations) = judge(&store, &content)?;
        tally.tried(&format!("{}: {outcome}", row.instance), "");
        if !violations.is_empty() {
            let rerun = format!(
                "cargo run --release -p torture -- holes --seed {} --holes {}",
                holes.seed,
                hole + 1
            );
            tally.failed(&violations, &format!("hole {hole}, {row:?}"), &store, &rerun);
            return Ok(tally);
        }
        std::fs::remove_dir_all(&store)?;
    }
    place::remove(&place)?;
    Ok(tally)
}

/// A store of known content, closed.
async fn make(path: &Path) -> Result<Content> {
    let builder = Dormouse::builder(Store::open_with(path, options())?).aggregate::<Counter>();
    let runtime = builder.snapshot_every(0).start().await?;
    let mut content = Content::new();
    for number in 0..COMMANDS {
        let stream = number as u32 % STREAMS;
        let counter = runtime.entity::<Counter>(stream_name(stream))?;
        let count = counter
            .execute(Add::numbered(number))
            .id(CommandId::now())
            .await?;
        content.insert(stream, count);
    }
    runtime.shutdown().await?;
    Ok(content)
}

fn options() -> StoreOptions {
    StoreOptions::default().generation_bytes(GENERATION_BYTES)
}

fn open_rocks(directory: &Path) -> Result<DB> {
    let options = Options::default();
    let families = DB::list_cf(&options, directory)?;
    Ok(DB::open_cf(&options, directory, families)?)
}

/// Rows between two others of the same kind: what is missing at the end of the index is no hole.
fn rows_between(
    store: &Path,
    instance: &'static str,
    family: &'static str,
    kind: fn(&[u8]) -> &[u8],
) -> Result<Vec<Row>> {
    let rocks = open_rocks(&store.join(instance))?;
    let handle = rocks.cf_handle(family).context("the family is there")?;
    let keys = rocks.iterator_cf(handle, IteratorMode::Start);
    let keys: Vec<_> = keys
        .map(|row| row.map(|(key, _)| key))
        .collect::<Result<_, _>>()?;
    let between = keys
        .windows(3)
        .filter(|three| three.iter().all(|key| kind(key) == kind(&three[1])));
    Ok(between
        .map(|three| Row {
            instance,
            family,
            key: three[1].to_vec(),
        })
        .collect())
}

fn delete(store: &Path, row: &Row) -> Result<()> {
    let rocks = open_rocks(&store.join(row.instance))?;
    let family = rocks.cf_handle(row.family).context("the family is there")?;
    rocks.delete_cf(family, &row.key)?;
    rocks.flush_cf(family)?;
    Ok(())
}

/// Either the store does not open, or each reading of it is whole or an error.
fn judge(path: &Path, content: &Content) -> Result<(&'static str, Vec<Violation>)> {
    let store = match Store::open_with(path, options()) {
        Ok(store) => store,
        Err(StoreError::LogGap { .. } | StoreError::Corrupt { .. } | StoreError::LogDamaged { .. }) => {
            return Ok(("does not open", Vec::new()));
        }
        Err(other) => return Err(other.into()),
    };
    let (mut silent, mut told) = (Vec::new(), 0);
    let mut events = 0;
    let log = store.read_log(Offset::new(1), &mut |commit| {
        events += commit.event_count() as u64;
        ControlFlow::Continue(())
    });
    let all: u64 = content.values().sum();
    match log {
        Err(_) => told += 1,
        Ok(_) if events == all => {}
        Ok(_) => silent.push(format!(
            "the log is read as {events} events of {all}, and nothing said"
        )),
    }
    for (stream, expected) in content {
        let mut events = 0;
        let id = stream_name(*stream).as_str().try_into().expect("a valid id");
        let stream = StreamId::new(AggregateType::from_static(Counter::TYPE), id);
        let read = store.read_stream(&stream, Version::new(1), &mut |commit| {
            events += commit.event_count() as u64;
            ControlFlow::Continue(())
        });
        match read {
            Err(_) => told += 1,
            Ok(_) if events == *expected => {}
            Ok(_) => silent.push(format!(
                "{stream} is read as {events} events of {expected}, and nothing said"
            )),
        }
    }
    if silent.is_empty() && told == 0 {
        silent.push("a row is missing, and everything is there".to_owned());
    }
    store.close()?;
    let violations = silent.into_iter().map(|what| Violation::new("P5", what));
    Ok(("opens, and the reader is told", violations.collect()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let (from, to) = (entry.path(), to.join(entry.file_name()));
        if entry.file_type()?.is_dir() {
            copy(&from, &to)?;
        } else {
            std::fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
