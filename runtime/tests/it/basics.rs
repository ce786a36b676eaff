//! Commands in, replies out.

use dormouse_domain::{CommandError, Expected, NotDone, Version};
use dormouse_persistence::{MemoryDisk, Store};
use dormouse_runtime::{Dormouse, EntityError, ReadError, StartError};
use uuid::Uuid;

use crate::bank::{Account, Deposit, Look, Overdrawn, Withdraw, account, bank, bank_on, not_done};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_tells_of_the_state_after() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    assert_eq!(account.execute(Deposit { cents: 700 }).await, Ok(700));
    assert_eq!(account.execute(Withdraw { cents: 500 }).await, Ok(200));
    assert_eq!(account.query(|state| state.cents).await, Ok(200));
    bank.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refusal_is_the_domains_and_changes_nothing() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let refused = account.execute(Withdraw { cents: 5 }).await;
    assert_eq!(refused, Err(CommandError::Refused(Overdrawn { short: 5 })));
    assert_eq!(account.query(|state| state.entries).await, Ok(0));
    assert_eq!(bank.statistics().refused, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_receipt_tells_version_and_position() {
    let bank = bank().await;
    let first = account(&bank, "acc-1")
        .execute(Deposit { cents: 1 })
        .receipt()
        .await
        .unwrap();
    let second = account(&bank, "acc-2")
        .execute(Deposit { cents: 1 })
        .receipt()
        .await
        .unwrap();
    assert_eq!(
        (first.version, second.version),
        (Version::new(1), Version::new(1))
    );
    assert!(!first.replayed);
    let offset =
        |receipt: &dormouse_runtime::Receipt<i64>| receipt.position.expect("it stored an event").offset.get();
    assert_eq!(
        (offset(&first), offset(&second)),
        (1, 2),
        "positions have no gaps"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_without_events_is_fine() {
    let bank = bank().await;
    let receipt = account(&bank, "acc-1").execute(Look).receipt().await.unwrap();
    assert_eq!(receipt.reply, "acc-1 at 0, new: true");
    assert_eq!((receipt.version, receipt.position), (Version::NONE, None));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn expectations_are_checked_when_the_command_is_handled() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let absent = not_done(
        account
            .execute(Deposit { cents: 1 })
            .expect(Expected::Exists)
            .await,
    );
    assert_eq!(
        absent,
        NotDone::VersionConflict {
            expected: Expected::Exists,
            actual: Version::NONE
        }
    );
    assert_eq!(
        account
            .execute(Deposit { cents: 1 })
            .expect(Expected::Absent)
            .await,
        Ok(1)
    );
    assert_eq!(
        account
            .execute(Deposit { cents: 1 })
            .expect(Expected::At(Version::new(1)))
            .await,
        Ok(2)
    );
    let stale = not_done(
        account
            .execute(Deposit { cents: 1 })
            .expect(Expected::At(Version::new(1)))
            .await,
    );
    assert_eq!(
        stale,
        NotDone::VersionConflict {
            expected: Expected::At(Version::new(1)),
            actual: Version::new(2)
        }
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_is_stored_with_the_events() {
    let bank = bank().await;
    let (correlation, cause) = (Uuid::from_u128(7), Uuid::from_u128(8));
    let account = account(&bank, "acc-1");
    let sent = account
        .execute(Deposit { cents: 1 })
        .correlation(correlation)
        .caused_by(cause)
        .header("who", "Ada");
    sent.await.unwrap();
    let mut stored = None;
    bank.store()
        .read_log(dormouse_domain::Offset::new(1), &mut |commit| {
            stored = Some(commit.metadata().expect("readable"));
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let stored = stored.expect("one commit");
    assert_eq!(
        (stored.correlation, stored.causation),
        (Some(correlation), Some(cause))
    );
    assert_eq!(stored.headers, [("who".to_owned(), "Ada".to_owned())]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_acknowledged_is_there_after_a_restart() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    account(&bank, "acc-1")
        .execute(Deposit { cents: 700 })
        .await
        .unwrap();
    bank.shutdown().await.unwrap();
    drop(bank);
    let again = bank_on(&disk).await;
    assert_eq!(account(&again, "acc-1").query(|state| state.cents).await, Ok(700));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_state_of_any_version_can_be_told() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    for cents in 1..=5 {
        account.execute(Deposit { cents }).await.unwrap();
    }
    assert_eq!(account.state_at(Version::new(3)).await.unwrap().cents, 6);
    assert_eq!(account.state_at(Version::NONE).await.unwrap(), Account::default());
    let beyond = account.state_at(Version::new(9)).await;
    assert_eq!(
        beyond,
        Err(ReadError::NoSuchVersion {
            asked: Version::new(9),
            head: Version::new(5)
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_was_closed_starts_nothing() {
    let store = Store::in_memory();
    store.close().unwrap();
    let started = Dormouse::builder(store).aggregate::<Account>().start().await;
    assert!(matches!(started, Err(StartError::Stopped { .. })));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_registered_twice_fails_at_the_start() {
    let twice = Dormouse::builder(Store::in_memory())
        .aggregate::<Account>()
        .aggregate::<Account>()
        .start()
        .await;
    assert!(matches!(
        twice,
        Err(StartError::DuplicateType {
            aggregate_type: "account"
        })
    ));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_type_that_was_not_registered_is_named() {
    let bank = Dormouse::builder(Store::in_memory()).start().await.unwrap();
    let entity = bank.entity::<Account>("acc-1");
    assert_eq!(
        entity.err(),
        Some(EntityError::NotRegistered {
            aggregate_type: "account"
        })
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_callers_of_one_aggregate_just_queue() {
    let bank = bank().await;
    let callers: Vec<_> = (0..64)
        .map(|_| {
            let account = account(&bank, "acc-1");
            tokio::spawn(async move {
                for _ in 0..20 {
                    account.execute(Deposit { cents: 1 }).await.expect("no conflicts");
                }
            })
        })
        .collect();
    for caller in callers {
        caller.await.unwrap();
    }
    assert_eq!(
        account(&bank, "acc-1").query(|state| state.cents).await,
        Ok(1_280)
    );
    assert_eq!(bank.store().head(&stream("acc-1")).unwrap(), Version::new(1_280));
}

pub(crate) fn stream(id: &str) -> dormouse_domain::StreamId {
    dormouse_domain::StreamId::new(
        dormouse_domain::AggregateType::from_static("account"),
        dormouse_domain::AggregateId::try_from(id).unwrap(),
    )
}
