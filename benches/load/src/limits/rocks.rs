//! RocksDB used by hand, with the settings that Dormouse's store has (`persistence/src/engine/rocks/tuning.rs`): the
//! same cache, memtables, compaction, compression and background threads. What differs in them would be no fair limit.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Result;
use rocksdb::{
    BlockBasedOptions, Cache, DB, DBCompactionStyle, DBCompressionType, Env, Options, SliceTransform,
    UniversalCompactOptions, WriteBufferManager, WriteOptions,
};

const MIB: usize = 1024 * 1024;
const CACHE_BYTES: usize = 128 * MIB;
const MEMTABLES_BYTES_MAX: usize = 256 * MIB;
const MEMTABLE_BYTES: usize = 64 * MIB;
const RUNS_BEFORE_COMPACTION: i32 = 8;
const ROWS_LZ4_LEVEL: i32 = -4;
const LOG_LZ4_LEVEL: i32 = -8;
const ZLIB_WINDOW_BITS: i32 = -14;
const VERSION_BYTES: usize = 8;

/// For log segments by offset: appended in order, never rewritten.
pub(crate) fn log_options() -> Result<Options> {
    let (mut options, blocks) = common()?;
    options.set_compaction_style(DBCompactionStyle::Level);
    options.set_num_levels(2);
    options.set_target_file_size_base(MEMTABLE_BYTES as u64);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_compression_options(ZLIB_WINDOW_BITS, LOG_LZ4_LEVEL, 0, 0);
    options.set_block_based_table_factory(&blocks);
    Ok(options)
}

/// For one row an event, by stream and version.
pub(crate) fn rows_options() -> Result<Options> {
    let (mut options, mut blocks) = common()?;
    options.set_compaction_style(DBCompactionStyle::Universal);
    let mut universal = UniversalCompactOptions::default();
    universal.set_max_size_amplification_percent(100);
    options.set_universal_compaction_options(&universal);
    options.set_level_zero_file_num_compaction_trigger(RUNS_BEFORE_COMPACTION);
    options.set_compression_type(DBCompressionType::Lz4);
    options.set_compression_options(ZLIB_WINDOW_BITS, ROWS_LZ4_LEVEL, 0, 0);
    options.set_prefix_extractor(SliceTransform::create(
        "without-version",
        |key| key.get(..key.len().saturating_sub(VERSION_BYTES)).unwrap_or(key),
        Some(|key| key.len() > VERSION_BYTES),
    ));
    blocks.set_bloom_filter(10.0, false);
    blocks.set_whole_key_filtering(false);
    blocks.set_block_size(8 * 1024);
    options.set_block_based_table_factory(&blocks);
    Ok(options)
}

fn common() -> Result<(Options, BlockBasedOptions)> {
    let cache = Cache::new_lru_cache(CACHE_BYTES + MEMTABLES_BYTES_MAX);
    let memtables =
        WriteBufferManager::new_write_buffer_manager_with_cache(MEMTABLES_BYTES_MAX, false, cache.clone());
    let mut env = Env::new()?;
    env.lower_thread_pool_cpu_priority();
    let cores = std::thread::available_parallelism().map_or(2, std::num::NonZero::get);
    let mut options = Options::default();
    options.create_if_missing(true);
    options.set_env(&env);
    options.set_write_buffer_manager(&memtables);
    options.set_max_background_jobs(i32::try_from(cores.clamp(2, 6))?);
    options.set_bytes_per_sync(MIB as u64);
    options.set_stats_dump_period_sec(0);
    options.set_allow_concurrent_memtable_write(false);
    options.set_write_buffer_size(MEMTABLE_BYTES);
    options.set_max_write_buffer_number(4);
    // No stalls by the number of files: the program has none either.
    options.set_level_zero_slowdown_writes_trigger(1_000);
    options.set_level_zero_stop_writes_trigger(2_000);
    options.set_soft_pending_compaction_bytes_limit(0);
    options.set_hard_pending_compaction_bytes_limit(0);
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(&cache);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);
    Ok((options, blocks))
}

/// A new database.
pub(crate) fn create(directory: &Path, options: &Options) -> Result<DB> {
    std::fs::create_dir_all(directory)?;
    Ok(DB::open(options, directory)?)
}

/// Writes are durable when they return.
pub(crate) fn synced() -> WriteOptions {
    let mut options = WriteOptions::default();
    options.set_sync(true);
    options
}

/// Waits until flushes and compactions are done. Returns how long that took.
pub(crate) fn drain(db: &DB) -> Result<Duration> {
    const POLL: Duration = Duration::from_millis(5);
    const QUIET_POLLS: u32 = 4;
    const BUSY: [&str; 6] = [
        "rocksdb.mem-table-flush-pending",
        "rocksdb.num-running-flushes",
        "rocksdb.compaction-pending",
        "rocksdb.num-running-compactions",
        "rocksdb.estimate-pending-compaction-bytes",
        "rocksdb.is-write-stopped",
    ];
    let started = Instant::now();
    let (mut quiet, mut since) = (0, started);
    while quiet < QUIET_POLLS {
        let mut works = false;
        for property in BUSY {
            works |= db.property_int_value(property)?.unwrap_or_default() > 0;
        }
        if works {
            quiet = 0;
        } else {
            if quiet == 0 {
                since = Instant::now();
            }
            quiet += 1;
        }
        std::thread::sleep(POLL);
    }
    Ok(since.duration_since(started))
}
