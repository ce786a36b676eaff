//! Linearizability (P2, P3, P6, P7): several clients of one aggregate on the running runtime, while it is evicted, its store
//! fails and comes back. Every history must be one that an aggregate without any concurrency could have had.

mod clients;
mod history;
mod house;
mod specification;

use std::path::PathBuf;

use anyhow::{Context, Result};

use self::history::History;
use self::house::House;
use crate::place;
use crate::random::Random;
use crate::tally::Tally;
use crate::violation::Violation;

/// One history of so many is of a store on disk: those take longer, and can't be made to fail as easily.
const ON_DISK_ONE_IN: u32 = 20;

/// The harness's settings.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Linearize {
    /// How many histories.
    #[arg(long, default_value_t = 1_000)]
    pub(crate) histories: u32,
    #[arg(long, default_value_t = 1)]
    pub(crate) seed: u64,
    /// Begins with this one. Threads are no part of a seed: run several to see one of its kind again.
    #[arg(long, default_value_t = 0)]
    pub(crate) first: u32,
    /// Where stores are made, and a history that fails is kept: new or empty; removed if nothing is found. Default: a temporary directory.
    #[arg(long)]
    pub(crate) directory: Option<PathBuf>,
}

pub(crate) async fn run(linearize: &Linearize) -> Result<Tally> {
    let mut tally = Tally::new("linearize", linearize.histories);
    let place = place::make(linearize.directory.as_deref(), "linearize")?;
    for number in linearize.first..linearize.first + linearize.histories {
        let random = Random::new(linearize.seed, number.into());
        let on_disk = number % ON_DISK_ONE_IN == ON_DISK_ONE_IN - 1;
        let store = place.join(format!("store-{number}"));
        let house = House::open(on_disk.then_some(store.clone())).await?;
        let history = clients::live(&house, random).await;
        house.close().await;
        tally.tried(if on_disk { "on disk" } else { "in memory" }, "");
        history.count(&mut tally);
        let file = place.join(format!("history-{number}.txt"));
        std::fs::write(&file, history.to_string()).context("write the history")?;
        if let Some(violation) = judge(&history) {
            let rerun = format!(
                "cargo run --release -p torture -- linearize --seed {} --first {number} --histories 100",
                linearize.seed
            );
            tally.failed(&[violation], &format!("history {number}"), &file, &rerun);
            return Ok(tally);
        }
        std::fs::remove_file(&file)?;
        if on_disk {
            std::fs::remove_dir_all(&store)?;
        }
    }
    place::remove(&place)?;
    Ok(tally)
}

fn judge(history: &History) -> Option<Violation> {
    if let Some(what) = history.left_open().or_else(|| history.ends_untold()) {
        return Some(Violation::new("P7", what));
    }
    let what = "no order of these commands and queries gives these answers";
    (!history.is_linearizable()).then(|| Violation::new("P2, P3, P6 or P7", what))
}
