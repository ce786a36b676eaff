//! P10: a panic of domain code harms its own aggregate's activation only.

use dormouse_domain::{CommandError, NotDone};
use dormouse_persistence::MemoryDisk;

use crate::bank::{Deposit, Panic, Where, account, bank, bank_on, not_done, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_is_not_done_and_the_aggregate_goes_on() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    account.execute(Deposit { cents: 7 }).await.unwrap();
    for (place, named, says) in [
        (Where::Handle, "handle", "a curse in handle"),
        (Where::Apply, "apply", "a curse in apply"),
        (Where::ApplyLater, "apply", "a curse in apply"),
        (Where::Reply, "apply", "a curse in reply"),
    ] {
        let panicked = not_done(account.execute(Panic { place }).await);
        assert_eq!(
            panicked,
            NotDone::Panicked {
                place: named,
                message: says.into()
            }
        );
        // nothing of it is stored, nothing of it is left in memory
        assert_eq!(
            account.query(|state| (state.cents, state.entries)).await,
            Ok((7, 1)),
            "{place:?}"
        );
    }
    assert_eq!(account.execute(Deposit { cents: 1 }).await, Ok(8));
    assert_eq!(bank.statistics().panics, 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_a_query_is_told_to_its_caller() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let panicked = account.query(|_| -> i64 { panic!("a curse in a query") }).await;
    let message = "a curse in a query".into();
    assert_eq!(
        panicked,
        Err(CommandError::NotDone(NotDone::Panicked {
            place: "query",
            message
        }))
    );
    assert_eq!(account.execute(Deposit { cents: 1 }).await, Ok(1));
}

/// Commands before the panic settle as they would have, commands behind it are handled, others don't notice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_was_in_flight_settles_and_what_waits_is_handled() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let (cursed, other) = (account(&bank, "acc-1"), account(&bank, "acc-2"));
    let held = disk.hold_appends();
    let (before, panics, behind) = (cursed.clone(), cursed.clone(), cursed.clone());
    let before = tokio::spawn(async move { before.execute(Deposit { cents: 7 }).await });
    held.wait_for_append();
    let panics = tokio::spawn(async move { panics.execute(Panic { place: Where::Apply }).await });
    until("it panicked", || bank.statistics().panics == 1).await;
    let behind = tokio::spawn(async move { behind.execute(Deposit { cents: 1 }).await });
    let other = tokio::spawn(async move { other.execute(Deposit { cents: 3 }).await });
    drop(held);
    assert_eq!(before.await.unwrap(), Ok(7));
    assert!(matches!(
        not_done(panics.await.unwrap()),
        NotDone::Panicked { .. }
    ));
    assert_eq!(behind.await.unwrap(), Ok(8));
    assert_eq!(other.await.unwrap(), Ok(3));
}
