//! Overload (P13, P14): more is asked than can be done, of aggregates that weigh more than there is memory for. What
//! was not done was never handled, who is turned away is told at once, who waits may wait as long as was allowed; and
//! memory stays inside its budget.

mod stalls;

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use dormouse::{CommandError, Dormouse, Entity, NotDone, Store, StoreOptions, Unknown};

use self::stalls::Stalls;
use crate::findings::{Findings, answered};
use crate::place;
use crate::random::Random;
use crate::slow::{Notes, Slow, Work};
use crate::tally::Tally;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Overload {
    /// Commands sent.
    #[arg(long, default_value_t = 500_000)]
    pub(crate) commands: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the store is made: new or empty; removed if nothing is found. Default: in memory, or else a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

/// Twice what the runtime lets in.
const CLIENTS: u64 = 256;
const IN_FLIGHT_MAX: usize = 128;
const MAILBOX: usize = 24;
const READERS: usize = 4;
const AGGREGATES: u64 = 2_000;
/// The heaviest state, with what its actor takes.
const WEIGHT_BYTES_MAX: u32 = 16 << 10;
const ENTITY_BYTES: usize = 4 << 10;
/// A fifth of what all of them weigh.
const BUDGET_BYTES: usize = 4 << 20;
const STATE_BYTES_MAX: usize = WEIGHT_BYTES_MAX as usize + ENTITY_BYTES;
/// Each reader has a state in its hands when it has made room for it.
const SLACK_BYTES: usize = READERS * STATE_BYTES_MAX;
/// What is in flight can't be evicted. It leaves room, so that no reader waits for it in vain and goes on without.
const _: () = assert!(IN_FLIGHT_MAX * STATE_BYTES_MAX + SLACK_BYTES < BUDGET_BYTES);
/// A command that says nothing itself may wait so long, ...
const DEFAULT_DEADLINE: Duration = Duration::from_millis(25);
/// ... and one that says it, up to so long.
const WITHIN_MS_MAX: u64 = 30;
/// One command of so many comes as a pile, to one aggregate: more than its mailbox holds, each slow.
const PILE_ONE_IN: u64 = 2_000;
const PILE: usize = 40;
const PILE_TAKES: Duration = Duration::from_millis(20);
/// As long as the preparations may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// What a busy machine may make late, beside the stalls that are seen meanwhile.
const LATE_MAX: Duration = Duration::from_millis(100);

/// How a command is sent.
#[derive(Debug, Clone, Copy)]
enum Manner {
    Plain,
    Within(Duration),
    WithinForRoom(Duration),
    /// However long that takes; its deadline does not wait.
    ForRoom,
}

struct Shared {
    runtime: Dormouse,
    findings: Findings,
    notes: &'static Notes,
    numbers: AtomicU64,
    stalls: Stalls,
    /// Commands that were answered *not done*.
    not_done: Mutex<Vec<u64>>,
}

pub(crate) async fn run(overload: &Overload) -> Result<Tally> {
    let place = place::make_in_memory(overload.directory.as_deref(), "overload")?;
    let store = place.join("store");
    let mut tally = Tally::new("overload", overload.commands);
    // those that are on their way when it ends, too
    let commands = overload.commands as usize + AGGREGATES as usize + CLIENTS as usize * (PILE + 1);
    let notes = Notes::begin(commands);
    give_weight(&store).await?;
    let shared = Arc::new(Shared {
        runtime: open(&store).await?,
        findings: Findings::default(),
        notes,
        numbers: AtomicU64::new(AGGREGATES),
        stalls: Stalls::watch(),
        not_done: Mutex::default(),
    });
    let clients: Vec<_> = (0..CLIENTS)
        .map(|client| {
            let random = Random::new(overload.seed, client);
            tokio::spawn(ask(Arc::clone(&shared), overload.commands, random))
        })
        .collect();
    shared.findings.until(overload.commands.into(), &mut tally).await;
    for client in clients {
        client.await??;
    }
    let statistics = shared.runtime.statistics();
    shared.runtime.shutdown().await?;
    hold(&shared, statistics.resident_bytes_peak);
    let violations = shared.findings.end(&mut tally);
    tally.count("evicted for memory", statistics.passivated_memory);
    tally.count("resident bytes at most", statistics.resident_bytes_peak as u64);
    tally.count("longest stall, ms", shared.stalls.longest().as_millis() as u64);
    if violations.is_empty() {
        place::remove(&place)?;
    } else {
        let rerun = format!(
            "cargo run --release -p torture -- overload --seed {}",
            overload.seed
        );
        tally.failed(&violations, &format!("command {}", tally.tried), &store, &rerun);
    }
    Ok(tally)
}

async fn open(store: &Path) -> Result<Dormouse> {
    let store = Store::open_with(store, StoreOptions::default().generation_bytes(256 << 10))?;
    let builder = Dormouse::builder(store).aggregate::<Slow>();
    let builder = builder
        .arbiters(2)
        .readers(READERS)
        .mailbox(MAILBOX)
        .in_flight_max(IN_FLIGHT_MAX)
        .memory_budget_bytes(BUDGET_BYTES)
        .default_deadline(DEFAULT_DEADLINE)
        .snapshot_every(8);
    Ok(builder.start().await?)
}

/// What an aggregate weighs is asked as it wakes: each gets its weight, and sleeps again.
async fn give_weight(store: &Path) -> Result<()> {
    let runtime = open(store).await?;
    for slow in 0..AGGREGATES {
        let entity = entity(&runtime, slow)?;
        let work = Work {
            number: slow,
            takes_us: 0,
            weight_bytes: weight_bytes(slow),
        };
        entity.execute(work).within(PATIENCE).await?;
    }
    Ok(runtime.shutdown().await?)
}

fn entity(runtime: &Dormouse, slow: u64) -> Result<Entity<Slow>> {
    Ok(runtime.entity::<Slow>(format!("s-{slow}"))?)
}

fn weight_bytes(slow: u64) -> u32 {
    (slow * u64::from(WEIGHT_BYTES_MAX) / AGGREGATES) as u32
}

async fn ask(shared: Arc<Shared>, commands: u32, mut random: Random) -> Result<()> {
    let last = u64::from(commands) + AGGREGATES;
    while !shared.findings.is_over() && shared.numbers.load(Ordering::Relaxed) < last {
        let slow = random.below(AGGREGATES);
        let weight_bytes = weight_bytes(slow);
        let entity = entity(&shared.runtime, slow)?;
        if random.below(PILE_ONE_IN) == 0 {
            pile(&shared, &entity, weight_bytes).await;
            continue;
        }
        let time = Duration::from_millis(1 + random.below(WITHIN_MS_MAX));
        let manner = match random.below(3) {
            0 => Manner::Plain,
            1 => Manner::Within(time),
            _ => Manner::WithinForRoom(time),
        };
        let takes_us = random.below(200);
        if !send(&shared, &entity, manner, takes_us, weight_bytes).await {
            // turned away: what a client does then
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    Ok(())
}

/// Sends a command, and holds its answer to P13. Whether it was let in.
async fn send(
    shared: &Shared,
    entity: &Entity<Slow>,
    manner: Manner,
    takes_us: u64,
    weight_bytes: u32,
) -> bool {
    let number = shared.numbers.fetch_add(1, Ordering::Relaxed);
    debug_assert!(number < shared.notes.room());
    let execute = entity.execute(Work {
        number,
        takes_us,
        weight_bytes,
    });
    let (execute, allowed) = match manner {
        Manner::Plain => (execute, DEFAULT_DEADLINE),
        Manner::Within(time) => (execute.within(time), time),
        Manner::WithinForRoom(time) => (execute.within(time).wait_for_room(), time),
        Manner::ForRoom => (execute.wait_for_room(), DEFAULT_DEADLINE),
    };
    let (sent_us, sent) = (shared.notes.now_us(), Instant::now());
    let answer = answered(execute).await;
    let ended = Instant::now();
    let took = ended - sent;
    let broken = |what: &str| {
        let what = format!("command {number}, {manner:?}: {what}; answered after {took:?}: {answer:?}");
        shared.findings.broken("P13", what);
    };
    let late_max = LATE_MAX + shared.stalls.between(sent, ended);
    if let Some(handled_us) = shared.notes.handled_us(number) {
        let waited = Duration::from_micros(handled_us.saturating_sub(sent_us));
        if waited > allowed + late_max {
            broken(&format!("it was handled {waited:?} after it was sent"));
        }
    }
    match &answer {
        Some(Ok(_)) => shared.findings.tried("done"),
        Some(Err(CommandError::Unknown(Unknown::WaitEnded)))
            if matches!(manner, Manner::Within(_) | Manner::WithinForRoom(_)) && took >= allowed =>
        {
            shared.findings.tried("unknown: the wait ended");
        }
        Some(Err(CommandError::NotDone(reason))) => {
            let mut not_done = shared.not_done.lock().expect("nobody panics with it");
            not_done.push(number);
            drop(not_done);
            match (reason, manner) {
                (NotDone::Overloaded { .. }, Manner::WithinForRoom(_) | Manner::ForRoom) => {
                    broken("it was to wait for room");
                }
                (NotDone::Overloaded { .. }, _) if took > late_max => {
                    broken("turned away, and not at once");
                }
                (NotDone::Overloaded { .. }, _) => {
                    shared.findings.tried("not done: overloaded");
                    return false;
                }
                (NotDone::DeadlinePassed, _) if took < allowed => broken("its time was not up"),
                (NotDone::DeadlinePassed, _) => shared.findings.tried("not done: its deadline passed"),
                _ => broken("not for that"),
            }
        }
        _ => broken("it has no answer"),
    }
    true
}

/// More slow commands than a mailbox holds, at once, from callers who don't mind waiting: their time is up long before
/// most of them could be handled, so they must not be.
async fn pile(shared: &Arc<Shared>, entity: &Entity<Slow>, weight_bytes: u32) {
    let takes_us = PILE_TAKES.as_micros() as u64;
    let mut sent = Vec::with_capacity(PILE);
    for _ in 0..PILE {
        let (shared, entity) = (Arc::clone(shared), entity.clone());
        sent.push(tokio::spawn(async move {
            send(&shared, &entity, Manner::ForRoom, takes_us, weight_bytes).await
        }));
    }
    for one in sent {
        one.await.expect("a client does not panic");
    }
}

/// What holds once all is over.
fn hold(shared: &Shared, resident_bytes_peak: usize) {
    let not_done = shared.not_done.lock().expect("nobody panics with it");
    let handled = not_done
        .iter()
        .find(|number| shared.notes.handled_us(**number).is_some());
    if let Some(number) = handled {
        let what = format!("command {number} was answered not done, and was handled");
        shared.findings.broken("P13", what);
    }
    if resident_bytes_peak > BUDGET_BYTES + SLACK_BYTES {
        let what = format!(
            "{resident_bytes_peak} bytes were resident; the budget is {BUDGET_BYTES}, what readers hold {SLACK_BYTES}"
        );
        shared.findings.broken("P14", what);
    }
}
