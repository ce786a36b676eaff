//! The console on a store with something in it, and traffic: `cargo run --example console [PORT]`.
//!
//! `--pictures DIRECTORY` takes the pictures of the documentation in place of waiting: `scripts/screenshots.sh`.

#[path = "../../tests/it/console/browser.rs"]
#[allow(dead_code, clippy::unwrap_used, reason = "the tests use more of it")]
mod browser;
mod parcels;
mod pictures;
mod traffic;

use std::path::Path;
use std::time::Duration;

use dormouse_ops::{Builder, Ops};
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use tokio::task::JoinSet;

use crate::parcels::{Meter, Order, Parcel};

const CUSTOMERS: u64 = 120;
const READINGS: u64 = 100_000;
/// Too little for all aggregates after a minute or two, so that some are evicted.
const MEMORY_BUDGET_BYTES: usize = 64 * 1024 * 1024;
/// The longest rest of a customer between two commands.
const PAUSE: Duration = Duration::from_millis(140);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let directory = tempfile::Builder::new().prefix("parcels-").tempdir()?;
    match arguments[..] {
        [] => run(&directory, Ops::builder()).await,
        ["--pictures", pictures] => take(&directory, Path::new(pictures)).await,
        [port] => run(&directory, Ops::builder().bind(format!("127.0.0.1:{port}"))).await,
        _ => anyhow::bail!("one argument at most: a port"),
    }
}

async fn run(directory: &tempfile::TempDir, builder: Builder) -> anyhow::Result<()> {
    let ops = builder.backup_root(directory.path()).start()?;
    println!("console: {}", ops.url());
    let (_runtime, mut running) = busy(directory, &ops).await?;
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(())
}

async fn take(directory: &tempfile::TempDir, pictures: &Path) -> anyhow::Result<()> {
    let ops = Ops::builder()
        .bind("127.0.0.1:0")
        .backup_root(directory.path())
        .start()?;
    let (runtime, running) = busy(directory, &ops).await?;
    traffic::one_parcel(&runtime).await?;
    pictures::take(&ops, pictures).await?;
    drop(running);
    ops.stop().await;
    Ok(())
}

/// A runtime with a store, and those who keep it busy.
async fn busy(
    directory: &tempfile::TempDir,
    ops: &Ops,
) -> anyhow::Result<(Dormouse, JoinSet<anyhow::Result<()>>)> {
    let runtime = Dormouse::builder(Store::open(directory.path().join("store"))?)
        .aggregate::<Order>()
        .aggregate::<Parcel>()
        .aggregate::<Meter>()
        .memory_budget_bytes(MEMORY_BUDGET_BYTES)
        .start()
        .await?;
    ops.attach(&runtime);
    traffic::readings(&runtime, READINGS).await?;
    let mut running = JoinSet::new();
    for number in 0..CUSTOMERS {
        running.spawn(traffic::customer(runtime.clone(), number, PAUSE));
    }
    running.spawn(traffic::carrier(runtime.clone(), Duration::ZERO));
    Ok((runtime, running))
}
