//! The open loop: commands are sent when they are due, and their latency counts from then. A closed loop stops sending
//! while the program stalls, and so measures each stall once a client instead of once a command ("coordinated omission").

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::Semaphore;

use super::Fleet;
use crate::latency::{Latencies, Percentiles};
use crate::poisson::Arrivals;

/// Commands in flight; past it the sender waits, which the latencies show, as they count from when a command was due.
const IN_FLIGHT_MAX: usize = 50_000;
/// Commands that are due within this are sent now: the system's timers are no finer.
const TIMER_SLACK: Duration = Duration::from_micros(60);

/// Sends for `seconds`, then waits for the last answers.
pub(crate) async fn run(fleet: &Arc<Fleet>, per_second: f64, seconds: f64) -> Result<Percentiles> {
    let latencies = Arc::new(Latencies::new());
    let slots = Arc::new(Semaphore::new(IN_FLIGHT_MAX));
    let tasks = tokio::runtime::Handle::current();
    let sender = {
        let (fleet, latencies, slots) = (Arc::clone(fleet), Arc::clone(&latencies), Arc::clone(&slots));
        // A thread of its own: an async timer is a millisecond coarse.
        tokio::task::spawn_blocking(move || {
            let started = Instant::now();
            for (number, at) in Arrivals::new(per_second, fleet.random()).enumerate() {
                if at.as_secs_f64() > seconds {
                    return;
                }
                let due = started + at;
                wait_until(due);
                let slot = tasks.block_on(Arc::clone(&slots).acquire_owned());
                let (fleet, latencies) = (Arc::clone(&fleet), Arc::clone(&latencies));
                tasks.spawn(async move {
                    let mut client = fleet.client();
                    match fleet.send_one(&mut client).await {
                        Ok(()) => latencies.record(number, due.elapsed()),
                        Err(_) => fleet.count_error(),
                    }
                    drop(slot);
                });
            }
        })
    };
    sender.await?;
    // All slots are free again once the last one is answered.
    let all = u32::try_from(IN_FLIGHT_MAX)?;
    let _answered = slots.acquire_many(all).await?;
    Ok(latencies.merged())
}

fn wait_until(due: Instant) {
    let left = due.saturating_duration_since(Instant::now());
    if left > TIMER_SLACK {
        std::thread::sleep(left - TIMER_SLACK);
    }
}
