//! What an operator sees and does, by name: on a store in memory and on one on disk.

mod acts;
mod drain;
mod events;
mod held_up;
mod residents;
mod states;
mod streams;

use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::{Builder, Dormouse};

use crate::bank::{Account, Deposit, account, until};

/// A bank on a store whose index fills soon, and where that store is.
struct Place {
    bank: Dormouse,
    #[cfg(feature = "rocksdb")]
    _directory: Option<tempfile::TempDir>,
}

/// One place in memory, one on disk.
async fn places(more: impl Fn(Builder) -> Builder) -> Vec<Place> {
    let options = || StoreOptions::default().generation_bytes(1_000);
    let mut places = Vec::new();
    let store = Store::on_memory(&MemoryDisk::new(), options()).unwrap();
    places.push(Place {
        bank: start(store, &more).await,
        #[cfg(feature = "rocksdb")]
        _directory: None,
    });
    #[cfg(feature = "rocksdb")]
    {
        let directory = tempfile::tempdir().unwrap();
        let store = Store::open_with(directory.path(), options()).unwrap();
        places.push(Place {
            bank: start(store, &more).await,
            _directory: Some(directory),
        });
    }
    places
}

async fn start(store: Store, more: impl Fn(Builder) -> Builder) -> Dormouse {
    let builder = Dormouse::builder(store).aggregate::<Account>().arbiters(2);
    more(builder.readers(2)).start().await.unwrap()
}

/// Deposits 1, 2, 3, ... cents: after version n the balance is their sum.
async fn deposit(bank: &Dormouse, id: &str, times: i64) {
    for cents in 1..=times {
        account(bank, id).execute(Deposit { cents }).await.unwrap();
    }
}

/// The state after version n of what [`deposit`] does.
fn state_json(version: u64) -> String {
    let cents: u64 = (1..=version).sum();
    format!(r#"{{"cents":{cents},"entries":{version},"note":""}}"#)
}

/// Some of the log has left the tail.
async fn partly_indexed(bank: &Dormouse) {
    until("some is indexed", || {
        bank.statistics().store.indexed.get() > bank.statistics().store.durable.get() / 2
    })
    .await;
}
