//! Schemas (P8): two programs that disagree about the state take turns with one store full of snapshots. Each must
//! come to the state that the events lead to; the other's snapshots cost it time only.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Result;
use dormouse::{Dormouse, Store, StoreOptions};

use crate::findings::{UNHURRIED, answered};
use crate::place;
use crate::random::Random;
use crate::sum::{AddAmount, Sum};
use crate::tally::Tally;
use crate::violation::Violation;

#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Schemas {
    /// How often the programs take turns.
    #[arg(long, default_value_t = 200)]
    pub(crate) turns: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Where the store is made: new or empty; removed if nothing is found. Default: in memory, or else a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

const AGGREGATES: u64 = 100;
/// In one turn.
const COMMANDS: u64 = 500;
const SNAPSHOT_EVERY: u32 = 3;
/// Memory for a tenth: each command to the others wakes its aggregate.
const BUDGET_BYTES: usize = 16 << 10;
const GENERATION_BYTES: usize = 64 << 10;

/// Count and total of each aggregate.
type Expected = Vec<(u64, u64)>;

pub(crate) async fn run(schemas: &Schemas) -> Result<Tally> {
    let place = place::make_in_memory(schemas.directory.as_deref(), "schemas")?;
    let store = place.join("store");
    let mut tally = Tally::new("schemas", schemas.turns);
    let mut expected: Expected = vec![(0, 0); AGGREGATES as usize];
    for turn in 0..schemas.turns {
        let random = Random::new(schemas.seed, turn.into());
        let broken = match turn % 2 {
            0 => take_turn::<1>(&store, random, &mut expected, &mut tally).await?,
            _ => take_turn::<2>(&store, random, &mut expected, &mut tally).await?,
        };
        tally.tried(["program 1", "program 2"][turn as usize % 2], "");
        if let Some(broken) = broken {
            let rerun = format!(
                "cargo run --release -p torture -- schemas --seed {}",
                schemas.seed
            );
            tally.failed(&[broken], &format!("turn {turn}"), &store, &rerun);
            return Ok(tally);
        }
    }
    place::remove(&place)?;
    Ok(tally)
}

async fn take_turn<const PROGRAM: u32>(
    store: &Path,
    mut random: Random,
    expected: &mut Expected,
    tally: &mut Tally,
) -> Result<Option<Violation>> {
    let runtime = open::<PROGRAM>(store).await?;
    let mut broken = None;
    for _ in 0..COMMANDS {
        let (aggregate, amount) = (random.below(AGGREGATES), random.below(1_000));
        let (count, total) = expected[aggregate as usize];
        let sum = runtime.entity::<Sum<PROGRAM>>(format!("s-{aggregate}"))?;
        let answer = answered(sum.execute(AddAmount { amount })).await;
        let after = (count + 1, total + amount);
        if answer != Some(Ok(after)) {
            let what = format!(
                "aggregate {aggregate} has count and total {after:?} by its events; program {PROGRAM} says {answer:?}"
            );
            broken = Some(Violation::new("P8", what));
            break;
        }
        expected[aggregate as usize] = after;
    }
    let statistics = runtime.statistics();
    tally.count("woken", statistics.activations);
    tally.count("snapshots written", statistics.snapshots_written);
    tally.count(
        "snapshots of the other program met",
        statistics.snapshots_unreadable,
    );
    runtime.shutdown().await?;
    Ok(broken)
}

async fn open<const PROGRAM: u32>(store: &Path) -> Result<Dormouse> {
    let options = StoreOptions::default().generation_bytes(GENERATION_BYTES);
    let builder = Dormouse::builder(Store::open_with(store, options)?).aggregate::<Sum<PROGRAM>>();
    let builder = builder
        .default_deadline(UNHURRIED)
        .memory_budget_bytes(BUDGET_BYTES)
        .snapshot_every(SNAPSHOT_EVERY)
        .passivate_after(Duration::from_millis(50));
    Ok(builder.start().await?)
}
