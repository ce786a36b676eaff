//! What the file promises, and the thread that keeps it.

mod waiting;

use super::*;

const STORE: Uuid = Uuid::from_u128(7);
const SHARD: ShardId = ShardId::new(0);

fn created() -> (tempfile::TempDir, WatermarkFile) {
    let directory = tempfile::tempdir().unwrap();
    let file = WatermarkFile::create(directory.path(), STORE, SHARD).unwrap();
    (directory, file)
}

fn start(directory: &tempfile::TempDir, file: WatermarkFile, interval: Duration) -> WatermarkKeeper {
    let log = directory.path().join("CURRENT");
    std::fs::write(&log, []).unwrap();
    WatermarkKeeper::start(file, interval, log).unwrap()
}

fn promised(directory: &Path) -> u64 {
    let mark = WatermarkFile::open(directory, STORE, SHARD).unwrap().mark();
    assert_eq!(mark.hash, u128::from(mark.offset.get()) << 100);
    mark.offset.get()
}

fn mark(offset: u64) -> Watermark {
    Watermark {
        shard: 0,
        offset: Offset::new(offset),
        hash: u128::from(offset) << 100,
    }
}

/// What the thread finds after nothing was written and the mark has moved.
fn moved_to(durable: Watermark) -> Shared {
    Shared {
        state: Mutex::new(State {
            durable,
            written: Offset::NONE,
            due: None,
            is_idle: false,
            ending: None,
            failed: None,
        }),
        changed: Condvar::new(),
        written: Condvar::new(),
        has_failed: AtomicBool::new(false),
    }
}

#[test]
fn it_remembers_the_last_write() {
    let (directory, mut file) = created();
    assert_eq!(promised(directory.path()), 0);
    assert_eq!(file.file.metadata().unwrap().len(), 8 * 1024);
    for offset in [5, 9, 12] {
        file.write(mark(offset)).unwrap();
        assert_eq!(promised(directory.path()), offset);
    }
}

#[test]
fn one_spoilt_slot_costs_one_interval_two_are_refused() {
    let (directory, mut file) = created();
    file.write(mark(5)).unwrap();
    file.write(mark(9)).unwrap();
    let path = directory.path().join(WATERMARK_FILE);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[4096 + 35] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    assert_eq!(promised(directory.path()), 5);
    bytes[35] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let error = WatermarkFile::open(directory.path(), STORE, SHARD)
        .unwrap_err()
        .to_string();
    assert!(error.contains("neither slot"), "{error}");
}

#[test]
fn a_missing_or_foreign_file_is_refused_an_empty_one_promises_nothing() {
    let (directory, mut file) = created();
    file.write(mark(5)).unwrap();
    let foreign = WatermarkFile::open(directory.path(), Uuid::from_u128(8), SHARD).unwrap_err();
    assert!(foreign.to_string().contains("another store's"), "{foreign}");
    let path = directory.path().join(WATERMARK_FILE);
    std::fs::remove_file(&path).unwrap();
    let missing = WatermarkFile::open(directory.path(), STORE, SHARD).unwrap_err();
    assert!(missing.to_string().contains("missing"), "{missing}");
    std::fs::write(&path, []).unwrap();
    assert_eq!(promised(directory.path()), 0);
}

#[test]
fn the_keeper_follows_and_closing_writes_the_rest() {
    let (directory, file) = created();
    let keeper = start(&directory, file, Duration::from_secs(3600));
    keeper.moved(mark(3));
    keeper.moved(mark(44));
    keeper.close().unwrap();
    assert_eq!(promised(directory.path()), 44);
}

#[test]
fn dropping_writes_nothing() {
    let (directory, file) = created();
    let keeper = start(&directory, file, Duration::from_secs(3600));
    keeper.moved(mark(3));
    drop(keeper);
    assert_eq!(promised(directory.path()), 0);
}

#[test]
fn stopped_or_dropped_its_thread_has_ended() {
    let (directory, file) = created();
    let keeper = start(&directory, file, Duration::ZERO);
    keeper.stop();
    assert_eq!(Arc::strong_count(&keeper.shared), 1);
    let (directory, file) = created();
    let keeper = start(&directory, file, Duration::ZERO);
    let shared = Arc::clone(&keeper.shared);
    drop(keeper);
    assert_eq!(Arc::strong_count(&shared), 1);
}

#[test]
fn a_look_at_it_tells_what_it_promises_and_changes_nothing() {
    let (directory, mut file) = created();
    file.write(mark(5)).unwrap();
    let path = directory.path().join(WATERMARK_FILE);
    let written = std::fs::read(&path).unwrap();
    assert_eq!(peek(directory.path()), Ok(Some((STORE, mark(5)))));
    assert_eq!(std::fs::read(&path).unwrap(), written);
    std::fs::write(&path, []).unwrap();
    assert_eq!(peek(directory.path()), Ok(None));
    std::fs::write(&path, [1; 100]).unwrap();
    assert!(peek(directory.path()).is_err());
}

#[test]
fn what_fuzzing_begins_with_is_a_slot() {
    assert_eq!(rewritten(&a_slot()), Some(a_slot()));
}

#[test]
fn it_is_written_without_being_closed() {
    let (directory, file) = created();
    let keeper = start(&directory, file, Duration::from_millis(1));
    for offset in 1..=20 {
        keeper.moved(mark(offset));
        while promised(directory.path()) != offset {
            std::thread::yield_now();
        }
    }
}

#[test]
fn a_failed_write_is_told_and_ends_it() {
    let (directory, mut file) = created();
    file.file = File::open(directory.path().join(WATERMARK_FILE)).unwrap();
    let keeper = start(&directory, file, Duration::ZERO);
    keeper.moved(mark(3));
    while keeper.failure().is_none() {
        std::thread::yield_now();
    }
    assert!(keeper.close().is_err());
}

#[test]
fn a_store_that_is_put_in_its_place_is_noticed() {
    let (directory, file) = created();
    let keeper = start(&directory, file, Duration::ZERO);
    let (at, moved) = (
        directory.path().join(WATERMARK_FILE),
        directory.path().join("moved"),
    );
    std::fs::rename(&at, moved).unwrap();
    WatermarkFile::create(directory.path(), STORE, SHARD).unwrap();
    keeper.moved(mark(3));
    while keeper.failure().is_none() {
        std::thread::yield_now();
    }
    assert!(keeper.failure().unwrap().contains(WATERMARK_FILE));
    assert_eq!(promised(directory.path()), 0, "the other one is not written to");
}

#[test]
fn what_is_deleted_is_noticed() {
    for deleted in ["CURRENT", WATERMARK_FILE] {
        let (directory, file) = created();
        let keeper = start(&directory, file, Duration::ZERO);
        keeper.moved(mark(3));
        while promised(directory.path()) != 3 {
            std::thread::yield_now();
        }
        std::fs::remove_file(directory.path().join(deleted)).unwrap();
        keeper.moved(mark(4));
        while keeper.failure().is_none() {
            std::thread::yield_now();
        }
        assert!(keeper.failure().unwrap().contains(deleted));
    }
}

#[test]
fn another_shards_file_is_refused_and_an_unreadable_one_is_no_damage() {
    let (directory, _) = created();
    let open = |shard| WatermarkFile::open(directory.path(), STORE, ShardId::new(shard)).unwrap_err();
    assert!(open(1).to_string().contains("another shard's"));
    let path = directory.path().join(WATERMARK_FILE);
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    assert!(matches!(open(0), StoreError::Engine { .. }));
}
