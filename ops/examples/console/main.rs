//! The console on a store with something in it, and traffic: `cargo run --example console [PORT]`. What the screenshots
//! are taken of.

mod parcels;
mod traffic;

use std::time::Duration;

use dormouse_ops::Ops;
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;

use crate::parcels::{Meter, Order, Parcel};

const CUSTOMERS: u64 = 160;
const CARRIERS: usize = 1;
const READINGS: u64 = 100_000;
/// Too little for all aggregates, so that some are evicted.
const MEMORY_BUDGET_BYTES: usize = 6 * 1024 * 1024;
const PAUSE: Duration = Duration::from_millis(90);

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let port = std::env::args().nth(1).unwrap_or_else(|| "7070".into());
    let ops = Ops::builder().bind(format!("127.0.0.1:{port}")).start()?;
    println!("console: {}", ops.url());
    let directory = tempfile::tempdir()?;
    let runtime = Dormouse::builder(Store::open(directory.path())?)
        .aggregate::<Order>()
        .aggregate::<Parcel>()
        .aggregate::<Meter>()
        .memory_budget_bytes(MEMORY_BUDGET_BYTES)
        .start()
        .await?;
    ops.attach(&runtime);
    traffic::readings(&runtime, READINGS).await?;
    let mut running = tokio::task::JoinSet::new();
    for number in 0..CUSTOMERS {
        running.spawn(traffic::customer(runtime.clone(), number, PAUSE));
    }
    for _ in 0..CARRIERS {
        running.spawn(traffic::carrier(runtime.clone(), Duration::ZERO));
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    ops.stop().await;
    Ok(())
}
