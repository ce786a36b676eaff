//! P6: a command id takes effect once.

use std::time::Duration;

use dormouse_domain::{Clock, CommandError, CommandId, NotDone, Timestamp, Version};
use dormouse_persistence::MemoryDisk;
use uuid::{NoContext, Uuid};

use crate::bank::{Deposit, Overdrawn, Withdraw, account, bank, bank_on, bank_with, not_done, until};

fn v7_at(millis: u64) -> CommandId {
    let time = uuid::Timestamp::from_unix(NoContext, millis / 1_000, (millis % 1_000) as u32 * 1_000_000);
    CommandId::from(Uuid::new_v7(time))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_gets_the_first_reply() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    for id in [CommandId::now(), CommandId::from_key("payment-1")] {
        let first = account
            .execute(Deposit { cents: 7 })
            .id(id)
            .receipt()
            .await
            .unwrap();
        account.execute(Deposit { cents: 1_000 }).await.unwrap();
        let again = account
            .execute(Deposit { cents: 7 })
            .id(id)
            .receipt()
            .await
            .unwrap();
        assert!(!first.replayed && again.replayed);
        assert_eq!(
            (first.reply, first.version, first.position),
            (again.reply, again.version, again.position)
        );
    }
    assert_eq!(bank.statistics().replayed, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_of_a_command_in_flight_joins_its_reply() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    let id = CommandId::now();
    let held = disk.hold_appends();
    let (one, two) = (account.clone(), account.clone());
    let first = tokio::spawn(async move { one.execute(Deposit { cents: 7 }).id(id).await });
    held.wait_for_append();
    let joined = tokio::spawn(async move { two.execute(Deposit { cents: 7 }).id(id).receipt().await });
    until("it was recognised", || bank.statistics().replayed == 1).await;
    assert!(!joined.is_finished());
    drop(held);
    assert_eq!(first.await.unwrap(), Ok(7));
    let joined = joined.await.unwrap().unwrap();
    assert!(joined.replayed);
    assert_eq!((joined.reply, joined.version), (7, Version::new(1)));
    assert_eq!(account.query(|state| state.cents).await, Ok(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_finds_its_reply_across_eviction_and_restart() {
    let disk = MemoryDisk::new();
    let ids: Vec<CommandId> = (0..20)
        .map(|n| if n % 2 == 0 { CommandId::now() } else { key(n) })
        .collect();
    let bank = bank_on(&disk).await;
    for (n, id) in (0..).zip(&ids) {
        account(&bank, "acc-1")
            .execute(Deposit { cents: n })
            .id(*id)
            .await
            .unwrap();
    }
    bank.shutdown().await.unwrap();
    drop(bank);
    for round in 0..2 {
        let bank = bank_on(&disk).await;
        let mut sum = 0;
        for (n, id) in (0..).zip(&ids) {
            sum += n;
            let again = account(&bank, "acc-1")
                .execute(Deposit { cents: n })
                .id(*id)
                .receipt()
                .await
                .unwrap();
            assert!(again.replayed, "round {round}: command {n} took effect again");
            assert_eq!(again.reply, sum);
        }
        assert_eq!(account(&bank, "acc-1").query(|state| state.entries).await, Ok(20));
        drop(bank); // no shutdown: a crash
    }
}

fn key(n: i64) -> CommandId {
    CommandId::from_key(&format!("key-{n}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_id_with_another_command_is_not_done() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let id = CommandId::now();
    account.execute(Deposit { cents: 7 }).id(id).await.unwrap();
    let reused = NotDone::CommandIdReused {
        id,
        first_version: Version::new(1),
    };
    assert_eq!(
        not_done(account.execute(Deposit { cents: 8 }).id(id).await),
        reused
    );
    assert_eq!(
        not_done(account.execute(Withdraw { cents: 7 }).id(id).await),
        reused
    );
    assert_eq!(account.query(|state| state.cents).await, Ok(7));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_command_is_decided_afresh() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let id = CommandId::now();
    let refused = account.execute(Withdraw { cents: 5 }).id(id).await;
    assert_eq!(refused, Err(CommandError::Refused(Overdrawn { short: 5 })));
    account.execute(Deposit { cents: 5 }).await.unwrap();
    assert_eq!(account.execute(Withdraw { cents: 5 }).id(id).await, Ok(0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_takes_effect_once_an_aggregate() {
    let bank = bank().await;
    let id = CommandId::now();
    assert_eq!(
        account(&bank, "acc-1").execute(Deposit { cents: 7 }).id(id).await,
        Ok(7)
    );
    assert_eq!(
        account(&bank, "acc-2").execute(Deposit { cents: 7 }).id(id).await,
        Ok(7)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_id_from_the_future_is_not_done() {
    let clock = Clock::held(Timestamp::from_millis(1_000_000));
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.clock(clock.clone())).await;
    let account = account(&bank, "acc-1");
    let id = v7_at(1_000_000 + 300_001);
    assert_eq!(
        not_done(account.execute(Deposit { cents: 1 }).id(id).await),
        NotDone::CommandIdInFuture {
            id,
            ahead_ms: 300_001,
            limit_ms: 300_000
        }
    );
    clock.advance(Duration::from_millis(1));
    assert_eq!(account.execute(Deposit { cents: 1 }).id(id).await, Ok(1));
}

/// More ids than the ring holds, in any order: old ones are looked up, none takes effect twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forgotten_ids_are_looked_up() {
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.recent_ids(8)).await;
    let account = account(&bank, "acc-1");
    let ids: Vec<CommandId> = (0..40).map(|n| v7_at(1_000 + n)).collect();
    for id in ids.iter().rev() {
        account.execute(Deposit { cents: 1 }).id(*id).await.unwrap();
    }
    for id in &ids {
        assert!(
            account
                .execute(Deposit { cents: 1 })
                .id(*id)
                .receipt()
                .await
                .unwrap()
                .replayed
        );
    }
    assert_eq!(account.query(|state| state.cents).await, Ok(40));
    assert!(bank.statistics().id_look_ups > 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_ordered_ids_need_no_look_up() {
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.recent_ids(64)).await;
    let account = account(&bank, "acc-1");
    for _ in 0..500 {
        account
            .execute(Deposit { cents: 1 })
            .id(CommandId::now())
            .await
            .unwrap();
    }
    assert_eq!(bank.statistics().id_look_ups, 0);
}
