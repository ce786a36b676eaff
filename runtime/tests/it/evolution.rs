//! Streams outlive the programs that wrote them.

use dormouse_domain::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, NotDone};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};

use crate::bank::{Account, Deposit, Note, account, bank_on, bank_with, not_done};

/// The account as a later program has it: amounts have a currency, and there is no `Noted` any more.
#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AccountV2 {
    amounts: Vec<(i64, String)>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum EntryV2 {
    #[event(version = 2, upcast(DepositedV1))]
    Deposited { cents: i64, currency: String },
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct DepositedV1 {
    cents: i64,
}

impl From<DepositedV1> for EntryV2 {
    fn from(old: DepositedV1) -> Self {
        Self::Deposited {
            cents: old.cents,
            currency: "EUR".into(),
        }
    }
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
struct DepositV2 {
    cents: i64,
    currency: String,
}

impl Aggregate for AccountV2 {
    const TYPE: &'static str = "account";
    const STATE_VERSION: u32 = 2;
    type Event = EntryV2;
    type Error = crate::bank::Overdrawn;

    fn apply(&mut self, event: &EntryV2) {
        let EntryV2::Deposited { cents, currency } = event;
        self.amounts.push((*cents, currency.clone()));
    }
}

impl Handle<DepositV2> for AccountV2 {
    fn handle(&self, c: DepositV2, _: &CommandContext<'_>) -> Decided<Self, DepositV2> {
        Ok(Decision::event(EntryV2::Deposited {
            cents: c.cents,
            currency: c.currency,
        }))
    }
}

async fn later_bank(disk: &MemoryDisk) -> Dormouse {
    let store = Store::on_memory(disk, StoreOptions::default()).unwrap();
    Dormouse::builder(store)
        .aggregate::<AccountV2>()
        .start()
        .await
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_events_are_read_through_their_upcaster_and_old_snapshots_are_left_alone() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.snapshot_every(2)).await;
    for cents in [5, 6, 7] {
        account(&bank, "acc-1").execute(Deposit { cents }).await.unwrap();
    }
    bank.shutdown().await.unwrap();
    assert!(bank.statistics().snapshots_written > 0);
    drop(bank);

    let later = later_bank(&disk).await;
    let account = later.entity::<AccountV2>("acc-1").unwrap();
    account
        .execute(DepositV2 {
            cents: 8,
            currency: "CHF".into(),
        })
        .await
        .unwrap();
    let amounts = account.query(|state| state.amounts.clone()).await.unwrap();
    let euros = |cents| (cents, "EUR".to_owned());
    assert_eq!(amounts, [euros(5), euros(6), euros(7), (8, "CHF".to_owned())]);
    assert_eq!(
        later.statistics().snapshots_unreadable,
        1,
        "of another schema: costs time only"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_this_program_does_not_know_is_named() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    account(&bank, "acc-1")
        .execute(Note { text: "hello".into() })
        .await
        .unwrap();
    bank.shutdown().await.unwrap();
    drop(bank);

    let later = later_bank(&disk).await;
    let command = DepositV2 {
        cents: 8,
        currency: "CHF".into(),
    };
    let error = not_done(
        later
            .entity::<AccountV2>("acc-1")
            .unwrap()
            .execute(command.clone())
            .await,
    );
    let says = error.to_string();
    assert!(matches!(error, NotDone::ActivationFailed { .. }));
    assert!(
        says.contains("Noted") && says.contains("account/acc-1") && says.contains("event 1"),
        "{says}"
    );
    // the others are not harmed
    later
        .entity::<AccountV2>("acc-2")
        .unwrap()
        .execute(command)
        .await
        .unwrap();
    assert_eq!(later.statistics().activations_failed, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_of_a_later_schema_is_named() {
    let disk = MemoryDisk::new();
    let later = later_bank(&disk).await;
    let command = DepositV2 {
        cents: 8,
        currency: "CHF".into(),
    };
    later
        .entity::<AccountV2>("acc-1")
        .unwrap()
        .execute(command)
        .await
        .unwrap();
    later.shutdown().await.unwrap();
    drop(later);

    let bank = bank_on(&disk).await;
    let says = not_done(account(&bank, "acc-1").execute(Deposit { cents: 1 }).await).to_string();
    assert!(says.contains("Deposited") && says.contains('2'), "{says}");
    let known = account(&bank, "acc-2").query(Account::clone).await.unwrap();
    assert_eq!(known, Account::default());
}
