//! The closed loop: each client sends its next command when the last one is answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;

use super::Fleet;
use crate::latency::{Latencies, Percentiles};

/// Until `seconds` have passed or, if `commands` is not 0, so many are answered. Each client sends one at least: on a busy
/// machine time may be up before any of them begins.
pub(crate) async fn run(
    fleet: &Arc<Fleet>,
    clients: u64,
    seconds: f64,
    commands: u64,
) -> Result<Percentiles> {
    let latencies = Arc::new(Latencies::new());
    let left = Arc::new(AtomicU64::new(if commands == 0 { u64::MAX } else { commands }));
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut running = tokio::task::JoinSet::new();
    for number in 0..usize::try_from(clients)? {
        let (fleet, latencies, left) = (Arc::clone(fleet), Arc::clone(&latencies), Arc::clone(&left));
        running.spawn(async move {
            let mut client = fleet.client();
            let mut sent = Instant::now();
            while take_one(&left) {
                fleet.send_one(&mut client).await?;
                let answered = Instant::now();
                latencies.record(number, answered - sent);
                sent = answered;
                if sent >= until {
                    break;
                }
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = running.join_next().await {
        ended??;
    }
    Ok(latencies.merged())
}

/// Takes one of the commands left; without a limit there is nothing to fight over.
fn take_one(left: &AtomicU64) -> bool {
    const UNLIMITED: u64 = u64::MAX;
    if left.load(Ordering::Relaxed) == UNLIMITED {
        return true;
    }
    left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1))
        .is_ok()
}
