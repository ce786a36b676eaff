//! P13: deadlines and full mailboxes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use dormouse_domain::{Bound, Clock, CommandError, NotDone, Timestamp, Unknown};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;

use crate::bank::{Account, Deposit, PATIENCE, account, bank_on, bank_with, end_of_wait, not_done, until};

const SHORT: Duration = Duration::from_millis(30);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_mailbox_answers_overloaded_at_once() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.mailbox(3)).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let calls: Vec<_> = (0..3)
        .map(|_| {
            let account = account.clone();
            tokio::spawn(async move { account.execute(Deposit { cents: 1 }).await })
        })
        .collect();
    until("three are in flight", || bank.statistics().in_flight == 3).await;
    let turned_away = not_done(account.execute(Deposit { cents: 1 }).await);
    assert_eq!(
        turned_away,
        NotDone::Overloaded {
            bound: Bound::Mailbox,
            limit: 3
        }
    );
    // another aggregate has a mailbox of its own
    let other = crate::bank::account(&bank, "acc-2");
    let other = tokio::spawn(async move { other.execute(Deposit { cents: 1 }).await });
    drop(held);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(other.await.unwrap(), Ok(1));
    assert_eq!(account.execute(Deposit { cents: 1 }).await, Ok(4));
    assert_eq!(bank.statistics().overloaded, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_runtime_answers_overloaded() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.in_flight_max(2)).await;
    let held = disk.hold_appends();
    let calls: Vec<_> = (0..2)
        .map(|n| {
            let account = account(&bank, &format!("acc-{n}"));
            tokio::spawn(async move { account.execute(Deposit { cents: 1 }).await })
        })
        .collect();
    until("two are in flight", || bank.statistics().in_flight == 2).await;
    let turned_away = not_done(account(&bank, "acc-9").execute(Deposit { cents: 1 }).await);
    assert_eq!(
        turned_away,
        NotDone::Overloaded {
            bound: Bound::Runtime,
            limit: 2
        }
    );
    drop(held);
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_may_wait_for_room() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.mailbox(1)).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let (first, patient, hasty) = (account.clone(), account.clone(), account.clone());
    let first = tokio::spawn(async move { first.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    let patient = tokio::spawn(async move { patient.execute(Deposit { cents: 1 }).wait_for_room().await });
    let hasty = hasty
        .execute(Deposit { cents: 1 })
        .wait_for_room()
        .within(SHORT)
        .await;
    assert_eq!(not_done(hasty), NotDone::DeadlinePassed);
    drop(held);
    assert_eq!(first.await.unwrap(), Ok(1));
    assert_eq!(patient.await.unwrap(), Ok(2));
}

/// The deadline passes while the command waits in the mailbox: it is never handled.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_that_passed_before_handling_is_not_done() {
    let clock = Clock::held(Timestamp::from_millis(1));
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| {
        builder.clock(clock.clone()).default_deadline(SHORT)
    })
    .await;
    let (entered, enter) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel();
    let account = account(&bank, "acc-1");
    let (busy, waiting) = (account.clone(), account.clone());
    // a query keeps the aggregate busy while the clock moves on
    let busy = tokio::spawn(async move {
        busy.query(move |_| {
            entered.send(()).unwrap();
            left.recv().unwrap();
        })
        .await
    });
    tokio::task::spawn_blocking(move || enter.recv())
        .await
        .unwrap()
        .unwrap();
    let late = tokio::spawn(async move { waiting.execute(Deposit { cents: 1 }).await });
    until("it is in the mailbox", || bank.statistics().in_flight == 2).await;
    clock.advance(SHORT * 2);
    leave.send(()).unwrap();
    assert_eq!(busy.await.unwrap(), Ok(()));
    assert_eq!(not_done(late.await.unwrap()), NotDone::DeadlinePassed);
    assert_eq!(
        account.query(|state| state.entries).await,
        Ok(0),
        "it was never handled"
    );
}

/// The caller gives up while the command is in the mailbox: it is told not done, and that is kept.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_gives_up_in_time_takes_its_command_back() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let (entered, enter) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel();
    let account = account(&bank, "acc-1");
    let busy = account.clone();
    let busy = tokio::spawn(async move {
        busy.query(move |_| {
            entered.send(()).unwrap();
            left.recv().unwrap();
        })
        .await
    });
    tokio::task::spawn_blocking(move || enter.recv())
        .await
        .unwrap()
        .unwrap();
    let given_up = account.execute(Deposit { cents: 1 }).within(SHORT).await;
    assert_eq!(not_done(given_up), NotDone::DeadlinePassed);
    leave.send(()).unwrap();
    busy.await.unwrap().unwrap();
    assert_eq!(account.query(|state| state.entries).await, Ok(0));
}

#[tokio::test]
async fn a_deadline_that_passes_after_handling_is_unknown() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let call = account.execute(Deposit { cents: 1 }).within(PATIENCE);
    let late = end_of_wait(call.into_future(), &held).await;
    assert_eq!(late, Err(CommandError::Unknown(Unknown::WaitEnded)));
    drop(held);
    assert_eq!(account.query(|state| state.cents).await, Ok(1));
}

/// The store's queue is full: entities pause before they decide, and go on when there is space.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn entities_wait_for_space_in_the_store() {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default().queue_commits_max(4)).unwrap();
    let bank = Dormouse::builder(store)
        .aggregate::<Account>()
        .arbiters(1)
        .start()
        .await
        .unwrap();
    for n in 0..20 {
        account(&bank, &format!("acc-{n}")).query(|_| ()).await.unwrap();
    }
    let held = disk.hold_appends();
    let calls: Vec<_> = (0..20)
        .map(|n| {
            let account = account(&bank, &format!("acc-{n}"));
            tokio::spawn(async move { account.execute(Deposit { cents: 1 }).await })
        })
        .collect();
    until("all are in flight", || bank.statistics().in_flight == 20).await;
    held.wait_for_append();
    tokio::time::sleep(SHORT).await;
    assert!(
        bank.statistics().committed <= 5,
        "{} were decided",
        bank.statistics().committed
    );
    drop(held);
    for call in calls {
        assert_eq!(call.await.unwrap(), Ok(1));
    }
}

/// actix drains a mailbox without yielding: a hot aggregate must not starve the others of its arbiter.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hot_aggregate_lets_others_run() {
    const QUEUED: usize = 3_000;
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.arbiters(1)).await;
    let (hot, other) = (account(&bank, "hot"), account(&bank, "other"));
    other.query(|_| ()).await.unwrap();
    let (entered, enter) = std::sync::mpsc::channel();
    let (leave, left) = std::sync::mpsc::channel();
    let handled = Arc::new(AtomicUsize::new(0));
    let blocking = hot.clone();
    let mut calls = vec![tokio::spawn(async move {
        blocking
            .query(move |_| {
                entered.send(()).unwrap();
                left.recv().unwrap();
            })
            .await
    })];
    tokio::task::spawn_blocking(move || enter.recv())
        .await
        .unwrap()
        .unwrap();
    for _ in 0..QUEUED {
        let (hot, handled) = (hot.clone(), Arc::clone(&handled));
        let count = move |_: &Account| {
            handled.fetch_add(1, Ordering::SeqCst);
        };
        calls.push(tokio::spawn(async move { hot.query(count).await }));
    }
    until("they are queued", || bank.statistics().in_flight == QUEUED + 1).await;
    let seen = tokio::spawn(async move { other.query(move |_| handled.load(Ordering::SeqCst)).await });
    until("the other one is queued", || {
        bank.statistics().in_flight == QUEUED + 2
    })
    .await;
    leave.send(()).unwrap();
    let before_it = seen.await.unwrap().unwrap();
    assert!(before_it < QUEUED / 2, "{before_it} of {QUEUED} went before it");
    for call in calls {
        call.await.unwrap().unwrap();
    }
}
