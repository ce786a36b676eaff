//! What the soak sends: first as much as goes, then at a rate, whatever the answers do.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::Result;
use dormouse::{CommandError, CommandId, Dormouse, NotDone};
use hdrhistogram::Histogram;

use crate::counter::{Add, Counter, stream_name};
use crate::findings::answered;
use crate::random::Random;
use crate::violation::Violation;

const COUNTERS: u64 = 20_000;
/// Half of the commands go to so many of them.
const FAVOURITES: u64 = 2_000;
/// Clients that find out what goes at most.
const CLIENTS: u64 = 512;
/// Commands are sent in bulks: as many as are due.
const BULK_EVERY: Duration = Duration::from_millis(2);
/// What is due later than this, or behind so much that has no answer yet, is never sent. It waited so long at the least.
const LATE_MAX: Duration = Duration::from_secs(1);
/// Latencies are kept up to so much, ...
const LATENCY_US_MAX: u64 = 60_000_000;
/// ... to three digits.
const DIGITS: u8 = 3;

#[derive(Debug)]
pub(crate) struct Traffic {
    runtime: Dormouse,
    random: Mutex<Random>,
    numbers: AtomicU64,
    in_flight: AtomicU64,
    commands: AtomicU64,
    events: AtomicU64,
    /// Turned away, or not even sent in time.
    passed_over: AtomicU64,
    over: AtomicBool,
    /// Since the last sample, of what was passed over, too.
    latency_us: Mutex<Histogram<u64>>,
    broken: Mutex<Vec<Violation>>,
}

impl Traffic {
    pub(crate) fn new(runtime: Dormouse, seed: u64) -> Self {
        Self {
            runtime,
            random: Mutex::new(Random::new(seed, 0)),
            numbers: AtomicU64::new(1),
            in_flight: AtomicU64::new(0),
            commands: AtomicU64::new(0),
            events: AtomicU64::new(0),
            passed_over: AtomicU64::new(0),
            over: AtomicBool::new(false),
            latency_us: Mutex::new(empty()),
            broken: Mutex::default(),
        }
    }

    /// Forgets how fast it was before.
    pub(crate) fn begin(&self) {
        self.take_latencies();
    }

    pub(crate) fn end(&self) {
        self.over.store(true, Ordering::Release);
    }

    /// Once all that was sent is answered.
    pub(crate) async fn settled(&self) {
        while self.in_flight.load(Ordering::Acquire) > 0 {
            tokio::time::sleep(BULK_EVERY).await;
        }
    }

    pub(crate) fn commands(&self) -> u64 {
        self.commands.load(Ordering::Relaxed)
    }

    pub(crate) fn events(&self) -> u64 {
        self.events.load(Ordering::Relaxed)
    }

    pub(crate) fn passed_over(&self) -> u64 {
        self.passed_over.load(Ordering::Relaxed)
    }

    pub(crate) fn take_latencies(&self) -> Histogram<u64> {
        std::mem::replace(
            &mut *self.latency_us.lock().expect("nobody panics with it"),
            empty(),
        )
    }

    pub(crate) fn is_broken(&self) -> bool {
        !self.broken.lock().expect("nobody panics with it").is_empty()
    }

    pub(crate) fn violations(&self) -> Vec<Violation> {
        std::mem::take(&mut *self.broken.lock().expect("nobody panics with it"))
    }

    /// Sends one command; its latency counts from when it was due.
    async fn send(&self, due: Instant) -> Result<()> {
        let stream = {
            let mut random = self.random.lock().expect("nobody panics with it");
            let among = [COUNTERS, FAVOURITES][random.below(2) as usize];
            random.below(among)
        };
        let number = self.numbers.fetch_add(1, Ordering::Relaxed);
        let mut add = Add::numbered(number);
        // an hour of large ones would fill the disk
        add.padding %= 100;
        let parts = u64::from(add.parts);
        let counter = self.runtime.entity::<Counter>(stream_name(stream as u32))?;
        match answered(counter.execute(add).id(CommandId::now())).await {
            Some(Ok(_)) => {
                self.commands.fetch_add(1, Ordering::Relaxed);
                self.events.fetch_add(parts, Ordering::Relaxed);
                self.waited(due.elapsed(), 1);
            }
            Some(Err(CommandError::NotDone(NotDone::Overloaded { .. } | NotDone::DeadlinePassed))) => {
                self.pass_over(due.elapsed(), 1);
            }
            other => {
                let what = format!("command {number} to counter {stream}, in a healthy store: {other:?}");
                let mut broken = self.broken.lock().expect("nobody panics with it");
                broken.push(Violation::new("P13", what));
            }
        }
        Ok(())
    }

    /// So many commands waited so long and were not done: that is no less a wait.
    fn pass_over(&self, waited: Duration, many: u64) {
        self.passed_over.fetch_add(many, Ordering::Relaxed);
        self.waited(waited, many);
    }

    fn waited(&self, time: Duration, many: u64) {
        let us = (time.as_micros() as u64).min(LATENCY_US_MAX);
        let mut latency_us = self.latency_us.lock().expect("nobody panics with it");
        latency_us.saturating_record_n(us, many);
    }
}

fn empty() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_US_MAX, DIGITS).expect("the bounds are valid")
}

/// Commands a second, when everybody sends the next one at once.
pub(crate) async fn at_most(traffic: &Arc<Traffic>, time: Duration) -> Result<f64> {
    let (started, before) = (Instant::now(), traffic.commands());
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let traffic = Arc::clone(traffic);
            tokio::spawn(async move {
                while started.elapsed() < time && !traffic.is_broken() {
                    traffic.send(Instant::now()).await?;
                }
                anyhow::Ok(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    let sent = traffic.commands() - before;
    Ok(sent as f64 / started.elapsed().as_secs_f64())
}

/// Sends evenly, and never waits for an answer.
pub(crate) async fn at_rate(traffic: Arc<Traffic>, per_second: f64) {
    let (started, mut sent) = (Instant::now(), 0_u64);
    let late_max = (LATE_MAX.as_secs_f64() * per_second) as u64;
    let mut bulks = tokio::time::interval(BULK_EVERY);
    bulks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    while !traffic.over.load(Ordering::Acquire) {
        bulks.tick().await;
        let due = (started.elapsed().as_secs_f64() * per_second) as u64;
        if due - sent > late_max || traffic.in_flight.load(Ordering::Acquire) > late_max {
            traffic.pass_over(LATE_MAX, due - sent);
            sent = due;
        }
        while sent < due {
            let was_due = started + Duration::from_secs_f64(sent as f64 / per_second);
            sent += 1;
            traffic.in_flight.fetch_add(1, Ordering::AcqRel);
            let traffic = Arc::clone(&traffic);
            tokio::spawn(async move {
                // an id that is not valid would be a bug of this program, and shows in the counts
                let _ = traffic.send(was_due).await;
                traffic.in_flight.fetch_sub(1, Ordering::AcqRel);
            });
        }
    }
}
