//! Passivating, and taking snapshots, at an operator's wish.

use dormouse_domain::{CommandId, Version};
use dormouse_persistence::MemoryDisk;
use dormouse_runtime::admin::{AdminError, AsOf, Passivated};

use super::{deposit, places, state_json};
use crate::bank::{Deposit, account, bank, bank_with};
use crate::basics::stream;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_aggregate_is_passivated_and_a_busy_one_is_not() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder).await;
    let (admin, stream, account) = (bank.admin(), stream("acc-1"), account(&bank, "acc-1"));
    assert_eq!(admin.passivate(&stream).await.unwrap(), Passivated::NotResident);
    account.execute(Deposit { cents: 7 }).await.unwrap();
    let held = disk.hold_appends();
    let caller = account.clone();
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    assert_eq!(admin.passivate(&stream).await.unwrap(), Passivated::Busy);
    drop(held);
    assert_eq!(call.await.unwrap(), Ok(8));
    assert_eq!(admin.passivate(&stream).await.unwrap(), Passivated::Done);
    let statistics = bank.statistics();
    assert_eq!((statistics.residents, statistics.passivated_operator), (0, 1));
    assert_eq!(admin.passivate(&stream).await.unwrap(), Passivated::NotResident);
    assert_eq!(account.execute(Deposit { cents: 1 }).await, Ok(9));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_taken_by_an_operator_is_what_the_aggregate_wakes_from() {
    for place in places(|builder| builder.snapshot_every(0)).await {
        let (bank, stream) = (&place.bank, stream("acc-1"));
        let id = CommandId::now();
        account(bank, "acc-1")
            .execute(Deposit { cents: 1 })
            .id(id)
            .await
            .unwrap();
        for cents in 2..=20 {
            account(bank, "acc-1").execute(Deposit { cents }).await.unwrap();
        }
        let admin = bank.admin();
        let taken = admin.snapshot(&stream).await.unwrap();
        let stored = bank.store().snapshot(&stream).unwrap().unwrap();
        assert_eq!(
            (taken.version, stored.version),
            (Version::new(20), Version::new(20))
        );
        assert_eq!(
            (taken.bytes, stored.newest_command),
            (stored.payload.len(), Some(id))
        );
        admin.passivate(&stream).await.unwrap();
        let replayed = bank.statistics().events_replayed;
        let balance = account(bank, "acc-1").query(|state| state.cents).await;
        assert_eq!(balance, Ok(210));
        assert_eq!(bank.statistics().events_replayed, replayed);
        let state = admin.state_at(&stream, AsOf::Latest).await.unwrap();
        assert_eq!(state.json, state_json(20));
        let again = account(bank, "acc-1")
            .execute(Deposit { cents: 1 })
            .id(id)
            .receipt()
            .await;
        assert!(again.unwrap().replayed, "the snapshot knows the newest command");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn there_is_no_snapshot_of_nothing() {
    let bank = bank().await;
    let nothing = bank.admin().snapshot(&stream("acc-1")).await;
    assert!(
        matches!(nothing, Err(AdminError::NoSuchVersion { .. })),
        "{nothing:?}"
    );
    deposit(&bank, "acc-1", 1).await;
    assert_eq!(
        bank.admin().snapshot(&stream("acc-1")).await.unwrap().version,
        Version::new(1)
    );
}
