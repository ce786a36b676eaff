//! The open loop: commands are sent when they are due, and their latency counts from then. A closed loop stops sending
//! while the program stalls, and so measures each stall once a client instead of once a command ("coordinated omission").

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::Result;
use tokio::sync::mpsc;

use super::Fleet;
use crate::latency::{Latencies, Percentiles};
use crate::poisson::Arrivals;

/// Commands in flight; past it the sender waits, which the latencies show, as they count from when a command was due.
const IN_FLIGHT_MAX: usize = 50_000;
const POLL: Duration = Duration::from_micros(200);

/// What the sender and all commands share.
struct Flight {
    fleet: Arc<Fleet>,
    latencies: Latencies,
    commands: AtomicUsize,
}

/// Sends for `seconds`, one command at least, then waits for the last answers.
pub(crate) async fn run(fleet: &Arc<Fleet>, per_second: f64, seconds: f64) -> Result<Percentiles> {
    let flight = Arc::new(Flight {
        fleet: Arc::clone(fleet),
        latencies: Latencies::new(),
        commands: AtomicUsize::new(0),
    });
    let (send, mut due) = mpsc::unbounded_channel::<Vec<Instant>>();
    let sender = {
        let flight = Arc::clone(&flight);
        let arrivals = Arrivals::new(per_second, fleet.random());
        // A thread of its own: an async timer is a millisecond coarse.
        tokio::task::spawn_blocking(move || flight.keep_time(arrivals, seconds, &send))
    };
    // Tasks are spawned on the runtime's own threads: from outside, each would take its lock and wake a thread.
    while let Some(batch) = due.recv().await {
        for (number, due) in batch.into_iter().enumerate() {
            let flight = Arc::clone(&flight);
            tokio::spawn(async move { flight.send(number, due).await });
        }
    }
    sender.await?;
    while flight.commands.load(Ordering::Relaxed) > 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(flight.latencies.merged())
}

impl Flight {
    /// Hands over what is due, all that is due at once, until the time is up.
    fn keep_time(&self, arrivals: Arrivals, seconds: f64, send: &mpsc::UnboundedSender<Vec<Instant>>) {
        let started = Instant::now();
        let mut arrivals = arrivals
            .enumerate()
            .take_while(|(number, at)| *number == 0 || at.as_secs_f64() <= seconds)
            .map(|(_, at)| started + at)
            .peekable();
        while let Some(next) = arrivals.peek() {
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
            while self.commands.load(Ordering::Relaxed) >= IN_FLIGHT_MAX {
                std::thread::sleep(POLL);
            }
            let now = Instant::now();
            let batch: Vec<Instant> = std::iter::from_fn(|| arrivals.next_if(|due| *due <= now)).collect();
            self.commands.fetch_add(batch.len(), Ordering::Relaxed);
            if send.send(batch).is_err() {
                return;
            }
        }
    }

    async fn send(&self, number: usize, due: Instant) {
        let mut client = self.fleet.client();
        match self.fleet.send_one(&mut client).await {
            Ok(()) => self.latencies.record(number, due.elapsed()),
            Err(_) => self.fleet.count_error(),
        }
        self.commands.fetch_sub(1, Ordering::Relaxed);
    }
}
