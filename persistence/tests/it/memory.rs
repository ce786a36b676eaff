//! The suite on the memory store.

use dormouse_persistence::{MemoryDisk, Store, StoreError, StoreOptions};

use crate::suite::Place;

impl Place for MemoryDisk {
    fn open(&self, options: StoreOptions) -> Result<Store, StoreError> {
        Store::on_memory(self, options)
    }

    fn delete_derived(&self) {
        MemoryDisk::delete_derived(self);
    }
}

crate::suite!(MemoryDisk::new());
