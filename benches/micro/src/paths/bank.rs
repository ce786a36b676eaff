//! Paths through the whole runtime: one client, one arbiter, one reader, the store in memory. One thing at a time.

use std::hint::black_box;
use std::time::Duration;

use dormouse::store::HeldAppends;
use dormouse::{Bound, Builder, CommandError, Dormouse, Entity, MemoryDisk, NotDone, Store, StoreOptions};
use tokio::runtime::Runtime;

use super::Go;
use crate::account::{Account, Deposit};

/// Accounts that take turns.
const ACCOUNTS: usize = 8;
/// Commands before what is measured: an account's ring of recent command ids is full by then.
pub(super) const WARM_UP: u64 = 260 * ACCOUNTS as u64;
/// No account leaves while it is measured.
const FOR_EVER: Duration = Duration::from_secs(1 << 20);
/// What the one client does.
pub(super) struct Bank {
    pub(super) dormouse: Dormouse,
    ids: Vec<String>,
    number: u64,
}

fn start(settings: impl FnOnce(Builder) -> Builder) -> (Runtime, Bank) {
    start_on(&MemoryDisk::new(), settings)
}

/// A runtime for the one client, and the bank. Snapshots are off: one command in a hundred would pay for the others.
pub(super) fn start_on(disk: &MemoryDisk, settings: impl FnOnce(Builder) -> Builder) -> (Runtime, Bank) {
    let client = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime without I/O starts");
    let store = Store::on_memory(disk, StoreOptions::default()).expect("a new memory disk opens");
    let builder = Dormouse::builder(store)
        .aggregate::<Account>()
        .arbiters(1)
        .readers(1)
        .snapshot_every(0)
        .passivate_after(FOR_EVER);
    let dormouse = client.block_on(settings(builder).start());
    let bank = Bank {
        dormouse: dormouse.expect("one aggregate type and a handful of threads"),
        ids: (0..ACCOUNTS).map(|number| format!("acc-{number:08}")).collect(),
        number: 0,
    };
    (client, bank)
}

impl Bank {
    /// The next account by name, as a service would ask for it, and a number that never comes again.
    pub(super) fn next(&mut self) -> (Entity<Account>, u64) {
        self.number += 1;
        let id = &self.ids[self.number as usize % ACCOUNTS];
        let account = self.dormouse.entity::<Account>(id.as_str());
        (account.expect("a valid id of a known type"), self.number)
    }

    async fn deposit(&mut self) {
        let (account, number) = self.next();
        let balance = account.execute(Deposit::number(number)).await;
        black_box(balance.expect("an account takes deposits"));
    }

    async fn query(&mut self) {
        let (account, _) = self.next();
        let balance = account.query(|state| state.cents).await;
        black_box(balance.expect("an account answers"));
    }
}

/// The path that `step` goes once, warmed up.
fn path((client, mut bank): (Runtime, Bank), mut step: impl AsyncFnMut(&mut Bank) + 'static) -> Go {
    let mut go = move |times| {
        client.block_on(async {
            for _ in 0..times {
                step(&mut bank).await;
            }
        });
    };
    go(WARM_UP);
    Box::new(go)
}

pub(super) fn entity() -> Go {
    path(start(|builder| builder), async |bank| {
        black_box(bank.next());
    })
}

pub(super) fn query() -> Go {
    path(start(|builder| builder), Bank::query)
}

pub(super) fn deposit() -> Go {
    path(start(|builder| builder), Bank::deposit)
}

/// One deposit stays in flight, held back by the disk, and the runtime takes no second one.
pub(super) fn turned_away() -> Go {
    let disk = MemoryDisk::new();
    let (client, mut bank) = start_on(&disk, |builder| builder.in_flight_max(1));
    client.block_on(async {
        for _ in 0..ACCOUNTS {
            bank.deposit().await;
        }
    });
    let held = disk.hold_appends();
    let (account, number) = bank.next();
    client.spawn(async move { drop(account.execute(Deposit::number(number)).await) });
    client.block_on(tokio::task::yield_now());
    path((client, bank), async move |bank| {
        let _until_the_end: &HeldAppends = &held;
        let (account, number) = bank.next();
        let refused = account.execute(Deposit::number(number)).await;
        let full = NotDone::Overloaded {
            bound: Bound::Runtime,
            limit: 1,
        };
        assert!(matches!(refused, Err(CommandError::NotDone(reason)) if reason == full));
    })
}
