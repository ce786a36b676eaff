//! Stopping gently.

use std::time::Duration;

use dormouse_domain::{CommandError, NotDone};
use dormouse_persistence::MemoryDisk;
use dormouse_runtime::ShutdownError;

use crate::bank::{Deposit, account, bank, bank_on, bank_with, not_done, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_queued_is_finished_and_nothing_new_is_taken() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let calls: Vec<_> = (0..10)
        .map(|_| {
            let account = account.clone();
            tokio::spawn(async move { account.execute(Deposit { cents: 1 }).await })
        })
        .collect();
    until("ten are in flight", || bank.statistics().in_flight == 10).await;
    let stopping = bank.clone();
    let shutdown = tokio::spawn(async move { stopping.shutdown().await });
    until("it takes nothing more", || bank.is_shutting_down()).await;
    let new = account.execute(Deposit { cents: 1 }).await;
    assert_eq!(not_done(new), NotDone::ShuttingDown);
    drop(held);
    for call in calls {
        call.await.unwrap().expect("it was queued before");
    }
    shutdown.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_shutdown_ends_at_its_limit_and_says_what_was_left() {
    let disk = MemoryDisk::new();
    let limit = Duration::from_millis(50);
    let bank = bank_with(&disk, |builder| builder.shutdown_limit(limit)).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let caller = account.clone();
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    let stopping = bank.clone();
    let shutdown = tokio::spawn(async move { stopping.shutdown().await });
    let told = call.await.unwrap();
    assert!(matches!(told, Err(CommandError::Unknown(_))), "{told:?}");
    drop(held);
    assert!(matches!(
        shutdown.await.unwrap(),
        Err(ShutdownError::Unfinished { commands: 1 })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_shutdown_everything_says_so() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    bank.shutdown().await.unwrap();
    bank.shutdown().await.expect("once more is fine");
    assert_eq!(
        not_done(account.execute(Deposit { cents: 1 }).await),
        NotDone::ShuttingDown
    );
    assert_eq!(
        account.query(|_| ()).await,
        Err(CommandError::NotDone(NotDone::ShuttingDown))
    );
}
