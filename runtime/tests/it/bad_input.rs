//! P12: bad input gets an error that names the field, the size and the limit, and nothing is lost.

use dormouse_domain::{NotDone, limits};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::{Dormouse, EntityError};

use crate::bank::{Account, Deposit, DepositOften, Note, NoteOften, account, bank, not_done, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ids_that_can_not_be_stored() {
    let bank = bank().await;
    let long = "x".repeat(513);
    for (id, says) in [
        ("", "aggregate id"),
        (long.as_str(), "513"),
        ("a\u{7}b", "control character"),
        ("a\0b", "control character"),
        ("line\nbreak", "control character"),
    ] {
        let error = bank.entity::<Account>(id).expect_err("it can't be stored");
        assert!(matches!(error, EntityError::InvalidId(_)));
        assert!(error.to_string().contains(says), "{id:?}: {error}");
    }
    let longest = "ä".repeat(256);
    account(&bank, &longest)
        .execute(Deposit { cents: 1 })
        .await
        .expect("512 bytes are fine");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_payload_over_its_limit() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let text = "x".repeat(limits::PAYLOAD_BYTES_MAX + 1);
    let error = not_done(account.execute(Note { text }).await);
    assert!(matches!(
        error,
        NotDone::TooLarge {
            field: "event payload",
            limit: limits::PAYLOAD_BYTES_MAX,
            ..
        }
    ));
    let says = error.to_string();
    assert!(
        says.contains("event payload") && says.contains("1048576"),
        "{says}"
    );
    assert_eq!(
        account.query(|state| state.entries).await,
        Ok(0),
        "the state is untouched"
    );
    assert_eq!(account.execute(Deposit { cents: 1 }).await, Ok(1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_decision_with_too_many_events() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    assert_eq!(account.execute(DepositOften { events: 10_000 }).await, Ok(10_000));
    let error = not_done(account.execute(DepositOften { events: 100_000 }).await);
    assert_eq!(
        error,
        NotDone::TooManyEvents {
            events: 100_000,
            limit: limits::EVENTS_PER_COMMIT_MAX
        }
    );
    assert_eq!(account.query(|state| state.entries).await, Ok(10_000));
    assert_eq!(
        account.execute(DepositOften { events: 0 }).await,
        Ok(10_000),
        "none is fine"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metadata_over_its_limit() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let error = not_done(
        account
            .execute(Deposit { cents: 1 })
            .header("k", "v".repeat(1_025))
            .await,
    );
    assert!(matches!(error, NotDone::InvalidMetadata(_)));
    let says = error.to_string();
    assert!(says.contains("1025") && says.contains("1024"), "{says}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_over_its_limit() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let error = not_done(
        account
            .execute(NoteOften {
                times: 5,
                bytes: 1_000_000,
            })
            .await,
    );
    assert!(
        matches!(
            error,
            NotDone::TooLarge {
                field: "commit",
                limit: limits::COMMIT_BYTES_MAX,
                ..
            }
        ),
        "{error}"
    );
    assert_eq!(
        account.query(|state| state.entries).await,
        Ok(0),
        "the state is untouched"
    );
    account
        .execute(NoteOften {
            times: 4,
            bytes: 1_000_000,
        })
        .await
        .expect("four fit");
}

/// A record that rotted on disk: the aggregate is not woken with half of its history, and the error says where.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_corrupt_record() {
    let disk = MemoryDisk::new();
    let indexed_at_once = || StoreOptions::default().generation_bytes(1);
    let open = async || {
        let store = Store::on_memory(&disk, indexed_at_once()).unwrap();
        Dormouse::builder(store)
            .aggregate::<Account>()
            .snapshot_every(0)
            .start()
            .await
            .unwrap()
    };
    let bank = open().await;
    for id in ["acc-1", "acc-2"] {
        account(&bank, id).execute(Deposit { cents: 7 }).await.unwrap();
    }
    until("both are indexed", || {
        bank.store().statistics().indexed == bank.store().durable()
    })
    .await;
    bank.shutdown().await.unwrap();
    drop(bank);
    disk.edit_rows("streams", |rows| {
        let (_, row) = rows.iter_mut().next().expect("acc-1 was indexed");
        let last = row.len() - 1;
        row[last] ^= 1;
    });
    let bank = open().await;
    let error = not_done(account(&bank, "acc-1").execute(Deposit { cents: 1 }).await);
    assert!(matches!(error, NotDone::ActivationFailed { .. }));
    assert!(error.to_string().contains("account/acc-1"), "{error}");
    assert_eq!(
        account(&bank, "acc-2").execute(Deposit { cents: 1 }).await,
        Ok(8),
        "others go on"
    );
}
