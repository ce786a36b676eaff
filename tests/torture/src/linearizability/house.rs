//! A runtime that its clients find again after a crash.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use dormouse::store::{AppendFault, HeldAppends};
use dormouse::{
    Aggregate, AggregateType, Dormouse, Event, Health, MemoryDisk, Store, StoreOptions, StreamId, Version,
};
use parking_lot::Mutex;

use crate::simulation::account::{Account, Entry};

const SNAPSHOT_EVERY: u32 = 3;
/// Few, so that retries are looked up in the store.
const RECENT_IDS: usize = 2;
/// Runs are made every few commands.
const GENERATION_BYTES: usize = 600;

/// Where the store is.
#[derive(Debug, Clone)]
enum Place {
    Memory(MemoryDisk),
    Disk(PathBuf),
}

#[derive(Debug)]
pub(crate) struct House {
    place: Place,
    runtime: Mutex<Dormouse>,
}

impl House {
    /// In memory, unless it is given a directory.
    pub(crate) async fn open(directory: Option<PathBuf>) -> Result<Self> {
        let place = directory.map_or_else(|| Place::Memory(MemoryDisk::new()), Place::Disk);
        let runtime = Mutex::new(start(&place).await?);
        Ok(Self { place, runtime })
    }

    pub(crate) fn runtime(&self) -> Dormouse {
        self.runtime.lock().clone()
    }

    /// The next append fails; for a store on disk nothing happens.
    pub(crate) fn fail_append(&self, written: bool) {
        if let Place::Memory(disk) = &self.place {
            disk.fail_append(if written {
                AppendFault::Written
            } else {
                AppendFault::NothingWritten
            });
        }
    }

    /// What is submitted meanwhile stays on its way.
    pub(crate) fn hold_appends(&self) -> Option<HeldAppends> {
        match &self.place {
            Place::Memory(disk) => Some(disk.hold_appends()),
            Place::Disk(_) => None,
        }
    }

    pub(crate) fn is_stopped(&self) -> bool {
        matches!(self.runtime().health(), Health::Stopped { .. })
    }

    pub(crate) async fn reopen(&self) {
        // whoever is shut down meanwhile answers so
        let _ = self.runtime().reopen().await;
    }

    /// The plug is pulled, or the runtime is shut down under its clients; then it starts again.
    pub(crate) async fn crash(&self) -> Result<()> {
        if let Place::Memory(disk) = &self.place {
            disk.crash();
        }
        // all of it ends before another one begins, as it does with a process; what it says of its disk is no matter
        let _ = self.runtime().shutdown().await;
        let runtime = start(&self.place).await?;
        *self.runtime.lock() = runtime;
        Ok(())
    }

    /// The numbers of an account's commands, as they are stored.
    pub(crate) fn stored(&self, account: &str, mut each: impl FnMut(u64)) {
        let id = account.try_into().expect("a valid id");
        let stream = StreamId::new(AggregateType::from_static(Account::TYPE), id);
        let read = self
            .runtime()
            .store()
            .read_stream(&stream, Version::new(1), &mut |commit| {
                for event in commit.events() {
                    let entry = Entry::decode(event.name, event.schema, event.codec, event.payload);
                    let Entry::Moved { number, .. } = entry.expect("it was stored by this program");
                    each(number);
                }
                ControlFlow::Continue(())
            });
        read.expect("a store that was reopened can be read");
    }

    pub(crate) async fn close(&self) {
        let runtime = self.runtime();
        let _ = runtime.shutdown().await;
    }
}

async fn start(place: &Place) -> Result<Dormouse> {
    let options = StoreOptions::default().generation_bytes(GENERATION_BYTES);
    let store = match place {
        Place::Memory(disk) => Store::on_memory(disk, options)?,
        Place::Disk(directory) => Store::open_with(directory, options)?,
    };
    let builder = Dormouse::builder(store)
        .aggregate::<Account>()
        .arbiters(2)
        .readers(2);
    Ok(builder
        .snapshot_every(SNAPSHOT_EVERY)
        .recent_ids(RECENT_IDS)
        .passivate_after(Duration::ZERO)
        .start()
        .await?)
}
