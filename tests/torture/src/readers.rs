//! Readers (P2, P4, P6, P7): what was answered is read again in every way there is, while runs are published and
//! aggregates evicted under the readers' hands. In a healthy store each command is answered, and with a reply.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use anyhow::Result;
use dormouse::{
    Aggregate, AggregateType, CommandId, Dormouse, Entity, Offset, Store, StoreOptions, StreamId, Version,
};

use crate::counter::{Add, Counter, stream_name};
use crate::findings::{Findings, UNHURRIED, answered};
use crate::heard::{Answer, Told};
use crate::model::Model;
use crate::place;
use crate::random::Random;
use crate::tally::Tally;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Readers {
    /// Readings, of all kinds together.
    #[arg(long, default_value_t = 1_000_000)]
    pub(crate) readings: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the store is made: new or empty; removed if nothing is found. Default: in memory, or else a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

const WRITERS: u64 = 64;
/// So few that each run holds commits of all of them.
const STREAMS: u64 = 32;
/// Threads that read the store, beside the aggregates' own readers.
const READERS: u64 = 2;
/// A run every few dozen commands: what a reader must not miss moves from the tail to the index all the time.
const GENERATION_BYTES: usize = 8 << 10;
/// Memory for a third of the counters.
const BUDGET_BYTES: usize = 48 << 10;
const SNAPSHOT_EVERY: u32 = 8;
/// Ids leave an aggregate's memory after so many commands, ...
const RECENT_IDS: usize = 4;
/// ... and a writer asks again for one of so many that it remembers.
const REMEMBERED: usize = 32;
/// Versions before the newest acknowledged one at which most readings begin: a whole stream is long.
const BACK: u64 = 60;

/// What all of them share.
struct Shared {
    runtime: Dormouse,
    findings: Findings,
    numbers: AtomicU64,
    /// The newest version of each stream that was acknowledged to anybody, ...
    acknowledged: Vec<AtomicU64>,
    /// ... and the newest position.
    position: AtomicU64,
    told: Mutex<Vec<Told>>,
}

pub(crate) async fn run(readers: &Readers) -> Result<Tally> {
    // many runs count here, not what a disk makes of them
    let place = place::make_in_memory(readers.directory.as_deref(), "readers")?;
    let store = place.join("store");
    let mut tally = Tally::new("readers", readers.readings);
    let shared = Arc::new(Shared {
        runtime: open(&store).await?,
        findings: Findings::default(),
        numbers: AtomicU64::new(1),
        acknowledged: (0..STREAMS).map(|_| AtomicU64::new(0)).collect(),
        position: AtomicU64::new(0),
        told: Mutex::default(),
    });
    let threads: Vec<_> = (0..READERS)
        .map(|reader| {
            let (shared, random) = (Arc::clone(&shared), Random::new(readers.seed, 1_000 + reader));
            std::thread::spawn(move || read(&shared, random))
        })
        .collect();
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| tokio::spawn(write(Arc::clone(&shared), Random::new(readers.seed, writer))))
        .collect();
    shared.findings.until(readers.readings.into(), &mut tally).await;
    for writer in writers {
        writer.await??;
    }
    for thread in threads {
        thread.join().expect("a reader does not panic");
    }
    let mut violations = shared.findings.end(&mut tally);
    if violations.is_empty() {
        let mut model = Model::default();
        violations = model.read_on(shared.runtime.store())?;
        let told = shared.told.lock().expect("nobody panics with it");
        violations.extend(told.iter().filter_map(|told| model.hold(told)));
        tally.count("commands", told.len() as u64);
    }
    let statistics = shared.runtime.statistics();
    tally.count("runs published", statistics.store.runs_indexed);
    tally.count("evicted", statistics.passivated_memory);
    shared.runtime.shutdown().await?;
    if violations.is_empty() {
        place::remove(&place)?;
    } else {
        let rerun = format!(
            "cargo run --release -p torture -- readers --seed {}",
            readers.seed
        );
        tally.failed(&violations, &format!("reading {}", tally.tried), &store, &rerun);
    }
    Ok(tally)
}

async fn open(store: &std::path::Path) -> Result<Dormouse> {
    let options = StoreOptions::default().generation_bytes(GENERATION_BYTES);
    let builder = Dormouse::builder(Store::open_with(store, options)?).aggregate::<Counter>();
    let builder = builder
        .default_deadline(UNHURRIED)
        .memory_budget_bytes(BUDGET_BYTES)
        .snapshot_every(SNAPSHOT_EVERY)
        .passivate_after(Duration::from_millis(200))
        .recent_ids(RECENT_IDS);
    Ok(builder.start().await?)
}

fn stream(number: u64) -> StreamId {
    let id = stream_name(number as u32)
        .as_str()
        .try_into()
        .expect("a valid id");
    StreamId::new(AggregateType::from_static(Counter::TYPE), id)
}

/// A command that was answered, as its writer remembers it.
#[derive(Debug, Clone, Copy)]
struct Done {
    number: u64,
    stream: u64,
    id: CommandId,
    version: u64,
}

/// Sends commands; now and then one again that was answered, and a question.
async fn write(shared: Arc<Shared>, mut random: Random) -> Result<()> {
    let mut done: Vec<Done> = Vec::with_capacity(REMEMBERED);
    while !shared.findings.is_over() {
        match random.below(4) {
            0 if !done.is_empty() => {
                let again = done[random.below(done.len() as u64) as usize];
                ask_again(&shared, again).await?;
            }
            1 => query(&shared, random.below(STREAMS)).await?,
            _ => {
                let Some(new) = send(&shared, random.below(STREAMS)).await? else {
                    return Ok(());
                };
                if done.len() == REMEMBERED {
                    done.swap_remove(random.below(REMEMBERED as u64) as usize);
                }
                done.push(new);
            }
        }
    }
    Ok(())
}

fn counter(shared: &Shared, stream: u64) -> Result<Entity<Counter>> {
    Ok(shared.runtime.entity::<Counter>(stream_name(stream as u32))?)
}

async fn send(shared: &Shared, stream: u64) -> Result<Option<Done>> {
    let number = shared.numbers.fetch_add(1, Ordering::Relaxed);
    let id = CommandId::now();
    let counter = counter(shared, stream)?;
    let command = counter.execute(Add::numbered(number)).id(id).receipt();
    match answered(command).await {
        Some(Ok(receipt)) if !receipt.replayed => {
            let version = receipt.version.get();
            shared.acknowledged[stream as usize].fetch_max(version, Ordering::Release);
            if let Some(position) = receipt.position {
                shared
                    .position
                    .fetch_max(position.offset.get(), Ordering::Release);
            }
            let answer = Answer::Done {
                version,
                reply: receipt.reply,
                position: receipt.position,
            };
            let (stream32, id128) = (stream as u32, id.as_u128());
            shared.told.lock().expect("nobody panics with it").push(Told {
                number,
                stream: stream32,
                id: id128,
                answer,
            });
            Ok(Some(Done {
                number,
                stream,
                id,
                version,
            }))
        }
        other => {
            let what = format!("command {number} to counter {stream}, in a healthy store: {other:?}");
            shared.findings.broken("P7", what);
            Ok(None)
        }
    }
}

/// The first reply, whether the id is in the aggregate's memory, in the tail, or in the index (P6).
async fn ask_again(shared: &Shared, done: Done) -> Result<()> {
    shared.findings.tried("the same command again");
    let counter = counter(shared, done.stream)?;
    let command = counter.execute(Add::numbered(done.number)).id(done.id).receipt();
    let again = answered(command).await;
    let told = matches!(&again, Some(Ok(again))
        if again.replayed && (again.version.get(), again.reply) == (done.version, done.version));
    if !told {
        shared
            .findings
            .broken("P6", format!("{done:?} sent again: {again:?}"));
    }
    Ok(())
}

/// A query sees at least what was acknowledged before it was asked (P2: and nothing that is not durable, which the
/// kill sweep looks at).
async fn query(shared: &Shared, stream: u64) -> Result<()> {
    let least = shared.acknowledged[stream as usize].load(Ordering::Acquire);
    let counter = counter(shared, stream)?;
    shared.findings.tried("query");
    let seen = answered(counter.query(|state| state.count)).await;
    if !matches!(seen, Some(Ok(count)) if count >= least) {
        let what = format!("counter {stream} was acknowledged at {least}; a query then sees {seen:?}");
        shared.findings.broken("P2", what);
    }
    Ok(())
}

fn read(shared: &Shared, mut random: Random) {
    while !shared.findings.is_over() {
        let broken = match random.below(8) {
            0 => read_log(shared, &mut random),
            1 => head(shared, random.below(STREAMS)),
            _ => read_stream(shared, &mut random),
        };
        if let Err(what) = broken {
            shared.findings.broken("P4", what);
        }
    }
}

/// A stream from some version on: without gaps, and at least as far as was acknowledged before.
fn read_stream(shared: &Shared, random: &mut Random) -> Result<(), String> {
    let number = random.below(STREAMS);
    let least = shared.acknowledged[number as usize].load(Ordering::Acquire);
    let from = match random.below(500) {
        0 => 1,
        _ => least.saturating_sub(random.below(BACK)).max(1),
    };
    shared.findings.tried("stream");
    let stream = stream(number);
    let (mut next, mut broken) = (from, None);
    let read = shared
        .runtime
        .store()
        .read_stream(&stream, Version::new(from), &mut |commit| {
            let (first, last) = (commit.first_version().get(), commit.last_version().get());
            // what holds the version that was asked for may begin before it
            if first > next || last < next || (first < next && next != from) {
                broken = Some(format!(
                    "{stream} from version {from}: after {} comes {first} to {last}",
                    next - 1
                ));
                return ControlFlow::Break(());
            }
            next = last + 1;
            ControlFlow::Continue(())
        });
    if let Some(broken) = broken {
        return Err(broken);
    }
    match read {
        Ok(reached) if reached.version().get() >= least && next > least => Ok(()),
        read => Err(format!(
            "{stream} was acknowledged at {least}; read from version {from} then, it ends at {}: {:?}",
            next - 1,
            read.map(|reached| reached.version())
        )),
    }
}

fn head(shared: &Shared, number: u64) -> Result<(), String> {
    let least = shared.acknowledged[number as usize].load(Ordering::Acquire);
    shared.findings.tried("head");
    match shared.runtime.store().head(&stream(number)) {
        Ok(head) if head.get() >= least => Ok(()),
        head => Err(format!(
            "counter {number} was acknowledged at {least}; its head then is {head:?}"
        )),
    }
}

/// The newest part of the log: without gaps, up to what was acknowledged before.
fn read_log(shared: &Shared, random: &mut Random) -> Result<(), String> {
    let least = shared.position.load(Ordering::Acquire);
    let from = least.saturating_sub(random.below(2_000)).max(1);
    shared.findings.tried("log");
    let (mut next, mut broken) = (from, None);
    let read = shared.runtime.store().read_log(Offset::new(from), &mut |commit| {
        let (first, last) = (commit.position().offset.get(), commit.last_offset().get());
        if first > next || last < next || (first < next && next != from) {
            broken = Some(format!("the log from {from}: after {} comes {first}", next - 1));
            return ControlFlow::Break(());
        }
        next = last + 1;
        ControlFlow::Continue(())
    });
    match (broken, read) {
        (None, Ok(_)) if next > least => Ok(()),
        (broken, read) => Err(format!(
            "the log was acknowledged up to {least}; read from {from} then: {broken:?}, {read:?}"
        )),
    }
}
