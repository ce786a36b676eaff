//! P8: snapshot plus tail equals full replay, and a bad snapshot costs time only.

use dormouse_persistence::MemoryDisk;

use crate::bank::{Deposit, account, bank_on, bank_with, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_aggregate_wakes_from_its_snapshot() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.snapshot_every(10)).await;
    for _ in 0..25 {
        account(&bank, "acc-1")
            .execute(Deposit { cents: 1 })
            .await
            .unwrap();
    }
    bank.shutdown().await.unwrap();
    assert!(bank.statistics().snapshots_written >= 2);
    drop(bank);
    let again = bank_with(&disk, |builder| builder.snapshot_every(10)).await;
    assert_eq!(
        account(&again, "acc-1")
            .query(|state| (state.cents, state.entries))
            .await,
        Ok((25, 25))
    );
    assert!(
        again.statistics().events_replayed <= 5,
        "{}",
        again.statistics().events_replayed
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_damaged_snapshot_costs_time_only() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.snapshot_every(10)).await;
    for _ in 0..25 {
        account(&bank, "acc-1")
            .execute(Deposit { cents: 1 })
            .await
            .unwrap();
    }
    bank.shutdown().await.unwrap();
    drop(bank);
    let mut damaged = 0;
    disk.edit_rows("snapshots", |rows| {
        for row in rows.values_mut() {
            let last = row.len() - 1;
            row[last] ^= 1;
            damaged += 1;
        }
    });
    assert_eq!(damaged, 1);
    let again = bank_with(&disk, |builder| builder.snapshot_every(10)).await;
    assert_eq!(
        account(&again, "acc-1")
            .query(|state| (state.cents, state.entries))
            .await,
        Ok((25, 25))
    );
    assert_eq!(again.statistics().events_replayed, 25);
    assert_eq!(again.statistics().snapshots_unreadable, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_snapshot_is_written_of_what_is_not_durable() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.snapshot_every(1)).await;
    let account = account(&bank, "acc-1");
    let held = disk.hold_appends();
    let caller = account.clone();
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    assert_eq!(bank.statistics().snapshots_written, 0);
    drop(held);
    call.await.unwrap().unwrap();
    until("it is written now", || bank.statistics().snapshots_written == 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn passivation_takes_a_snapshot_where_it_is_worth_it() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.snapshot_every(10)).await;
    for _ in 0..6 {
        account(&bank, "long")
            .execute(Deposit { cents: 1 })
            .await
            .unwrap();
    }
    account(&bank, "short")
        .execute(Deposit { cents: 1 })
        .await
        .unwrap();
    bank.shutdown().await.unwrap();
    assert_eq!(bank.statistics().snapshots_written, 1);
    drop(bank);
    let again = bank_on(&disk).await;
    account(&again, "long").query(|_| ()).await.unwrap();
    assert_eq!(again.statistics().events_replayed, 0);
}
