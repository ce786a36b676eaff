//! The child: clients that send commands to counters and tell the parent, until somebody kills them.

use std::future::IntoFuture;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use dormouse::{CommandError, CommandId, Dormouse, Health, Store, StoreOptions};
use parking_lot::Mutex;

use crate::counter::{Add, Counter, HEAVY, stream_name};
use crate::findings::UNHURRIED;
use crate::heard::Counts;
use crate::random::Random;
use crate::wire::{Pipe, Turn, Word};

/// What the child is to do.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Load {
    /// The store.
    #[arg(long)]
    pub(crate) store: std::path::PathBuf,
    #[arg(long)]
    pub(crate) seed: u64,
    #[arg(long, default_value_t = 64)]
    pub(crate) clients: u64,
    #[arg(long, default_value_t = 10_000)]
    pub(crate) streams: u64,
    /// Large commands only.
    #[arg(long)]
    pub(crate) heavy: bool,
}

/// Memory for some hundred counters: evictions and activations go on all the time.
const BUDGET_BYTES: usize = 512 << 10;
/// Runs are made every few hundred commands.
const GENERATION_BYTES: usize = 256 << 10;
const SNAPSHOT_EVERY: u32 = 8;
/// One command of so many goes to one of a few counters, so that commits follow each other before they are durable.
const HOT_ONE_IN: u64 = 4;
const HOT_STREAMS: u64 = 4;
/// One of so many sends is a query instead.
const QUERY_ONE_IN: u64 = 8;
/// A store that has stopped answers at once: clients go on, but don't flood the pipe.
const PAUSE_NOT_DONE: Duration = Duration::from_millis(1);
/// How often it is told what was counted: a few times in a life.
const COUNTS_EVERY: Duration = Duration::from_millis(20);

/// Opens the store as every harness does.
pub(crate) async fn open(directory: &Path) -> Result<Dormouse> {
    let options = StoreOptions::default().generation_bytes(GENERATION_BYTES);
    let store = Store::open_with(directory, options)?;
    let builder = Dormouse::builder(store).aggregate::<Counter>();
    let runtime = builder
        .memory_budget_bytes(BUDGET_BYTES)
        .snapshot_every(SNAPSHOT_EVERY)
        .passivate_after(Duration::from_millis(200))
        .start();
    Ok(runtime.await?)
}

/// Sends until it is killed.
pub(crate) async fn run(load: &Load) -> Result<()> {
    say_panics(Pipe::take()?);
    let runtime = open(&load.store).await?;
    let pipe = Arc::new(Pipe::take()?);
    pipe.say(Word::Ready)?;
    follow(runtime.store(), Arc::clone(&pipe))?;
    let first = load.seed << 24 | if load.heavy { HEAVY } else { 0 };
    let numbers = Arc::new(AtomicU64::new(first));
    let waits: Arc<[Wait]> = (0..load.clients).map(|_| Wait::default()).collect();
    let clients: Vec<_> = (0..load.clients)
        .map(|client| {
            let (runtime, pipe, numbers) = (runtime.clone(), Arc::clone(&pipe), Arc::clone(&numbers));
            let (random, streams, waits) = (Random::new(load.seed, client), load.streams, Arc::clone(&waits));
            tokio::spawn(async move {
                let wait = &waits[client as usize];
                send(&runtime, &pipe, &numbers, wait, random, streams).await
            })
        })
        .collect();
    tokio::spawn(tell_counts(runtime, pipe, waits));
    for client in clients {
        client.await??;
    }
    Ok(())
}

/// Panics are said, and then printed as before.
pub(crate) fn say_panics(pipe: Pipe) {
    let default = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let _ = pipe.say(Word::Turn(Turn::Panicked));
        default(panic);
    }));
}

/// Tells of each commit that the log shows, on a thread of its own: reading may wait for the disk.
fn follow(store: &Store, pipe: Arc<Pipe>) -> Result<()> {
    let mut follower = store.follow(store.durable().next())?;
    let runtime = tokio::runtime::Handle::current();
    std::thread::spawn(move || {
        let mut follow = || -> Result<()> {
            loop {
                runtime.block_on(follower.wait())?;
                let mut said = Ok(());
                follower.read(&mut |commit| {
                    let id = commit.command().map_or(0, |command| command.id.as_u128());
                    let offset = commit.position().offset.get();
                    said = pipe.say(Word::Shown { offset, id });
                    if said.is_ok() {
                        ControlFlow::Continue(())
                    } else {
                        ControlFlow::Break(())
                    }
                })?;
                said?;
            }
        };
        // nobody closes the store
        if follow().is_err() {
            let _ = pipe.say(Word::Turn(Turn::NotFollowed));
        }
    });
    Ok(())
}

/// Since when a client waits for an answer.
#[derive(Debug, Default)]
struct Wait(Mutex<Option<Instant>>);

impl Wait {
    async fn during<F: IntoFuture>(&self, asked: F) -> F::Output {
        *self.0.lock() = Some(Instant::now());
        let answer = asked.await;
        *self.0.lock() = None;
        answer
    }
}

/// Tells now and then what goes on, and whether clients wait.
async fn tell_counts(runtime: Dormouse, pipe: Arc<Pipe>, waits: Arc<[Wait]>) -> Result<()> {
    loop {
        tokio::time::sleep(COUNTS_EVERY).await;
        let now = runtime.statistics();
        let counts = Counts {
            evicted: now.passivated_memory + now.passivated_idle,
            snapshots: now.snapshots_written,
            runs: now.store.runs_indexed,
        };
        let oldest = waits.iter().filter_map(|wait| *wait.0.lock()).min();
        let oldest_ms = oldest.map_or(0, |since| since.elapsed().as_millis() as u64);
        pipe.say(Word::Counts { counts, oldest_ms })?;
    }
}

async fn send(
    runtime: &Dormouse,
    pipe: &Pipe,
    numbers: &AtomicU64,
    wait: &Wait,
    mut random: Random,
    streams: u64,
) -> Result<()> {
    loop {
        let stream = match random.below(HOT_ONE_IN) {
            0 => random.below(HOT_STREAMS),
            _ => random.below(streams),
        } as u32;
        let counter = runtime.entity::<Counter>(stream_name(stream))?;
        if random.below(QUERY_ONE_IN) == 0 {
            let query = counter.query(|counter| counter.count).within(UNHURRIED);
            if let Ok(count) = wait.during(query).await {
                pipe.say(Word::Looked { stream, count })?;
            }
            continue;
        }
        let number = numbers.fetch_add(1, Ordering::Relaxed);
        let id = CommandId::now();
        pipe.say(Word::Sent {
            number,
            stream,
            id: id.as_u128(),
        })?;
        let command = counter.execute(Add::numbered(number)).id(id).within(UNHURRIED);
        let answer = wait.during(command.receipt()).await;
        let word = match answer {
            Ok(receipt) => Word::Done {
                number,
                version: receipt.version.get(),
                reply: receipt.reply,
                position: receipt.position,
            },
            Err(CommandError::NotDone(_)) => Word::NotDone { number },
            Err(_) => Word::Unknown { number },
        };
        pipe.say(word)?;
        let is_done = matches!(word, Word::Done { .. });
        if !is_done && matches!(runtime.health(), Health::Stopped { .. }) {
            pipe.say(Word::Turn(Turn::Stopped))?;
        }
        if let Word::NotDone { .. } = word {
            tokio::time::sleep(PAUSE_NOT_DONE).await;
        }
    }
}
