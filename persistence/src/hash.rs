//! Hashes for the tail's maps: seeded anew in each process, so that ids can't be chosen to collide.

use std::collections::HashMap;
use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};
use std::sync::OnceLock;

use xxhash_rust::xxh3::xxh3_64_with_seed;

/// A map whose keys are hashes already.
pub(crate) type HashedMap<V> = HashMap<u64, V, BuildHasherDefault<Identity>>;

/// The hash of a stream's name.
pub(crate) fn stream(aggregate_type: &str, id: &str) -> u64 {
    xxh3_64_with_seed(
        id.as_bytes(),
        xxh3_64_with_seed(aggregate_type.as_bytes(), seed()),
    )
}

/// The hash of a command in a stream.
pub(crate) fn command(stream_hash: u64, command: u128) -> u64 {
    xxh3_64_with_seed(&command.to_le_bytes(), stream_hash)
}

fn seed() -> u64 {
    static SEED: OnceLock<u64> = OnceLock::new();
    *SEED.get_or_init(|| RandomState::new().hash_one(0))
}

/// Takes a `u64` for its own hash.
#[derive(Default)]
pub(crate) struct Identity(u64);

impl Hasher for Identity {
    fn write(&mut self, bytes: &[u8]) {
        self.0 = bytes
            .iter()
            .fold(self.0, |hash, byte| (hash << 8) | u64::from(*byte));
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
