//! P1–P3, P11: nobody is told anything that the disk does not hold, and a failed write is never called refused.

use std::time::Duration;

use dormouse_domain::{CommandError, CommandId, NotDone, Unknown, Version};
use dormouse_persistence::{AppendFault, Health, MemoryDisk};

use crate::bank::{Deposit, Overdrawn, PATIENCE, Withdraw, account, bank_on, end_of_wait, not_done, until};

const A_WHILE: Duration = Duration::from_millis(50);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_reply_before_it_is_durable() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let waiting = account.clone();
    let reply = tokio::spawn(async move { waiting.execute(Deposit { cents: 700 }).await });
    held.wait_for_append();
    assert!(!reply.is_finished());
    drop(held);
    assert_eq!(reply.await.unwrap(), Ok(700));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_and_no_query_before_what_it_rests_on_is_durable() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    account.execute(Deposit { cents: 100 }).await.unwrap();
    let held = disk.hold_appends();
    let (withdrawing, refusing, asking) = (account.clone(), account.clone(), account.clone());
    let withdrawal = tokio::spawn(async move { withdrawing.execute(Withdraw { cents: 100 }).await });
    held.wait_for_append();
    // both rest on the withdrawal, which is not durable
    let refusal = tokio::spawn(async move { refusing.execute(Withdraw { cents: 1 }).await });
    let query = tokio::spawn(async move { asking.query(|state| state.cents).await });
    until("both are parked", || {
        bank.statistics().refused == 1 && bank.statistics().queries == 1
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    assert!(!refusal.is_finished() && !query.is_finished());
    drop(held);
    assert_eq!(withdrawal.await.unwrap(), Ok(0));
    assert_eq!(
        refusal.await.unwrap(),
        Err(CommandError::Refused(Overdrawn { short: 1 }))
    );
    assert_eq!(query.await.unwrap(), Ok(0));
}

/// What was handed to the failed write is unknown; what stood behind it is not done, refusals and queries too.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_write_is_unknown_and_everything_behind_it_is_taken_back() {
    for fault in [AppendFault::NothingWritten, AppendFault::Written] {
        let disk = MemoryDisk::new();
        let bank = bank_on(&disk).await;
        let account = account(&bank, "acc-1");
        account.execute(Deposit { cents: 100 }).await.unwrap();
        let (id, held) = (CommandId::now(), disk.hold_appends());
        let (first, behind, refused, asking) =
            (account.clone(), account.clone(), account.clone(), account.clone());
        let withdrawal = tokio::spawn(async move { first.execute(Withdraw { cents: 100 }).id(id).await });
        held.wait_for_append();
        let deposit = tokio::spawn(async move { behind.execute(Deposit { cents: 1 }).await });
        until("it is handed over", || bank.statistics().committed == 3).await;
        let refusal = tokio::spawn(async move { refused.execute(Withdraw { cents: 50 }).await });
        let query = tokio::spawn(async move { asking.query(|state| state.cents).await });
        until("they are parked", || {
            bank.statistics().refused == 1 && bank.statistics().queries == 1
        })
        .await;
        disk.fail_append(fault);
        drop(held);

        assert!(matches!(
            withdrawal.await.unwrap(),
            Err(CommandError::Unknown(Unknown::WriteFailed { .. }))
        ));
        assert!(matches!(
            not_done(deposit.await.unwrap()),
            NotDone::Stopped { .. }
        ));
        assert!(matches!(
            not_done(refusal.await.unwrap()),
            NotDone::Stopped { .. }
        ));
        assert!(matches!(
            query.await.unwrap(),
            Err(CommandError::NotDone(NotDone::Stopped { .. }))
        ));
        assert!(matches!(bank.health(), Health::Stopped { .. }));
        // later commands fail fast, also of aggregates that had nothing to do with it
        let later = crate::bank::account(&bank, "acc-2")
            .execute(Deposit { cents: 1 })
            .await;
        assert!(matches!(not_done(later), NotDone::Stopped { .. }));

        bank.reopen().await.unwrap();
        assert!(matches!(bank.health(), Health::Healthy));
        // the retry settles it: exactly one effect, the same reply
        let settled = account
            .execute(Withdraw { cents: 100 })
            .id(id)
            .receipt()
            .await
            .unwrap();
        assert_eq!(settled.reply, 0);
        assert_eq!(settled.replayed, fault == AppendFault::Written);
        assert_eq!(settled.version, Version::new(2));
        assert_eq!(account.query(|state| state.cents).await, Ok(0));
    }
}

#[tokio::test]
async fn a_caller_that_stops_waiting_does_not_stop_the_commit() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    let id = CommandId::now();
    let held = disk.hold_appends();
    let call = account.execute(Deposit { cents: 5 }).id(id).within(PATIENCE);
    let late = end_of_wait(call.into_future(), &held).await;
    assert_eq!(late, Err(CommandError::Unknown(Unknown::WaitEnded)));
    drop(held);
    let again = account
        .execute(Deposit { cents: 5 })
        .id(id)
        .receipt()
        .await
        .unwrap();
    assert!(again.replayed, "it went on, and the retry gets its reply");
    assert_eq!(again.reply, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_future_dropped_after_hand_over_leaves_the_command_to_go_on() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let dropped = account.clone();
    let call = tokio::spawn(async move { dropped.execute(Deposit { cents: 5 }).await });
    held.wait_for_append();
    call.abort();
    assert!(call.await.unwrap_err().is_cancelled());
    drop(held);
    assert_eq!(account.query(|state| state.cents).await, Ok(5));
    until("the count is given back", || bank.statistics().in_flight == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_everything_without_a_shutdown_is_no_worse_than_a_crash() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    for n in 0..50 {
        account(&bank, &format!("acc-{n}"))
            .execute(Deposit { cents: n })
            .await
            .unwrap();
    }
    drop(bank);
    let again = bank_on(&disk).await;
    for n in 0..50 {
        assert_eq!(
            account(&again, &format!("acc-{n}"))
                .query(|state| state.cents)
                .await,
            Ok(n)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_crash_with_commands_in_flight_loses_nothing_acknowledged() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    account.execute(Deposit { cents: 1 }).await.unwrap();
    let (id, held) = (CommandId::now(), disk.hold_appends());
    let caller = account.clone();
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 2 }).id(id).await });
    held.wait_for_append();
    disk.crash();
    assert!(matches!(call.await.unwrap(), Err(CommandError::Unknown(_))));
    drop((held, account, bank));
    let again = bank_on(&disk).await;
    let settled = crate::bank::account(&again, "acc-1")
        .execute(Deposit { cents: 2 })
        .id(id)
        .await;
    assert_eq!(settled, Ok(3));
}
