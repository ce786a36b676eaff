//! The suite on a directory, and what only a directory can do: be locked, newer, foreign, unwritable, killed.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use dormouse_persistence::{Health, NotCommitted, Settlement, Store, StoreError, StoreOptions};
use tempfile::TempDir;

use crate::child::{self, Child, noise};
use crate::client::{Client, check_gapless, eventually, stream};
use crate::suite::{Place, indexes_soon};

/// A directory that is deleted at the end.
pub struct Directory(TempDir);

impl Directory {
    pub fn new() -> Directory {
        Directory(tempfile::tempdir().unwrap())
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }
}

impl Place for Directory {
    fn open(&self, options: StoreOptions) -> Result<Store, StoreError> {
        Store::open_with(self.path(), options)
    }

    fn delete_derived(&self) {
        std::fs::remove_dir_all(self.path().join("derived")).unwrap();
    }
}

crate::suite!(Directory::new());

#[test]
fn a_second_process_is_told_who_has_it_open() {
    let directory = Directory::new();
    let mut holder = Child::start("hold", directory.path());
    assert_eq!(holder.line(), "open");
    let error = Store::open(directory.path()).map(drop).unwrap_err();
    let StoreError::Locked { path, holder: pid } = &error else {
        panic!("{error}")
    };
    assert_eq!((path.as_path(), *pid), (directory.path(), Some(holder.id())));
    assert!(error.to_string().contains(&holder.id().to_string()), "{error}");
    holder.kill();
    Store::open(directory.path()).unwrap();
}

#[test]
fn a_newer_format_is_named_and_not_touched() {
    let directory = Directory::new();
    Store::open(directory.path()).unwrap().close().unwrap();
    let format = directory.path().join("FORMAT");
    let newer = std::fs::read_to_string(&format)
        .unwrap()
        .replace("format 1", "format 2");
    std::fs::write(&format, &newer).unwrap();
    let error = Store::open(directory.path()).map(drop).unwrap_err();
    assert!(
        matches!(
            error,
            StoreError::NewerFormat {
                found: 2,
                supported: 1
            }
        ),
        "{error}"
    );
    assert_eq!(std::fs::read_to_string(&format).unwrap(), newer);
}

#[test]
fn a_directory_with_something_else_in_it_is_refused() {
    let directory = Directory::new();
    std::fs::write(directory.path().join("photo.jpg"), b"").unwrap();
    let error = Store::open(directory.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}

/// A volume that is not mounted, a mistyped path.
#[test]
fn where_a_store_must_be_no_new_one_is_made() {
    let directory = Directory::new();
    let must_exist = || StoreOptions::default().create_if_missing(false);
    let missing = directory.path().join("not/mounted");
    for path in [directory.path(), &missing] {
        let error = Store::open_with(path, must_exist()).unwrap_err();
        assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
    }
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        0,
        "nothing was made"
    );
    directory.open(StoreOptions::default()).unwrap().close().unwrap();
    directory.open(must_exist()).unwrap().close().unwrap();
}

#[test]
fn a_directory_that_cannot_be_made_or_written_is_named() {
    let directory = Directory::new();
    let file = directory.path().join("file");
    std::fs::write(&file, b"").unwrap();
    // No mode keeps root out; two places do: below a file, and in a file system that makes no files.
    for path in [file.join("store"), file.clone(), "/proc/dormouse".into()] {
        let error = Store::open(&path).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    }
}

#[test]
fn what_was_acknowledged_survives_a_kill_at_any_instant() {
    let seed = std::env::var("DORMOUSE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    println!("rerun with DORMOUSE_SEED={seed}");
    let directory = Directory::new();
    let mut acknowledged = 0;
    let mut random = child::Random(seed);
    for round in 0..20 {
        let mut writer = Child::start("write", directory.path());
        // The instant is counted in acknowledgements and then in spins, so that it falls anywhere in a write.
        for _ in 0..=random.below(400) {
            acknowledged = writer.line().parse().unwrap();
        }
        for _ in 0..random.below(200_000) {
            std::hint::spin_loop();
        }
        acknowledged = writer
            .kill()
            .last()
            .map_or(acknowledged, |line| line.parse().unwrap());
        let store = Store::open(directory.path()).unwrap_or_else(|error| panic!("round {round}: {error}"));
        let durable = store.durable().get();
        assert!(
            durable >= acknowledged,
            "round {round}: {acknowledged} acknowledged, {durable} there"
        );
        assert_eq!(check_gapless(&store).len() as u64, durable, "round {round}");
        if round % 3 == 0 {
            store.close().unwrap();
        }
        acknowledged = durable;
    }
    assert!(acknowledged > 1_000, "the rounds wrote {acknowledged} events");
}

#[test]
fn a_full_disk_stops_the_store_and_loses_nothing() {
    let directory = Directory::new();
    // The child may make no file longer than 2 MiB: what a full disk does, without one.
    let mut writer = Child::start_limited("fill", directory.path(), 2048);
    let mut acknowledged = 0;
    let stopped = loop {
        let line = writer.line();
        match line.parse::<u64>() {
            Ok(offset) => acknowledged = offset,
            Err(_) => break line,
        }
    };
    assert!(stopped.starts_with("stopped: "), "{stopped}");
    assert!(acknowledged > 0);
    writer.wait();
    let store = Store::open(directory.path()).unwrap();
    assert!(store.durable().get() >= acknowledged);
    check_gapless(&store);
}

#[test]
fn reopening_in_process_finds_what_is_stored() {
    let directory = Directory::new();
    let store = directory.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    for round in 0..5 {
        let writer = client.open(&stream("a"));
        for _ in 0..10 {
            client.durable(&writer, &["x"]);
        }
        store.reopen().unwrap();
        assert_eq!(store.health(), Health::Healthy);
        assert_eq!(check_gapless(&store).len(), (round + 1) * 10);
    }
}

/// What is written into deleted files succeeds, and is lost: the store must notice by itself.
#[test]
fn a_store_whose_files_are_deleted_stops_soon_and_makes_no_new_one() {
    for what in ["", "log"] {
        let directory = Directory::new();
        let options = StoreOptions::default().watermark_every_ms(1);
        let store = directory.open(options).unwrap();
        let client = Client::new(&store);
        let writer = client.open(&stream("a"));
        client.durable(&writer, &["x"]);
        // the store makes files meanwhile
        eventually("they are gone", || {
            let gone = std::fs::remove_dir_all(directory.path().join(what));
            gone.is_ok_and(|()| !directory.path().join("log").exists())
        });
        // one commit moves the watermark, whose thread looks; nothing was handed to a write that failed
        let _ = client.append(&writer, &["x"], None);
        eventually("health says so, without another commit", || {
            matches!(store.health(), Health::Stopped { .. })
        });
        let after = client.append(&writer, &["x"], None);
        assert!(
            matches!(after, Settlement::NotDone(NotCommitted::Stopped { .. })),
            "{after:?}"
        );
        store.reopen().unwrap_err();
        assert!(
            !directory.path().join("FORMAT").exists() || !what.is_empty(),
            "nothing is made in its place"
        );
        drop(store);
    }
}

/// A cleaner of `*.log` would take acknowledged commands with it.
#[test]
fn write_ahead_files_that_somebody_deletes_have_their_names_again() {
    let directory = Directory::new();
    let wals = || -> Vec<PathBuf> {
        let of = |name| std::fs::read_dir(directory.path().join(name)).unwrap();
        let paths = of("log").chain(of("derived")).map(|entry| entry.unwrap().path());
        paths
            .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
            .collect()
    };
    let has_second_name = |wal: &PathBuf| std::fs::metadata(wal).is_ok_and(|file| file.nlink() > 1);
    let store = directory.open(StoreOptions::default()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    for is_last in [false, true] {
        client.durable(&writer, &["x"]);
        eventually("all have second names", || wals().iter().all(has_second_name));
        let deleted = wals();
        assert!(deleted.len() >= 2, "{deleted:?}");
        for wal in &deleted {
            std::fs::remove_file(wal).unwrap();
        }
        if !is_last {
            eventually("they have their names again", || {
                deleted.iter().all(|wal| wal.exists())
            });
            assert_eq!(store.health(), Health::Healthy);
        }
    }
    // the last look is that of closing
    store.close().unwrap();
    drop(store);
    let store = directory.open(StoreOptions::default()).unwrap();
    assert_eq!(check_gapless(&store).len(), 2);
}

/// What clients were told is of the store that was open: another one, however long its log, is not it.
#[test]
fn reopening_takes_no_other_store_and_leaves_the_place_free_for_its_own() {
    let directory = Directory::new();
    let at = |name: &str| directory.path().join(name);
    let other = Client::new(&Store::open(at("other")).unwrap());
    let writer = other.open(&stream("b"));
    for _ in 0..9 {
        other.durable(&writer, &["not ours"]);
    }
    other.store.close().unwrap();

    let store = Store::open(at("store")).unwrap();
    let client = Client::new(&store);
    client.durable(&client.open(&stream("a")), &["x"]);
    std::fs::rename(at("store"), at("moved")).unwrap();
    store.reopen().unwrap_err();
    assert!(!at("store").exists(), "its place is left as it is");

    std::fs::rename(at("other"), at("store")).unwrap();
    let error = store.reopen().unwrap_err();
    assert!(error.to_string().contains("another store"), "{error}");

    std::fs::rename(at("store"), at("other")).unwrap();
    std::fs::rename(at("moved"), at("store")).unwrap();
    store.reopen().unwrap();
    assert_eq!(check_gapless(&store).len(), 1);
}

#[test]
fn sizes_on_disk_are_told() {
    let directory = Directory::new();
    let store = directory.open(StoreOptions::default()).unwrap();
    let client = Client::new(&store);
    let before = store.statistics().disk_bytes;
    let text = noise(100_000);
    assert!(matches!(
        client.append(&client.open(&stream("a")), &[&text], None),
        Settlement::Durable { .. }
    ));
    let statistics = store.statistics();
    assert!(statistics.disk_bytes >= before + 100_000);
    assert!(statistics.engine.log_wal_bytes >= 100_000 && statistics.engine.memtable_bytes >= 100_000);
    store.close().unwrap();
    assert_eq!(store.statistics().engine, Default::default());
}

#[test]
fn the_watermark_follows_and_a_quiet_store_stays_quiet() {
    let directory = Directory::new();
    let store = directory
        .open(StoreOptions::default().watermark_every_ms(1))
        .unwrap();
    let file = directory.path().join("watermark");
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    for _ in 0..3 {
        let before = std::fs::read(&file).unwrap();
        client.durable(&writer, &["x"]);
        eventually("the watermark moves", || std::fs::read(&file).unwrap() != before);
    }
    store.close().unwrap();
    let closed = std::fs::read(&file).unwrap();
    let store = directory.open(StoreOptions::default()).unwrap();
    check_gapless(&store);
    store.close().unwrap();
    assert_eq!(
        std::fs::read(&file).unwrap(),
        closed,
        "nothing moved, nothing was written"
    );
}
