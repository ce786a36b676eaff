//! P7, P14: eviction, and a new command that meets it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dormouse_domain::{Clock, Timestamp, Version};
use dormouse_persistence::MemoryDisk;

use crate::bank::{Deposit, Note, account, bank_with, until};
use crate::basics::stream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_aggregate_sleeps_and_wakes_with_its_state() {
    let clock = Clock::held(Timestamp::from_millis(1));
    let idle = Duration::from_secs(60);
    let bank = bank_with(&MemoryDisk::new(), |builder| {
        builder.clock(clock.clone()).passivate_after(idle)
    })
    .await;
    let account = account(&bank, "acc-1");
    account.execute(Deposit { cents: 7 }).await.unwrap();
    clock.advance(idle);
    assert_eq!(bank.passivate_idle(), 0, "not yet");
    clock.advance(Duration::from_millis(2));
    until("it left", || {
        bank.passivate_idle() + bank.statistics().passivated_idle as usize > 0
    })
    .await;
    assert_eq!(
        (bank.statistics().residents, bank.statistics().resident_bytes),
        (0, 0)
    );
    assert_eq!(account.execute(Deposit { cents: 1 }).await, Ok(8));
    assert_eq!(bank.statistics().activations, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_stays_within_its_budget() {
    const BUDGET: usize = 1 << 20;
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.memory_budget_bytes(BUDGET)).await;
    for n in 0..3_000 {
        account(&bank, &format!("acc-{n}"))
            .execute(Note {
                text: "x".repeat(500),
            })
            .await
            .unwrap();
    }
    let statistics = bank.statistics();
    assert_eq!(statistics.memory_budget_bytes, BUDGET);
    assert!(statistics.passivated_memory > 1_000, "{statistics:?}");
    assert!(
        statistics.resident_bytes_peak <= BUDGET + BUDGET / 10,
        "{statistics:?}"
    );
    for n in (0..3_000).step_by(100) {
        let account = account(&bank, &format!("acc-{n}"));
        assert_eq!(account.query(|state| state.note.len()).await, Ok(500));
    }
}

/// An aggregate that grows while it is resident counts for what it weighs now.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_growing_aggregate_is_weighed_again() {
    let bank = bank_with(&MemoryDisk::new(), |builder| builder).await;
    let account = account(&bank, "acc-1");
    account.execute(Note { text: String::new() }).await.unwrap();
    let small = bank.statistics().resident_bytes;
    for _ in 0..100 {
        account
            .execute(Note {
                text: "x".repeat(100_000),
            })
            .await
            .unwrap();
    }
    let grown = bank.statistics().resident_bytes;
    assert!(grown >= small + 100_000, "{small} → {grown}");
}

/// Commands meet evictions all the time: none is lost, none is run twice, versions have no gap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_command_is_lost_or_run_twice_when_eviction_meets_a_new_one() {
    const IDS: usize = 8;
    const EACH: i64 = 400;
    let idle = Duration::ZERO;
    let bank = bank_with(&MemoryDisk::new(), |builder| {
        builder.passivate_after(idle).snapshot_every(50)
    })
    .await;
    let stop = Arc::new(AtomicBool::new(false));
    let (evicting, stopped) = (bank.clone(), Arc::clone(&stop));
    let evictor = std::thread::spawn(move || {
        while !stopped.load(Ordering::Relaxed) {
            evicting.passivate_idle();
        }
    });
    let callers: Vec<_> = (0..IDS * 2)
        .map(|n| {
            let account = account(&bank, &format!("acc-{}", n % IDS));
            tokio::spawn(async move {
                for _ in 0..EACH {
                    account
                        .execute(Deposit { cents: 1 })
                        .await
                        .expect("eviction is not the caller's business");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    stop.store(true, Ordering::Relaxed);
    evictor.join().unwrap();
    for n in 0..IDS {
        let id = format!("acc-{n}");
        assert_eq!(account(&bank, &id).query(|state| state.cents).await, Ok(2 * EACH));
        assert_eq!(
            bank.store().head(&stream(&id)).unwrap(),
            Version::new(2 * EACH as u64)
        );
    }
    assert!(
        bank.statistics().passivated_idle > IDS as u64,
        "{:?}",
        bank.statistics()
    );
}

/// Whatever is asked for at once: what is over the budget (P14) is what the readers have in hand.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_wakings_at_once_stay_near_the_budget() {
    const BUDGET: usize = 4 << 20;
    const STATE: usize = 100_000;
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |b| b.memory_budget_bytes(BUDGET).snapshot_every(0)).await;
    for n in 0..400 {
        let text = "x".repeat(STATE);
        let account = account(&bank, &format!("acc-{n}"));
        account.execute(Note { text }).await.unwrap();
    }
    bank.shutdown().await.unwrap();
    for readers in [1, 8, 32] {
        // a reader waits as long as this clock stands still: however busy the machine, none gets ahead of the arbiters
        let clock = Clock::held(Timestamp::from_millis(1));
        let bank = bank_with(&disk, |b| {
            let b = b.memory_budget_bytes(BUDGET).snapshot_every(0);
            b.readers(readers).clock(clock)
        })
        .await;
        let queries: Vec<_> = (0..400)
            .map(|n| {
                let account = account(&bank, &format!("acc-{n}"));
                tokio::spawn(async move { account.query(|state| state.note.len()).await.unwrap() })
            })
            .collect();
        for query in queries {
            assert_eq!(query.await.unwrap(), STATE);
        }
        let peak = bank.statistics().resident_bytes_peak;
        // what each reader has in hand: a state, and what it was read from
        let bound = BUDGET + 2 * readers * STATE;
        assert!(peak <= bound, "{readers} readers: {peak} of {bound} bytes");
        bank.shutdown().await.unwrap();
    }
}
