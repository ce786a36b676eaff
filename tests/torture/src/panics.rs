//! Panics (P10): some aggregates' code panics in every place it can, in the midst of commands to themselves and to
//! thousands of others. Each caller is told so, nothing of it is stored, and nobody else notices.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use dormouse::{CommandError, CommandId, Dormouse, NotDone, Offset, Store, StoreOptions};

use crate::counter::{Add, Counter};
use crate::findings::{Findings, UNHURRIED, answered};
use crate::fuse::{Fuse, Light, PLANNED, Place};
use crate::place;
use crate::random::Random;
use crate::tally::Tally;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Panics {
    /// How often domain code panics.
    #[arg(long, default_value_t = 100_000)]
    pub(crate) panics: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the store is made: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// Clients whose aggregates panic, ...
const RECKLESS: u64 = 24;
/// ... and so many aggregates each has.
const FUSES: u64 = 50;
/// Clients of healthy ones, ...
const CLIENTS: u64 = 24;
/// ... and so many aggregates each has.
const COUNTERS: u64 = 100;
/// Memory for a fifth of all.
const BUDGET_BYTES: usize = 1 << 20;
const GENERATION_BYTES: usize = 256 << 10;
const SNAPSHOT_EVERY: u32 = 8;
/// One panic of so many leaves an aggregate that can't be read any more.
const UNREADABLE_ONE_IN: u64 = 20;
/// One of so many is a query's.
const QUERY_ONE_IN: u64 = 10;

/// Events by aggregate: its client alone sends to it, so it knows.
type Counts = HashMap<String, u64>;

struct Shared {
    runtime: Dormouse,
    findings: Findings,
}

pub(crate) async fn run(panics: &Panics) -> Result<Tally> {
    let place = place::make(panics.directory.as_deref(), "panics")?;
    let store = place.join("store");
    let mut tally = Tally::new("panics", panics.panics);
    quiet_the_planned();
    let shared = Arc::new(Shared {
        runtime: open(&store).await?,
        findings: Findings::default(),
    });
    let mut clients = Vec::new();
    for client in 0..RECKLESS {
        let random = Random::new(panics.seed, client);
        clients.push(tokio::spawn(panic_now_and_then(
            Arc::clone(&shared),
            client,
            random,
        )));
    }
    for client in 0..CLIENTS {
        let random = Random::new(panics.seed, 1_000 + client);
        clients.push(tokio::spawn(count(Arc::clone(&shared), client, random)));
    }
    shared.findings.until(panics.panics.into(), &mut tally).await;
    let mut counts = Counts::new();
    for client in clients {
        counts.extend(client.await??);
    }
    compare_with_log(&shared, counts, &mut tally)?;
    let violations = shared.findings.end(&mut tally);
    tally.count("evicted", shared.runtime.statistics().passivated_memory);
    shared.runtime.shutdown().await?;
    if violations.is_empty() {
        place::remove(&place)?;
    } else {
        let rerun = format!("cargo run --release -p torture -- panics --seed {}", panics.seed);
        tally.failed(&violations, &format!("panic {}", tally.tried), &store, &rerun);
    }
    Ok(tally)
}

async fn open(store: &std::path::Path) -> Result<Dormouse> {
    let options = StoreOptions::default().generation_bytes(GENERATION_BYTES);
    let builder = Dormouse::builder(Store::open_with(store, options)?)
        .aggregate::<Counter>()
        .aggregate::<Fuse>();
    let builder = builder
        .default_deadline(UNHURRIED)
        .memory_budget_bytes(BUDGET_BYTES)
        .snapshot_every(SNAPSHOT_EVERY)
        .passivate_after(Duration::from_millis(200));
    Ok(builder.start().await?)
}

/// A panic that is meant to be is not worth a line.
fn quiet_the_planned() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        let payload = panic.payload();
        let message = payload.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| payload.downcast_ref::<&str>().copied());
        let planned = message.is_some_and(|message| message.contains(PLANNED));
        if !planned {
            before(panic);
        }
    }));
}

/// Before and behind each panic goes a command that must not notice.
async fn panic_now_and_then(shared: Arc<Shared>, client: u64, mut random: Random) -> Result<Counts> {
    let (mut counts, mut number) = (Counts::new(), 0);
    while !shared.findings.is_over() {
        number += 1;
        if random.below(UNREADABLE_ONE_IN) == 0 {
            let name = format!("u-{client}-{number}");
            let count = unreadable(&shared, &name).await?;
            counts.insert(name, count);
            continue;
        }
        let name = format!("f-{client}-{}", random.below(FUSES));
        let count = counts.entry(name.clone()).or_default();
        let held = if random.below(QUERY_ONE_IN) == 0 {
            panic_in_query(&shared, &name, *count).await?
        } else {
            let place = Place::AT_ONCE[random.below(Place::AT_ONCE.len() as u64) as usize];
            panic_in(&shared, &name, place, *count).await?
        };
        if !held {
            break;
        }
        *count += 2;
    }
    Ok(counts)
}

fn light(panics: Option<Place>) -> Light {
    Light { number: 0, panics }
}

/// The three are in the mailbox together; whether what is told of them is right.
async fn panic_in(shared: &Shared, name: &str, place: Place, count: u64) -> Result<bool> {
    let fuse = shared.runtime.entity::<Fuse>(name)?;
    let (before, panicked, behind) = tokio::join!(
        answered(fuse.execute(light(None)).id(CommandId::now())),
        answered(fuse.execute(light(Some(place))).id(CommandId::now())),
        answered(fuse.execute(light(None)).id(CommandId::now())),
    );
    shared.findings.tried(place.name());
    let is_told = matches!(
        panicked,
        Some(Err(CommandError::NotDone(NotDone::Panicked { .. })))
    );
    let held = is_told && before == Some(Ok(count + 1)) && behind == Some(Ok(count + 2));
    if !held {
        let place = place.name();
        shared.findings.broken(
            "P10",
            format!(
                "{name} at count {count}, a panic in {place}: {panicked:?}; before it {before:?}, behind it {behind:?}"
            ),
        );
    }
    Ok(held)
}

async fn panic_in_query(shared: &Shared, name: &str, count: u64) -> Result<bool> {
    let fuse = shared.runtime.entity::<Fuse>(name)?;
    let (before, panicked, behind) = tokio::join!(
        answered(fuse.execute(light(None)).id(CommandId::now())),
        answered(fuse.query(|_| -> u64 { panic!("{PLANNED}") })),
        answered(fuse.execute(light(None)).id(CommandId::now())),
    );
    shared.findings.tried("query");
    let is_told = matches!(
        panicked,
        Some(Err(CommandError::NotDone(NotDone::Panicked { .. })))
    );
    let held = is_told && before == Some(Ok(count + 1)) && behind == Some(Ok(count + 2));
    if !held {
        let what = format!(
            "{name} at count {count}, a panic in a query: {panicked:?}; before it {before:?}, behind it {behind:?}"
        );
        shared.findings.broken("P10", what);
    }
    Ok(held)
}

/// An event that can't be read is stored; from the next activation on nobody gets at its aggregate, and nobody else
/// notices. How many events it has.
async fn unreadable(shared: &Shared, name: &str) -> Result<u64> {
    let fuse = shared.runtime.entity::<Fuse>(name)?;
    shared.findings.tried(Place::Deserialize.name());
    let stored = answered(fuse.execute(light(Some(Place::Deserialize))).id(CommandId::now())).await;
    if stored != Some(Ok(1)) {
        shared
            .findings
            .broken("P10", format!("{name}, an event that can be stored: {stored:?}"));
    }
    shared.runtime.passivate_idle();
    let mut count = 1;
    // it may be in memory still
    for _ in 0..2 {
        match answered(fuse.execute(light(None)).id(CommandId::now())).await {
            Some(Ok(reply)) if reply == count + 1 => count = reply,
            Some(Err(CommandError::NotDone(NotDone::ActivationFailed { .. }))) => {}
            other => {
                let what = format!("{name} at count {count} can't be read, or is in memory still: {other:?}");
                shared.findings.broken("P10", what);
            }
        }
    }
    Ok(count)
}

/// A healthy neighbour: each command is done.
async fn count(shared: Arc<Shared>, client: u64, mut random: Random) -> Result<Counts> {
    let (mut counts, mut number) = (Counts::new(), client << 32);
    while !shared.findings.is_over() {
        number += 1;
        let name = format!("c-{client}-{}", random.below(COUNTERS));
        let counter = shared.runtime.entity::<Counter>(name.as_str())?;
        let count = counts.entry(name.clone()).or_default();
        let add = Add::numbered(number);
        let expected = *count + u64::from(add.parts);
        let answer = answered(counter.execute(add).id(CommandId::now())).await;
        if answer != Some(Ok(expected)) {
            let what = format!("{name}, a healthy neighbour at count {count}: {answer:?}");
            shared.findings.broken("P10", what);
            break;
        }
        *count = expected;
    }
    Ok(counts)
}

/// The log holds what was answered, and nothing of what panicked.
fn compare_with_log(shared: &Shared, counts: Counts, tally: &mut Tally) -> Result<()> {
    if shared.findings.is_broken() {
        return Ok(());
    }
    let mut stored = Counts::new();
    shared.runtime.store().read_log(Offset::new(1), &mut |commit| {
        *stored.entry(commit.stream().id.as_str().to_owned()).or_default() += commit.event_count() as u64;
        ControlFlow::Continue(())
    })?;
    tally.count("events in the log", stored.values().sum());
    for (name, count) in counts {
        let events = stored.remove(&name).unwrap_or_default();
        if events != count {
            shared.findings.broken(
                "P10",
                format!("{name} was told {count} events; the log holds {events}"),
            );
        }
    }
    for (name, events) in stored {
        let what = format!("the log holds {events} events of {name}, of which nobody was told");
        shared.findings.broken("P10", what);
    }
    Ok(())
}
