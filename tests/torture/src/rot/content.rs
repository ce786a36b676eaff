//! Stores of known content, made once and copied for each case.

use std::fs;
use std::ops::{ControlFlow, Range};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use dormouse::{CommandId, Dormouse, Event, Offset, Store, StoreError, StoreOptions, StoredCommit};
use rocksdb::{DB, IteratorMode, Options, WriteOptions};

use super::wal;
use crate::counter::{Add, Counted, Counter, stream_name};
use crate::findings::UNHURRIED;

/// Streams of a store: each has some versions, and a snapshot.
const STREAMS: u64 = 24;
/// Commands of one session. Each opening makes a table of what the session before left in the write-ahead log.
const COMMANDS: u64 = 90;
/// Runs are made every few dozen commands.
const GENERATION_BYTES: usize = 16 << 10;
const SNAPSHOT_EVERY: u32 = 5;
/// No watermark but the one at closing.
const NEVER_MS: u64 = 3_600_000;
/// The write-ahead file of which every byte is hit.
pub(crate) const SWEPT_BYTES: u64 = 64 << 10;
/// What each write-ahead file of a log holds that was laid out again: RocksDB takes no smaller buffers.
const WAL_BYTES: usize = 64 << 10;
/// So many files, the last one live.
const WALS: usize = 4;

/// A commit, with all that makes it up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Commit {
    pub(crate) stream: String,
    pub(crate) first_version: u64,
    pub(crate) last_version: u64,
    pub(crate) first_offset: u64,
    pub(crate) last_offset: u64,
    pub(crate) time: u64,
    pub(crate) command: CommandId,
    pub(crate) reply: Vec<u8>,
    pub(crate) number: u64,
    events: Vec<(String, Vec<u8>)>,
}

impl Commit {
    pub(crate) fn of(commit: &StoredCommit<'_>) -> Self {
        let command = commit.command();
        let events: Vec<_> = commit
            .events()
            .map(|event| (event.name.to_owned(), event.payload.to_vec()))
            .collect();
        let number = commit.events().next().and_then(|event| {
            let counted = Counted::decode(event.name, event.schema, event.codec, event.payload);
            counted.ok().map(|Counted::Added { number, .. }| number)
        });
        Self {
            stream: commit.id().to_owned(),
            first_version: commit.first_version().get(),
            last_version: commit.last_version().get(),
            first_offset: commit.first_offset().get(),
            last_offset: commit.last_offset().get(),
            time: commit.time().as_micros(),
            command: command.map_or(CommandId::from(uuid::Uuid::nil()), |command| command.id),
            reply: command.map_or(Vec::new(), |command| command.reply.to_vec()),
            number: number.unwrap_or(u64::MAX),
            events,
        }
    }
}

/// A store as it is on the disk, and what it holds.
#[derive(Debug)]
pub(crate) struct Known {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
    pub(crate) commits: Vec<Commit>,
    /// The watermark, or the indexed position if it is higher: it never opens with less.
    pub(crate) promised: u64,
    /// The last offset of each segment, in order.
    pub(crate) segment_ends: Vec<u64>,
}

impl Known {
    pub(crate) fn end(&self) -> u64 {
        self.commits.last().map_or(0, |commit| commit.last_offset)
    }
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Stores {
    /// Tables, one write-ahead file, runs, snapshots; closed, so that the watermark is at the end.
    pub(crate) closed: Known,
    /// The same, its newest part in several write-ahead files.
    pub(crate) wals: Known,
    /// Crashed: what was written since it was opened is behind the watermark and the index.
    pub(crate) crashed: Known,
    /// One write-ahead file of 64 KiB is all of its log; closed.
    pub(crate) small: Known,
    /// Another store, like `closed`.
    pub(crate) other: PathBuf,
    /// `closed` as it was a session earlier.
    pub(crate) older: PathBuf,
}

impl Stores {
    pub(crate) async fn make(place: &Path) -> Result<Arc<Self>> {
        let (base, other, older) = (place.join("base"), place.join("other"), place.join("older"));
        let mut numbers = 0;
        let mut next = |many: u64| {
            numbers += many;
            numbers - many..numbers
        };
        for session in 0..4 {
            if session == 3 {
                copy(&base, &older)?;
            }
            write(&base, next(COMMANDS), GENERATION_BYTES, None).await?;
            write(&other, next(COMMANDS), GENERATION_BYTES, None).await?;
        }
        let closed = place.join("closed");
        copy(&base, &closed)?;
        let crashed = place.join("crashed");
        write(&base, next(COMMANDS), 64 << 20, Some(&crashed)).await?;
        let wals = place.join("wals");
        copy(&closed, &wals)?;
        write(&wals, next(1_200), GENERATION_BYTES, None).await?;
        lay_out(&wals.join("log"))?;
        let small = place.join("small");
        let mut many = 64;
        while !small.exists() || wal::files(&small)?.iter().all(|file| file.1 < SWEPT_BYTES) {
            if small.exists() {
                fs::remove_dir_all(&small)?;
            }
            many += 32;
            write(&small, next(many), 64 << 20, None).await?;
        }
        Self::at(place)
    }

    /// Those that were made there.
    pub(crate) fn at(place: &Path) -> Result<Arc<Self>> {
        Ok(Arc::new(Self {
            closed: known("closed", place.join("closed"), place)?,
            wals: known("several WALs", place.join("wals"), place)?,
            crashed: known("crashed", place.join("crashed"), place)?,
            small: known("small", place.join("small"), place)?,
            other: place.join("other"),
            older: place.join("older"),
        }))
    }

    /// Those with tables, runs and snapshots.
    pub(crate) fn large(&self) -> [&Known; 3] {
        [&self.closed, &self.wals, &self.crashed]
    }
}

/// Opens a store as the harness does.
pub(crate) fn options() -> StoreOptions {
    StoreOptions::default()
        .generation_bytes(GENERATION_BYTES)
        .watermark_every_ms(NEVER_MS)
        .cache_bytes(1 << 20)
}

/// A runtime on it, with snapshots.
pub(crate) async fn start(store: Store) -> Result<Dormouse> {
    start_with(store, SNAPSHOT_EVERY).await
}

async fn start_with(store: Store, snapshot_every: u32) -> Result<Dormouse> {
    let builder = Dormouse::builder(store).aggregate::<Counter>();
    let runtime = builder
        .default_deadline(UNHURRIED)
        .snapshot_every(snapshot_every)
        .arbiters(1)
        .readers(1)
        .start();
    Ok(runtime.await?)
}

/// One session: sends commands to all streams in turn. Closed at the end, or copied as a crash would leave it.
async fn write(
    path: &Path,
    numbers: Range<u64>,
    generation_bytes: usize,
    crash_copy: Option<&Path>,
) -> Result<()> {
    let store = Store::open_with(path, options().generation_bytes(generation_bytes))?;
    // A snapshot has the watermark written, and what crashes is to be behind it.
    let snapshot_every = if crash_copy.is_some() { 0 } else { SNAPSHOT_EVERY };
    let runtime = start_with(store, snapshot_every).await?;
    for number in numbers {
        let counter = runtime.entity::<Counter>(stream_name((number % STREAMS) as u32))?;
        let sent = counter.execute(Add::numbered(number)).id(CommandId::now());
        sent.await.context("a command to a sound store")?;
    }
    if let Some(to) = crash_copy {
        copy(path, to)?;
    }
    Ok(runtime.shutdown().await?)
}

/// Writes the log anew: the older part into tables, the rest into several write-ahead files, as a store leaves it that
/// is killed while RocksDB is behind.
fn lay_out(log: &Path) -> Result<()> {
    let rows: Vec<_> = {
        let db = DB::open_for_read_only(&tracking(), log, false)?;
        db.iterator(IteratorMode::Start).collect::<Result<_, _>>()?
    };
    fs::remove_dir_all(log)?;
    let mut options = tracking();
    options.create_if_missing(true);
    options.set_num_levels(2);
    options.set_write_buffer_size(WAL_BYTES);
    options.set_max_write_buffer_number(2 * WALS as i32);
    options.set_min_write_buffer_number_to_merge(2 * WALS as i32 - 1);
    let db = DB::open(&options, log)?;
    let mut synced = WriteOptions::default();
    synced.set_sync(true);
    let mut left: usize = rows.iter().map(|(_, value)| value.len()).sum();
    let mut unflushed = 0;
    for (key, value) in rows {
        db.put_opt(&key, &value, &synced)?;
        left -= value.len();
        unflushed += value.len();
        // two tables, then no more
        if left > WALS * WAL_BYTES && unflushed > WAL_BYTES / 2 {
            db.flush()?;
            unflushed = 0;
        }
    }
    drop(db);
    let wals = wal::files(log.parent().context("a store")?)?.len();
    ensure!(wals >= 3, "the log was laid out in {wals} write-ahead files");
    Ok(())
}

/// What a store holds: read from a copy, since opening changes it.
fn known(name: &'static str, path: PathBuf, place: &Path) -> Result<Known> {
    let copied = place.join("reading");
    copy(&path, &copied)?;
    let promised = dormouse_persistence::inspect::verify(&copied, &options())?;
    ensure!(promised.findings.is_empty(), "{name}: {:?}", promised.findings);
    let store = Store::open_with(&copied, options())?;
    let commits = read(&store)?;
    store.close()?;
    fs::remove_dir_all(&copied)?;
    let segment_ends = segment_ends(&path, &commits)?;
    let promised = promised
        .watermark
        .max(Some(promised.indexed))
        .map_or(0, Offset::get);
    Ok(Known {
        name,
        path,
        commits,
        promised,
        segment_ends,
    })
}

/// Without it a read-only opening of RocksDB 11.8 ends the process where a manifest tracks write-ahead files.
fn tracking() -> Options {
    let mut options = Options::default();
    options.set_track_and_verify_wals_in_manifest(true);
    options
}

/// The last offset of each segment: the commits of one have one key in the log.
fn segment_ends(store: &Path, commits: &[Commit]) -> Result<Vec<u64>> {
    let db = DB::open_for_read_only(&tracking(), store.join("log"), false)?;
    let rows = db.iterator(IteratorMode::Start).collect::<Result<Vec<_>, _>>()?;
    let first = |key: &[u8]| Ok::<_, anyhow::Error>(u64::from_be_bytes(key[2..].try_into()?));
    let firsts = rows
        .iter()
        .map(|(key, _)| first(key))
        .collect::<Result<Vec<_>>>()?;
    let end = commits.last().map_or(0, |commit| commit.last_offset);
    Ok(firsts
        .iter()
        .skip(1)
        .map(|first| first - 1)
        .chain([end])
        .collect())
}

/// The whole log.
pub(crate) fn read(store: &Store) -> Result<Vec<Commit>, StoreError> {
    let mut commits = Vec::new();
    store.read_log(Offset::new(1), &mut |commit| {
        commits.push(Commit::of(commit));
        ControlFlow::Continue(())
    })?;
    Ok(commits)
}

/// Copies a directory. RocksDB's own text logs stay behind: nothing depends on them.
pub(crate) fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        if entry.file_type()?.is_dir() {
            if name != "trash" {
                copy(&path, &to.join(name))?;
            }
        } else if !name.to_string_lossy().starts_with("LOG") {
            fs::copy(&path, to.join(name))?;
        }
    }
    Ok(())
}
