//! How the two RocksDB instances are set up, and why.

use rocksdb::{
    BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompactionStyle, DBCompressionType, DBRecoveryMode,
    Env, Options, SliceTransform, UniversalCompactOptions, WriteBufferManager, WriteOptions,
};

use super::super::Family;
use super::failed;
use crate::engine::EngineError;
use crate::planted::{Planted, planted};

const MIB: usize = 1024 * 1024;

/// One memtable of `log/`. Also about what a crash leaves to replay.
const LOG_MEMTABLE_BYTES: usize = 64 * MIB;
/// One memtable of a family of `derived/`. Only snapshots fill any: `streams` and `commands` are ingested.
const DERIVED_MEMTABLE_BYTES: usize = 16 * MIB;
/// What all memtables of both instances may hold before RocksDB flushes early.
const MEMTABLES_BYTES_MAX: usize = 256 * MIB;
/// So many runs are left as they are: each costs a read a look at its filter, and each merge writes rows again
/// (measured: 8 instead of RocksDB's 4 saves a fifth of compaction's CPU).
const RUNS_BEFORE_COMPACTION: i32 = 8;
/// LZ4 looks at fewer places: 400 to 600 fewer instructions a command, one byte an event more
/// (docs/decisions/0015).
const ROWS_LZ4_LEVEL: i32 = -4;
/// At fewer yet: segments of many commits are packed already. Those of one commit take 48 bytes of a hundred, 42 at
/// LZ4's own pace.
const LOG_LZ4_LEVEL: i32 = -8;
/// As good as no bound on the files of level 0.
const FILES_UNBOUNDED: i32 = i32::MAX;
/// RocksDB's default; LZ4 has no use for it.
const ZLIB_WINDOW_BITS: i32 = -14;
/// Open files: the usual soft limit of a process is 1,024 descriptors, and the application wants some.
const LOG_FILES_MAX: i32 = 96;
const DERIVED_FILES_MAX: i32 = 256;
/// Flushes and compactions of an instance at a time, by cores: RocksDB keeps a quarter of them, one at least, for flushes.
/// Never fewer than two compactions: beside a merge of `streams` that takes minutes, small ones must get through
/// (docs/decisions/0017).
const JOBS_MIN: usize = 3;
const JOBS_MAX: usize = 6;
/// RocksDB's own text logs, for both instances together at most 2 × 5 × 4 MiB.
const INFO_LOG_BYTES_MAX: usize = 4 * MIB;
const INFO_LOG_FILES: usize = 5;

/// Families that later versions will use: named here so that no other use is made of the names.
pub(crate) const RESERVED_FAMILIES: [&str; 2] = ["timers", "checkpoints"];

/// What both instances share.
pub(crate) struct Shared {
    cache: Cache,
    memtables: WriteBufferManager,
    env: Env,
    jobs: i32,
}

impl Shared {
    /// A cache of `cache_bytes` for blocks, and room in the same budget for memtables, which are accounted to it:
    /// while memtables are small, blocks may use what they leave.
    pub(crate) fn new(cache_bytes: usize) -> Result<Self, EngineError> {
        let cache = Cache::new_lru_cache(cache_bytes + MEMTABLES_BYTES_MAX);
        let memtables = WriteBufferManager::new_write_buffer_manager_with_cache(
            MEMTABLES_BYTES_MAX,
            false,
            cache.clone(),
        );
        // RocksDB's default environment is one a process, so its threads are shared by all instances anyway.
        let mut env = Env::new().map_err(|error| failed("start RocksDB's environment", &error))?;
        // Compaction gives way to the threads that decide and write.
        env.lower_thread_pool_cpu_priority();
        let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
        Ok(Self {
            cache,
            memtables,
            env,
            jobs: cores.clamp(JOBS_MIN, JOBS_MAX) as i32,
        })
    }

    fn options(&self, extra: &str) -> Result<Options, rocksdb::Error> {
        // Some settings have no function in the crate; RocksDB reads them from text, and refuses unknown names.
        let mut options = Options::default().get_options_from_string(extra)?;
        options.set_env(&self.env);
        options.set_write_buffer_manager(&self.memtables);
        options.set_max_background_jobs(self.jobs);
        options.set_paranoid_checks(!planted(Planted::ParanoidChecksOff));
        options.set_allow_mmap_writes(false);
        options.set_allow_mmap_reads(false);
        options.set_recycle_log_file_num(0);
        options.set_manual_wal_flush(false);
        options.set_unordered_write(false);
        options.set_keep_log_file_num(INFO_LOG_FILES);
        options.set_max_log_file_size(INFO_LOG_BYTES_MAX);
        options.set_stats_dump_period_sec(0);
        options.set_stats_persist_period_sec(0);
        // Writes out files piece by piece while they are made, so that their final sync, and a WAL sync that
        // meets it, is short.
        options.set_bytes_per_sync(MIB as u64);
        Ok(options)
    }

    fn blocks(&self) -> BlockBasedOptions {
        let mut blocks = BlockBasedOptions::default();
        blocks.set_block_cache(&self.cache);
        // Index and filter blocks count towards the cache's budget, or a large store would use memory that
        // nothing bounds.
        blocks.set_cache_index_and_filter_blocks(true);
        blocks.set_cache_index_and_filter_blocks_with_high_priority(true);
        blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
        blocks
    }

    /// `log/`: one family, appended to in key order, never changed, never deleted from.
    ///
    /// Every file's keys are above those of every older file, so a compaction has nothing to merge and RocksDB
    /// moves files down by an edit of its manifest ("trivial move"), as long as nothing asks it to rewrite them:
    /// hence two levels, one compression for both, and no compaction by age or for sequence numbers. So a segment
    /// is written twice: WAL and flush. (FIFO compaction would not write more either, but keeps all files in
    /// level 0, where each read looks at each of them. Blob files would save nothing, since nothing is rewritten.)
    pub(crate) fn log(&self) -> Result<Options, rocksdb::Error> {
        let mut options =
            self.options("bottommost_file_compaction_delay=4294967295;avoid_flush_during_shutdown=true")?;
        if !planted(Planted::DefaultWalMode) {
            options.set_wal_recovery_mode(DBRecoveryMode::TolerateCorruptedTailRecords);
        }
        options.set_track_and_verify_wals_in_manifest(true);
        // One writer: no bookkeeping for several.
        options.set_allow_concurrent_memtable_write(false);
        options.set_compaction_style(DBCompactionStyle::Level);
        options.set_num_levels(2);
        options.set_ttl(0);
        options.set_periodic_compaction_seconds(0);
        options.set_write_buffer_size(LOG_MEMTABLE_BYTES);
        options.set_max_write_buffer_number(4);
        options.set_target_file_size_base(LOG_MEMTABLE_BYTES as u64);
        // A move costs nothing, so level 0 never fills; its stalls would only stop writers for no reason.
        never_stalls(&mut options);
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_compression_options(ZLIB_WINDOW_BITS, LOG_LZ4_LEVEL, 0, 0);
        options.set_max_open_files(LOG_FILES_MAX);
        let mut blocks = self.blocks();
        // A value is a batch of commits, usually a block of its own.
        blocks.set_block_size(64 * 1024);
        options.set_block_based_table_factory(&blocks);
        Ok(options)
    }

    /// `derived/`, the whole instance.
    ///
    /// Without a WAL: the log is its WAL. Runs and the indexed position are ingested as files, in this order
    /// ([`RunWriter`](super::RunWriter)); memtables hold snapshots and the names in `meta` only. `atomic_flush`
    /// keeps what is in memtables at one point of history, whatever families come.
    pub(crate) fn derived_with_families(
        &self,
    ) -> Result<(Options, Vec<ColumnFamilyDescriptor>), rocksdb::Error> {
        Ok((self.derived()?, self.families()?))
    }

    fn derived(&self) -> Result<Options, rocksdb::Error> {
        let mut options = self.options("")?;
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_atomic_flush(true);
        options.set_allow_concurrent_memtable_write(false);
        options.set_max_open_files(DERIVED_FILES_MAX);
        Ok(options)
    }

    /// The families of `derived/`, with RocksDB's `default`, which stays empty.
    fn families(&self) -> Result<Vec<ColumnFamilyDescriptor>, rocksdb::Error> {
        let mut families = vec![ColumnFamilyDescriptor::new("default", self.unused_family()?)];
        for family in Family::ALL {
            let options = self.family(family)?;
            families.push(ColumnFamilyDescriptor::new(family.name(), options));
        }
        for name in RESERVED_FAMILIES {
            families.push(ColumnFamilyDescriptor::new(name, self.unused_family()?));
        }
        Ok(families)
    }

    fn unused_family(&self) -> Result<Options, rocksdb::Error> {
        let mut options = self.options("")?;
        never_stalls(&mut options);
        Ok(options)
    }

    /// How the files of runs are made, by family: as the database makes its own. But rows of commands are not packed at
    /// all: half of such a row is an id, random for the most part (measured: a quarter of the indexer's work, for 15 bytes
    /// an id).
    ///
    /// `bytes_per_sync` does not reach them; instead RocksDB tells the kernel after each MiB that it needs the
    /// pages no more, which begins to write them out.
    pub(crate) fn run_files(&self) -> Result<[Options; Family::ALL.len()], rocksdb::Error> {
        let [streams, commands, snapshots, meta] = Family::ALL.map(|family| self.family(family));
        let mut commands = commands?;
        commands.set_compression_type(DBCompressionType::None);
        Ok([streams?, commands, snapshots?, meta?])
    }

    fn family(&self, family: Family) -> Result<Options, rocksdb::Error> {
        let mut options = self.options("")?;
        never_stalls(&mut options);
        // At the bottom, too: zstd saves 15 bytes an event of 53, and took a tenth of the processor where memory is
        // short, a third and more while the bottom was packed (docs/decisions/0012).
        options.set_compression_type(DBCompressionType::Lz4);
        options.set_compression_options(ZLIB_WINDOW_BITS, ROWS_LZ4_LEVEL, 0, 0);
        options.set_write_buffer_size(DERIVED_MEMTABLE_BYTES);
        let mut blocks = self.blocks();
        match family {
            Family::Streams => {
                options.set_prefix_extractor(stream_prefix());
                universal(&mut options);
                // Reads seek to the last row at or before a version, so only prefixes are worth filtering.
                blocks.set_bloom_filter(10.0, false);
                blocks.set_whole_key_filtering(false);
                blocks.set_block_size(8 * 1024);
            }
            Family::Commands => {
                universal(&mut options);
                // Nearly every look-up of a command finds nothing.
                blocks.set_bloom_filter(10.0, false);
                blocks.set_whole_key_filtering(true);
            }
            Family::Snapshots => {
                blocks.set_bloom_filter(10.0, false);
                blocks.set_whole_key_filtering(true);
                blocks.set_block_size(8 * 1024);
            }
            Family::Meta => options.set_write_buffer_size(MIB),
        }
        options.set_block_based_table_factory(&blocks);
        Ok(options)
    }
}

/// RocksDB's own stalls are off in each family of `derived/`; the tail's bound is the back-pressure. One family with too
/// many files would stop the writes to all, and ingestion waits behind a write that is stopped: `meta` gets a file a run,
/// and while one merge of `streams` took 40 seconds, nothing moved `meta`'s on (seen in a soak: at the 36th file the store
/// answered nothing until the merge was over).
fn never_stalls(options: &mut Options) {
    options.set_level_zero_slowdown_writes_trigger(FILES_UNBOUNDED);
    options.set_level_zero_stop_writes_trigger(FILES_UNBOUNDED);
    options.set_soft_pending_compaction_bytes_limit(0);
    options.set_hard_pending_compaction_bytes_limit(0);
}

/// Sorted runs over the whole key space are merged with their like: fewer rewrites than by levels (measured: 834
/// against 705 thousand events/s).
fn universal(options: &mut Options) {
    options.set_compaction_style(DBCompactionStyle::Universal);
    let mut universal = UniversalCompactOptions::default();
    universal.set_max_size_amplification_percent(100);
    options.set_universal_compaction_options(&universal);
    options.set_level_zero_file_num_compaction_trigger(RUNS_BEFORE_COMPACTION);
}

/// A stream's rows share all of their key but the version at its end. The name is stored in the files: a change of
/// the function needs another one.
fn stream_prefix() -> SliceTransform {
    fn without_version(key: &[u8]) -> &[u8] {
        key.get(..key.len().saturating_sub(8)).unwrap_or(key)
    }
    SliceTransform::create(
        "dormouse.without-version",
        without_version,
        Some(|key| key.len() > 8),
    )
}

/// Writes of `log/`: durable when they return.
pub(crate) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(!planted(Planted::SyncOff));
    options
}

/// Writes whose durability is somebody else's care.
pub(crate) fn without_wal() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.disable_wal(true);
    options
}

/// Rows of `derived/`, one at a time. They fail where RocksDB would hold them up: runs would wait behind them, while a
/// snapshot can be done without.
pub(crate) fn without_wal_or_wait() -> WriteOptions {
    let mut options = without_wal();
    options.set_no_slowdown(true);
    options
}

#[cfg(test)]
mod tests {
    use super::*;
    use rocksdb::DB;

    /// Files that earlier builds packed with zstd are read, and written again by a compaction.
    #[test]
    fn files_of_earlier_builds_are_read() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("derived");
        let shared = Shared::new(1 << 20).unwrap();
        let row = |n: u32| {
            (
                format!("{n:020}"),
                format!("{{\"opened\":{n},\"by\":\"somebody\"}}").repeat(20),
            )
        };
        {
            let (options, mut families) = shared.derived_with_families().unwrap();
            let mut streams = shared.family(Family::Streams).unwrap();
            streams.set_bottommost_compression_type(DBCompressionType::Zstd);
            families.retain(|family| family.name() != Family::Streams.name());
            families.push(ColumnFamilyDescriptor::new(Family::Streams.name(), streams));
            let db = DB::open_cf_descriptors(&options, &path, families).unwrap();
            let streams = db.cf_handle(Family::Streams.name()).unwrap();
            for part in 0..2 {
                for n in (part..20_000).step_by(2) {
                    let (key, value) = row(n);
                    db.put_cf_opt(streams, key, value, &without_wal()).unwrap();
                }
                db.flush_cf(streams).unwrap();
            }
            db.compact_range_cf(streams, None::<&[u8]>, None::<&[u8]>);
        }
        let zstd = |path: &std::path::Path| {
            std::fs::read_dir(path)
                .unwrap()
                .filter_map(Result::ok)
                .any(|file| {
                    file.path().extension().is_some_and(|e| e == "sst")
                        && std::fs::read(file.path())
                            .unwrap()
                            .windows(4)
                            .any(|w| w == [0x28, 0xb5, 0x2f, 0xfd])
                })
        };
        assert!(zstd(&path), "zstd frames are in the file");
        let (options, families) = shared.derived_with_families().unwrap();
        let db = DB::open_cf_descriptors(&options, &path, families).unwrap();
        let streams = db.cf_handle(Family::Streams.name()).unwrap();
        let all = || {
            (0..20_000).all(|n| {
                let (k, v) = row(n);
                db.get_cf(streams, k).unwrap() == Some(v.into_bytes())
            })
        };
        assert!(all());
        let (key, value) = row(5);
        db.put_cf_opt(streams, key, value, &without_wal()).unwrap();
        db.flush_cf(streams).unwrap();
        db.compact_range_cf(streams, None::<&[u8]>, None::<&[u8]>);
        assert!(all());
        drop(db);
    }
}
