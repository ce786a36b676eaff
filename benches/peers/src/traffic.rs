//! Deposits by clients that don't think.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use cqrs_es::{AggregateContext, EventStore};

use crate::account::account_id;
use crate::bank::Bank;
use crate::outcome::{Latencies, Outcome};
use crate::random::Random;
use crate::server::Server;
use crate::step::Traffic;

/// As in the load harness.
const WARM_UP_SHARE: f64 = 0.25;
const WARM_UP_MAX_S: f64 = 3.0;
/// Clients whose commands are not through when time is over go on trying, at most so long: on one account, among many, that
/// can take several times as long as what is measured.
const LATE_MAX: Duration = Duration::from_secs(300);

/// What the clients did.
struct Done {
    latencies: Arc<Latencies>,
    /// Answered before time was over; `latencies` has the others too.
    in_time: u64,
}

pub(crate) async fn run(server: &Server, traffic: &Traffic, seed: u64) -> Result<Outcome> {
    ensure!(
        traffic.ids == 1 || traffic.clients <= traffic.ids,
        "each client needs accounts of its own"
    );
    server.prepare().await?;
    let syncs = server.log_syncs().await?;
    let bank = Arc::new(Bank::open(server, traffic.store).await?);
    let warm_up = (traffic.seconds * WARM_UP_SHARE).min(WARM_UP_MAX_S);
    let warm = send(&bank, traffic, warm_up, seed ^ 1).await?;
    let conflicts = bank.conflicts();
    let (cpu, server_cpu, started) = (server.cpu_seconds(), server.server_cpu_seconds(), Instant::now());
    let done = send(&bank, traffic, traffic.seconds, seed).await?;
    let seconds = started.elapsed().as_secs_f64();
    let (cpu, server_cpu) = (
        server.cpu_seconds() - cpu,
        server.server_cpu_seconds() - server_cpu,
    );
    let conflicts = bank.conflicts() - conflicts;
    let answered = done.latencies.count();
    let all = warm.latencies.count() + answered;
    check_state(&bank, traffic, all).await?;
    bank.close().await;

    ensure!(done.in_time > 0, "no command was answered in time");
    let stored = server.events().await?;
    ensure!(
        stored == i64::try_from(all)?,
        "{all} commands were answered, {stored} events are stored"
    );
    let mut outcome = Outcome::of(traffic.clients, done.in_time, traffic.seconds, &done.latencies);
    outcome.set("late_commands", (answered - done.in_time) as f64);
    outcome.set("late_s", seconds - traffic.seconds);
    outcome.set("conflicts_per_command", conflicts as f64 / answered as f64);
    outcome.set(
        "fsyncs_per_command",
        (server.log_syncs().await? - syncs) as f64 / all as f64,
    );
    outcome.set("cores_used", cpu / seconds);
    outcome.set("server_cores", server_cpu / seconds);
    outcome.set("cpu_us_per_command", cpu * 1e6 / answered as f64);
    Ok(outcome)
}

/// The one account of a hot run has counted each command once.
async fn check_state(bank: &Bank, traffic: &Traffic, commands: u64) -> Result<()> {
    if traffic.ids == 1 {
        let mut account = bank.store().load_aggregate(&account_id(0)).await?;
        let entries = account.aggregate().entries;
        ensure!(entries == commands, "{entries} entries after {commands} commands");
    }
    Ok(())
}

/// Closed loop: each client sends its next command when the last one is answered.
async fn send(bank: &Arc<Bank>, traffic: &Traffic, seconds: f64, seed: u64) -> Result<Done> {
    let latencies = Arc::new(Latencies::new());
    let in_time = Arc::new(AtomicU64::new(0));
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    let mut running = tokio::task::JoinSet::new();
    for client in 0..traffic.clients {
        let (bank, latencies, in_time) = (Arc::clone(bank), Arc::clone(&latencies), Arc::clone(&in_time));
        let accounts = Accounts::of(client, traffic);
        running.spawn(async move {
            let mut random = Random::new(seed, client);
            let mut sent = Instant::now();
            while sent < until {
                bank.deposit(accounts.choose(&mut random), &mut random).await?;
                let answered = Instant::now();
                latencies.record(client, answered - sent);
                if answered <= until {
                    in_time.fetch_add(1, Ordering::Relaxed);
                }
                sent = answered;
            }
            anyhow::Ok(())
        });
    }
    let all = async {
        while let Some(ended) = running.join_next().await {
            ended??;
        }
        anyhow::Ok(())
    };
    let limit = Duration::from_secs_f64(seconds) + LATE_MAX;
    let ended = tokio::time::timeout(limit, all).await;
    ended.with_context(|| format!("clients still try after {limit:?}"))??;
    Ok(Done {
        latencies,
        in_time: in_time.load(Ordering::Relaxed),
    })
}

/// The accounts of one client: with more accounts than one, each client has its own, so that none is answered with a
/// conflict.
#[derive(Clone, Copy, Debug)]
struct Accounts {
    first: u64,
    step: u64,
    count: u64,
}

impl Accounts {
    fn of(client: u64, traffic: &Traffic) -> Self {
        let Traffic { ids, clients, .. } = *traffic;
        if ids == 1 {
            return Self {
                first: 0,
                step: 1,
                count: 1,
            };
        }
        Self {
            first: client,
            step: clients,
            count: (ids - client).div_ceil(clients),
        }
    }

    fn choose(self, random: &mut Random) -> u64 {
        self.first + self.step * random.below(self.count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::step::Store;

    #[test]
    fn clients_share_all_accounts_and_none_twice() {
        let traffic = |ids, clients| Traffic {
            ids,
            clients,
            seconds: 1.0,
            store: Store::Events,
        };
        let spread = traffic(1_000, 64);
        let mut all: Vec<u64> = (0..64)
            .map(|client| Accounts::of(client, &spread))
            .flat_map(|own| (0..own.count).map(move |k| own.first + own.step * k))
            .collect();
        all.sort_unstable();
        assert_eq!(all, (0..1_000).collect::<Vec<_>>());
        let hot = Accounts::of(3, &traffic(1, 64));
        assert_eq!(hot.choose(&mut Random::new(1, 1)), 0);
    }
}
