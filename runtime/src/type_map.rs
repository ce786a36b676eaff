//! Maps by type. A [`TypeId`](std::any::TypeId) is a hash already, and nobody can choose it: hashing it again, as each
//! command would, buys nothing.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

/// A map whose key is a type, or several.
pub(crate) type TypeMap<K, V> = HashMap<K, V, BuildHasherDefault<TypeHasher>>;

/// Takes the hash that a `TypeId` is, and mixes those of several.
#[derive(Default)]
pub(crate) struct TypeHasher(u64);

impl Hasher for TypeHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn write_u64(&mut self, hash: u64) {
        // turned, so that a pair of the same type twice is not zero
        self.0 = self.0.rotate_left(7) ^ hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::any::TypeId;
    use std::hash::{BuildHasher, Hash};

    fn hash(key: impl Hash) -> u64 {
        BuildHasherDefault::<TypeHasher>::default().hash_one(key)
    }

    #[test]
    fn types_and_pairs_of_types_differ_in_the_bits_a_map_looks_at() {
        let (a, b) = (TypeId::of::<u8>(), TypeId::of::<String>());
        let pairs = [hash((a, a)), hash((a, b)), hash((b, a)), hash((b, b))];
        let spread = |bits: fn(u64) -> u64| {
            let mut bits: Vec<_> = pairs.iter().map(|pair| bits(*pair)).collect();
            bits.sort_unstable();
            bits.dedup();
            bits.len()
        };
        assert_ne!(hash(a), hash(b));
        assert_eq!(spread(|hash| hash & 0xffff), pairs.len());
        assert_eq!(spread(|hash| hash >> 48), pairs.len());
    }
}
