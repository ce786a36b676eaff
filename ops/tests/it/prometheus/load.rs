//! A runtime on a store on disk, under a load that leaves nothing out.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use dormouse_domain::{Aggregate, Command, CommandContext, CommandId, Decided, Decision, Event, Handle};
use dormouse_persistence::{Store, StoreOptions};
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};
use tempfile::TempDir;
use tokio::task::JoinHandle;

/// More of them than the memory below holds, so that they come and go.
const ACCOUNTS: usize = 60;
const MEMORY_BUDGET_BYTES: usize = 40_000;
/// A run of the index each second or so.
const GENERATION_BYTES: usize = 50_000;

#[derive(Default, Serialize, Deserialize)]
struct Account {
    cents: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum Entry {
    Deposited { cents: i64 },
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("refused")]
struct Refused;

#[derive(Serialize, Deserialize, Command)]
#[command(reply = i64)]
struct Deposit {
    cents: i64,
}

#[derive(Serialize, Deserialize, Command)]
struct Panic;

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Refused;

    fn apply(&mut self, event: &Entry) {
        let Entry::Deposited { cents } = event;
        self.cents += cents;
    }
}

impl Handle<Deposit> for Account {
    fn handle(&self, command: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
        let Deposit { cents } = command;
        if cents < 0 {
            return Err(Refused);
        }
        Ok(Decision::event(Entry::Deposited { cents }).reply(|after| after.cents))
    }
}

impl Handle<Panic> for Account {
    fn handle(&self, _: Panic, _: &CommandContext<'_>) -> Decided<Self, Panic> {
        panic!("a panic that an alert tells of")
    }
}

/// It and who keeps it busy.
pub(crate) struct Bank {
    pub(crate) runtime: Dormouse,
    ends: Arc<AtomicBool>,
    client: JoinHandle<()>,
    _directory: TempDir,
}

impl Bank {
    pub(crate) async fn under_load() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let options = StoreOptions::default().generation_bytes(GENERATION_BYTES);
        let store = Store::open_with(directory.path(), options).unwrap();
        let builder = Dormouse::builder(store).aggregate::<Account>();
        let runtime = builder
            .memory_budget_bytes(MEMORY_BUDGET_BYTES)
            .snapshot_every(20)
            .start()
            .await
            .unwrap();
        let ends = Arc::<AtomicBool>::default();
        let client = tokio::spawn(keep_busy(runtime.clone(), Arc::clone(&ends)));
        Self {
            runtime,
            ends,
            client,
            _directory: directory,
        }
    }

    pub(crate) async fn panic(&self) {
        let account = self.runtime.entity::<Account>("hot").unwrap();
        assert!(account.execute(Panic).await.is_err());
    }

    pub(crate) async fn end(self) {
        self.ends.store(true, Ordering::Release);
        self.client.await.unwrap();
        self.runtime.shutdown().await.unwrap();
    }
}

/// Each round: one account of many, which must be woken; one that is hot; a refusal, a retry, queries.
async fn keep_busy(bank: Dormouse, ends: Arc<AtomicBool>) {
    let hot = bank.entity::<Account>("hot").unwrap();
    for round in 0.. {
        if ends.load(Ordering::Acquire) {
            return;
        }
        let account = bank
            .entity::<Account>(format!("acc-{}", round % ACCOUNTS))
            .unwrap();
        let id = CommandId::now();
        account.execute(Deposit { cents: 5 }).id(id).await.unwrap();
        account.execute(Deposit { cents: 5 }).id(id).await.unwrap();
        account.execute(Deposit { cents: -1 }).await.unwrap_err();
        hot.execute(Deposit { cents: 1 }).await.unwrap();
        for _ in 0..20 {
            hot.query(|state| state.cents).await.unwrap();
        }
    }
}
