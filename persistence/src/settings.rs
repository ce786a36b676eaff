use std::path::PathBuf;

use dormouse_domain::ShardId;

use crate::options::StoreOptions;

/// What a store runs with: its [`StoreOptions`] as they are in force, and where it is. From [`Store::settings`](crate::Store::settings).
///
/// `StoreSettings::default()` is what [`StoreOptions::default`] gives a store in memory: whatever differs from it was set.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct StoreSettings {
    /// The directory that it was opened in. None: it is in memory, and nothing of it survives the process.
    pub directory: Option<PathBuf>,
    /// [`StoreOptions::shard`].
    pub shard: ShardId,
    /// [`StoreOptions::batch_bytes_max`].
    pub batch_bytes_max: usize,
    /// [`StoreOptions::batch_commits_max`].
    pub batch_commits_max: usize,
    /// [`StoreOptions::generation_bytes`].
    pub generation_bytes: usize,
    /// [`StoreOptions::tail_bytes_max`], raised to two generations where it was less.
    pub tail_bytes_max: usize,
    /// [`StoreOptions::queue_bytes_max`].
    pub queue_bytes_max: usize,
    /// [`StoreOptions::queue_commits_max`].
    pub queue_commits_max: usize,
    /// [`StoreOptions::cache_bytes`]; a store in memory makes no use of it.
    pub cache_bytes: usize,
    /// [`StoreOptions::watermark_every_ms`]; a store in memory makes no use of it.
    pub watermark_every_ms: u64,
}

impl StoreSettings {
    pub(crate) fn of(options: &StoreOptions, directory: Option<PathBuf>) -> StoreSettings {
        StoreSettings {
            directory,
            shard: options.shard,
            batch_bytes_max: options.batch_bytes_max,
            batch_commits_max: options.batch_commits_max,
            generation_bytes: options.generation_bytes,
            tail_bytes_max: options.tail_bound(),
            queue_bytes_max: options.queue_bytes_max,
            queue_commits_max: options.queue_commits_max,
            cache_bytes: options.cache_bytes,
            watermark_every_ms: options.watermark_every_ms,
        }
    }
}

impl Default for StoreSettings {
    fn default() -> StoreSettings {
        StoreSettings::of(&StoreOptions::default(), None)
    }
}

#[cfg(test)]
mod tests {
    use crate::{MemoryDisk, Store, StoreOptions, StoreSettings};

    #[test]
    fn what_was_not_set_is_the_default_and_bounds_are_those_in_force() {
        assert_eq!(Store::in_memory().settings(), StoreSettings::default());
        let options = StoreOptions::default()
            .cache_bytes(7)
            .generation_bytes(1_000)
            .tail_bytes_max(1_500);
        let store = Store::on_memory(&MemoryDisk::new(), options).unwrap();
        let settings = store.settings();
        let wanted = StoreSettings {
            cache_bytes: 7,
            generation_bytes: 1_000,
            tail_bytes_max: 2_000,
            ..StoreSettings::default()
        };
        assert_eq!(settings, wanted);
    }

    #[cfg(feature = "rocksdb")]
    #[test]
    fn a_store_on_disk_says_where_it_is() {
        let directory = tempfile::TempDir::new().unwrap();
        let path = directory.path().join("store");
        let store = Store::open(&path).unwrap();
        assert_eq!(store.settings().directory, Some(path));
    }
}
