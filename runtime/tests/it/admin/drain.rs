//! Draining: nothing new is taken, nothing acknowledged is lost, what is stored can be read.

use std::time::Duration;

use dormouse_domain::{CommandError, NotDone, Version};
use dormouse_persistence::MemoryDisk;
use dormouse_runtime::admin::{AsOf, StreamsWanted};
use dormouse_runtime::{Readiness, ShutdownError};

use super::{deposit, places, state_json};
use crate::bank::{Deposit, account, bank_on, bank_with, not_done, until};
use crate::basics::stream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_in_flight_is_finished_and_everything_leaves_with_its_snapshot() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.snapshot_every(10)).await;
    for n in 0..20 {
        deposit(&bank, &format!("acc-{n}"), 6).await;
    }
    let held = disk.hold_appends();
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let account = account(&bank, &format!("acc-{n}"));
            tokio::spawn(async move { account.execute(Deposit { cents: 7 }).await })
        })
        .collect();
    until("all are in flight", || bank.statistics().in_flight == 20).await;
    assert_eq!(bank.readiness(), Readiness::Ready);
    let draining = bank.clone();
    let drain = tokio::spawn(async move { draining.drain().await });
    until("it drains", || bank.readiness() == Readiness::Draining).await;
    assert_eq!(
        not_done(account(&bank, "acc-1").execute(Deposit { cents: 1 }).await),
        NotDone::ShuttingDown
    );
    drop(held);
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(28), "it was in flight before");
    }
    drain.await.unwrap().unwrap();
    assert_eq!((bank.statistics().residents, bank.statistics().in_flight), (0, 0));
    until("the snapshots are written", || {
        bank.statistics().snapshots_written == 20
    })
    .await;
    let asked = account(&bank, "acc-1").query(|_| ()).await;
    assert_eq!(asked, Err(CommandError::NotDone(NotDone::ShuttingDown)));
    assert_eq!(bank.readiness(), Readiness::Draining);
    bank.drain().await.expect("once more is fine");

    bank.shutdown().await.unwrap();
    assert_eq!(bank.readiness(), Readiness::ShutDown);
    drop(bank);
    let again = bank_on(&disk).await;
    for n in 0..20 {
        let balance = account(&again, &format!("acc-{n}"))
            .query(|state| state.cents)
            .await;
        assert_eq!(balance, Ok(28));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drained_runtime_can_be_looked_into() {
    for place in places(|builder| builder).await {
        let (bank, stream) = (&place.bank, stream("acc-1"));
        deposit(bank, "acc-1", 5).await;
        bank.drain().await.unwrap();
        let admin = bank.admin();
        let state = admin.state_at(&stream, AsOf::Latest).await.unwrap();
        assert_eq!(state.json, state_json(5));
        assert_eq!(
            admin
                .events(&stream, Version::new(1), 9)
                .await
                .unwrap()
                .events
                .len(),
            5
        );
        let page = admin
            .streams(&StreamsWanted::of(stream.aggregate_type.clone()))
            .await
            .unwrap();
        assert_eq!(page.streams.len(), 1);
        assert_eq!(admin.snapshot(&stream).await.unwrap().version, Version::new(5));
    }
}

/// Callers go on while it drains: each is told done or not done, and what was told done is there afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_while_callers_go_on() {
    const CALLERS: usize = 16;
    for place in places(|builder| builder).await {
        let bank = &place.bank;
        let callers: Vec<_> = (0..CALLERS)
            .map(|n| {
                let account = account(bank, &format!("acc-{}", n % 4));
                tokio::spawn(async move {
                    for done in 0_u64.. {
                        match account.execute(Deposit { cents: 1 }).wait_for_room().await {
                            Ok(_) => {}
                            Err(CommandError::NotDone(NotDone::ShuttingDown)) => return done,
                            Err(other) => panic!("{other}"),
                        }
                    }
                    0
                })
            })
            .collect();
        until("they are at it", || bank.statistics().committed > 200).await;
        bank.drain().await.unwrap();
        let mut done = 0;
        for caller in callers {
            done += caller.await.unwrap();
        }
        let stored: u64 = (0..4)
            .map(|n| bank.store().head(&stream(&format!("acc-{n}"))).unwrap().get())
            .sum();
        assert_eq!(stored, done);
        assert_eq!(bank.statistics().residents, 0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_drain_ends_at_its_limit_and_may_be_called_again() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.shutdown_limit(Duration::from_millis(50))).await;
    let held = disk.hold_appends();
    let caller = account(&bank, "acc-1");
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    assert!(matches!(
        bank.drain().await,
        Err(ShutdownError::Unfinished { commands: 1 })
    ));
    drop(held);
    assert_eq!(call.await.unwrap(), Ok(1), "it went on");
    bank.drain().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_runtime_is_not_ready() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.in_flight_max(1).mailbox(1)).await;
    let held = disk.hold_appends();
    let caller = account(&bank, "acc-1");
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    assert_eq!(
        bank.readiness(),
        Readiness::Overloaded {
            in_flight: 1,
            limit: 1
        }
    );
    drop(held);
    call.await.unwrap().unwrap();
    assert_eq!(bank.readiness(), Readiness::Ready);
}
