//! Damage to a store's files: it opens whole, or without what was never promised, or it refuses and says what is
//! lost. It never opens silently with less.

use std::fs;
use std::path::{Path, PathBuf};

use dormouse_persistence::{Store, StoreError, StoreOptions};

use crate::child::{Random, noise};
use crate::client::{Client, Seen, check_gapless, eventually, log, read, stream};
use crate::disk::Directory;
use crate::suite::{Place, indexes_never, indexes_soon};

/// Commits of two events in each test store.
const COMMITS: u64 = 40;
const END: u64 = 2 * COMMITS;

/// How a store was left.
#[derive(Clone, Copy, PartialEq)]
enum Left {
    /// Closed: the watermark is at the log's end.
    Closed,
    /// Crashed before the first watermark.
    Crashed,
}

/// A store whose commits are all in the newest WAL, one segment each.
fn written(left: Left, options: StoreOptions) -> Directory {
    let directory = Directory::new();
    write(&directory, left, options);
    directory
}

fn write(directory: &Directory, left: Left, options: StoreOptions) {
    let store = directory.open(options.watermark_every_ms(3_600_000)).unwrap();
    fill(&store);
    if left == Left::Closed {
        store.close().unwrap();
    }
}

fn fill(store: &Store) {
    let client = Client::new(store);
    let text = noise(1_000);
    for n in 0..COMMITS {
        let writer = client.open(&stream(&format!("s{}", n % 5)));
        client.durable(&writer, &[&text, "end"]);
    }
}

fn open(directory: &Directory) -> Result<Vec<Seen>, StoreError> {
    let store = directory.open(indexes_soon())?;
    let events = check_gapless(&store);
    let client = Client::new(&store);
    client.durable(&client.open(&stream("after")), &["it", "goes on"]);
    assert_eq!(check_gapless(&store).len(), events.len() + 2);
    store.close().unwrap();
    Ok(events)
}

/// The newest WAL.
fn wal(directory: &Directory) -> PathBuf {
    wals(directory.path()).pop().expect("there is a WAL")
}

fn wals(store: &Path) -> Vec<PathBuf> {
    let mut wals: Vec<_> = files(&store.join("log"))
        .into_iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "log"))
        .collect();
    wals.sort();
    wals
}

fn files(directory: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    files
}

/// RocksDB's own text log changes with each opening, and nothing depends on it.
fn is_info_log(path: &Path) -> bool {
    path.file_name().unwrap().to_str().unwrap().starts_with("LOG")
}

/// The bytes of the log's files.
fn image(directory: &Directory) -> Vec<(PathBuf, Vec<u8>)> {
    files(&directory.path().join("log"))
        .into_iter()
        .filter(|path| !is_info_log(path))
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

/// Where each record of a WAL begins, read as RocksDB writes it; the file's length comes last.
fn record_starts(wal: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while at + 7 <= wal.len() {
        if 32_768 - at % 32_768 < 7 {
            at += 32_768 - at % 32_768;
            continue;
        }
        if matches!(wal[at + 6], 1 | 2) {
            starts.push(at);
        }
        at += 7 + usize::from(u16::from_le_bytes([wal[at + 4], wal[at + 5]]));
    }
    starts.push(wal.len());
    starts
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

/// Opening refuses and leaves the log as it is.
fn refused(directory: &Directory) -> StoreError {
    let before = image(directory);
    let error = Store::open(directory.path())
        .map(drop)
        .expect_err("it must not open");
    assert!(image(directory) == before, "a refusal changes nothing: {error}");
    error
}

/// Damage of the last record, by cutting it off or by spoiling it.
fn spoil_last(directory: &Directory, change: impl Fn(&mut Vec<u8>, usize)) {
    edit(&wal(directory), |bytes| {
        let starts = record_starts(bytes);
        assert_eq!(starts.len() as u64, COMMITS + 1, "a record a commit");
        change(bytes, starts[starts.len() - 2]);
    });
}

type Change = fn(&mut Vec<u8>, usize);

/// What a crash, or a power cut, may do to the last write.
const TORN: [(&str, Change, bool); 5] = [
    ("cut in its header", |bytes, at| bytes.truncate(at + 3), false),
    ("cut in its body", |bytes, at| bytes.truncate(at + 500), false),
    ("a flipped bit", |bytes, at| bytes[at + 300] ^= 4, true),
    ("zeroes from its beginning", |bytes, at| bytes[at..].fill(0), true),
    (
        "zeroes in its middle",
        |bytes, at| bytes[at + 400..at + 800].fill(0),
        true,
    ),
];

#[test]
fn a_torn_tail_that_was_not_promised_is_dropped() {
    for (name, tear, is_cut_off) in TORN {
        let directory = written(Left::Crashed, indexes_never());
        spoil_last(&directory, tear);
        let events = open(&directory).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(events.len() as u64, END - 2, "{name}");
        let aside = directory.path().join("damaged");
        assert_eq!(
            aside.exists().then(|| files(&aside).len()),
            is_cut_off.then_some(1),
            "{name}"
        );
        assert_eq!(
            open(&directory).unwrap().len() as u64,
            END,
            "{name}: with what came after it"
        );
    }
}

#[test]
fn a_torn_tail_that_was_promised_is_refused() {
    for (name, tear, _) in TORN {
        let directory = written(Left::Closed, indexes_never());
        spoil_last(&directory, tear);
        let error = refused(&directory);
        let StoreError::LogDamaged {
            file,
            lost_from,
            lost_to,
            ..
        } = &error
        else {
            panic!("{name}: {error}")
        };
        assert_eq!(*file, wal(&directory), "{name}");
        assert_eq!(
            (lost_from.get(), lost_to.unwrap().get()),
            (END - 1, END),
            "{name}"
        );
    }
}

#[test]
fn damage_before_whole_segments_is_refused_with_its_place_and_loss() {
    let changes: [(&str, Change); 4] = [
        ("a flipped bit", |bytes, at| bytes[at + 300] ^= 4),
        ("a flipped length", |bytes, at| bytes[at + 4] ^= 1),
        ("a zeroed header", |bytes, at| bytes[at..at + 7].fill(0)),
        ("a zeroed sector", |bytes, at| bytes[at + 100..at + 612].fill(0)),
    ];
    for left in [Left::Crashed, Left::Closed] {
        for (name, change) in changes {
            for record in [0, 1, 20, COMMITS as usize - 2] {
                let directory = written(left, indexes_never());
                let mut expected_at = 0;
                edit(&wal(&directory), |bytes| {
                    expected_at = record_starts(bytes)[record];
                    change(bytes, expected_at);
                });
                let error = refused(&directory);
                let StoreError::LogDamaged {
                    file,
                    at,
                    lost_from,
                    lost_to,
                    ..
                } = &error
                else {
                    panic!("{name} in record {record}: {error}")
                };
                assert_eq!((file, *at), (&wal(&directory), expected_at as u64), "{name}");
                let first = 2 * record as u64 + 1;
                assert_eq!(
                    (lost_from.get(), lost_to.unwrap().get()),
                    (first, first + 1),
                    "{name} in record {record}"
                );
            }
        }
    }
}

#[test]
fn a_zeroed_block_is_refused_with_all_it_hit() {
    let directory = written(Left::Crashed, indexes_never());
    edit(&wal(&directory), |bytes| bytes[..32_768].fill(0));
    let error = refused(&directory);
    let StoreError::LogDamaged {
        at: 0,
        lost_from,
        lost_to: Some(lost_to),
        ..
    } = error
    else {
        panic!("{error}")
    };
    assert_eq!(lost_from.get(), 1);
    assert!(lost_to.get() > 50 && lost_to.get() < END, "{lost_to}");
}

#[test]
fn a_cut_between_records_is_refused_by_the_watermark() {
    let directory = written(Left::Closed, indexes_never());
    spoil_last(&directory, Vec::truncate);
    let error = refused(&directory);
    let StoreError::LogShorterThanWatermark { log_end, watermark } = error else {
        panic!("{error}")
    };
    assert_eq!((log_end.get(), watermark.get()), (END - 2, END));
}

#[test]
fn a_cut_between_records_is_refused_by_the_index() {
    let directory = Directory::new();
    let store = directory
        .open(StoreOptions::default().generation_bytes(1))
        .unwrap();
    fill(&store);
    eventually("more is indexed than will be left", || {
        store.statistics().indexed.get() > 6
    });
    store.close().unwrap();
    fs::write(directory.path().join("watermark"), []).unwrap();
    edit(&wal(&directory), |bytes| {
        let at = record_starts(bytes)[3];
        bytes.truncate(at);
    });
    let error = refused(&directory);
    let StoreError::LogShorterThanIndex { log_end, indexed } = error else {
        panic!("{error}")
    };
    assert_eq!(log_end.get(), 6);
    assert!(indexed > log_end, "{indexed}");
}

#[test]
fn a_cut_after_the_last_promise_opens_with_what_is_there() {
    // The stated window: nothing tells such a cut from a log that ended there.
    let directory = written(Left::Crashed, indexes_never());
    spoil_last(&directory, Vec::truncate);
    assert_eq!(open(&directory).unwrap().len() as u64, END - 2);
}

#[test]
fn a_missing_wal_is_refused() {
    for left in [Left::Crashed, Left::Closed] {
        let directory = written(left, indexes_never());
        fs::remove_file(wal(&directory)).unwrap();
        let error = refused(&directory);
        let StoreError::LogDamaged {
            reason,
            lost_from,
            lost_to,
            ..
        } = &error
        else {
            panic!("{error}")
        };
        assert!(reason.contains("missing"), "{error}");
        assert_eq!(lost_from.get(), 1);
        assert_eq!(
            lost_to.map(dormouse_domain::Offset::get),
            (left == Left::Closed).then_some(END)
        );
    }
}

#[test]
fn a_log_without_its_manifest_or_a_table_is_refused() {
    for name in ["CURRENT", "MANIFEST", "sst"] {
        let directory = written(Left::Closed, indexes_never());
        // The next opening moves the WAL into a table.
        directory.open(indexes_never()).unwrap().close().unwrap();
        let hit = files(&directory.path().join("log"))
            .into_iter()
            .find(|path| path.file_name().unwrap().to_str().unwrap().contains(name))
            .unwrap();
        fs::remove_file(&hit).unwrap();
        let error = refused(&directory);
        assert!(
            matches!(error, StoreError::Corrupt { .. } | StoreError::Engine { .. }),
            "{name}: {error}"
        );
    }
}

#[test]
fn a_directory_without_its_format_is_not_taken_for_an_empty_one() {
    let directory = written(Left::Closed, indexes_never());
    fs::remove_file(directory.path().join("FORMAT")).unwrap();
    let error = refused(&directory);
    assert!(matches!(error, StoreError::NotAStore { .. }), "{error}");
}

/// RocksDB 11.8 never steps over such a record: it would read on for ever.
#[test]
fn a_record_type_that_rocksdb_reads_for_ever_is_named() {
    let file_of = |directory: &Directory, of: &str, name: &str| {
        let files = files(&directory.path().join(of));
        let named = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().contains(name);
        files.into_iter().rfind(named).unwrap()
    };
    let spoil = |path: &Path| {
        edit(path, |bytes| {
            let second = record_starts(bytes)[1];
            bytes[second + 6] ^= 4; // a full record becomes a recyclable one
        });
    };
    for (of, name) in [("log", "MANIFEST"), ("log", ".log"), ("derived", "MANIFEST")] {
        let directory = written(Left::Closed, indexes_never());
        let hit = file_of(&directory, of, name);
        spoil(&hit);
        if of == "derived" {
            assert_eq!(open(&directory).unwrap().len() as u64, END, "built again");
        } else {
            let error = refused(&directory);
            let name = hit.file_name().unwrap().to_str().unwrap();
            assert!(error.to_string().contains(name), "{error}");
        }
    }
}

/// A torn write whose type is such a one, at the end and never promised, is cut off as any other.
#[test]
fn a_torn_record_of_such_a_type_is_cut_off() {
    let directory = written(Left::Crashed, indexes_never());
    spoil_last(&directory, |bytes, at| {
        bytes.truncate(at + 500);
        bytes[at + 6] ^= 4;
    });
    assert_eq!(open(&directory).unwrap().len() as u64, END - 2);
}

#[test]
fn another_stores_log_is_refused() {
    let (directory, other) = (
        written(Left::Closed, indexes_never()),
        written(Left::Closed, indexes_never()),
    );
    replace(&directory, &other, "log");
    let error = Store::open(directory.path()).map(drop).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[test]
fn another_stores_index_is_not_used() {
    let (directory, other) = (written(Left::Closed, indexes_soon()), Directory::new());
    {
        let store = other.open(indexes_soon()).unwrap();
        let client = Client::new(&store);
        let writer = client.open(&stream("s1"));
        for _ in 0..20 {
            client.durable(&writer, &["foreign"]);
        }
        store.close().unwrap();
    }
    replace(&directory, &other, "derived");
    let events = open(&directory).unwrap();
    assert!(events.len() as u64 == END && events.iter().all(|event| event.text != "foreign"));
}

#[test]
fn an_older_copy_of_the_index_catches_up() {
    let directory = written(Left::Closed, indexes_soon());
    let older = Directory::new();
    copy(&directory.path().join("derived"), &older.path().join("derived"));
    write(&directory, Left::Closed, indexes_soon());
    replace(&directory, &older, "derived");
    assert_eq!(open(&directory).unwrap().len() as u64, 2 * END);
}

fn replace(directory: &Directory, by: &Directory, name: &str) {
    fs::remove_dir_all(directory.path().join(name)).unwrap();
    copy(&by.path().join(name), &directory.path().join(name));
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for path in files(from) {
        let to = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &to);
        } else {
            fs::copy(&path, to).unwrap();
        }
    }
}

/// A store with tables and a WAL, closed. Its index has more files than RocksDB looks into on opening, 16.
fn with_tables_and_wal() -> Directory {
    let a_few_runs = StoreOptions::default().generation_bytes(12_000);
    let directory = written(Left::Closed, a_few_runs.clone());
    write(&directory, Left::Closed, a_few_runs);
    directory
}

#[test]
fn whatever_happens_to_the_index_the_next_or_the_second_opening_is_whole() {
    let whole = with_tables_and_wal();
    let derived = files(&whole.path().join("derived"));
    // But for the directory of runs.
    for file in (0..derived.len()).filter(|file| derived[*file].is_file()) {
        for (name, damage) in [
            ("deleted", (|path| fs::remove_file(path).unwrap()) as fn(&Path)),
            ("emptied", |path| fs::write(path, []).unwrap()),
            ("flipped", |path| {
                edit(path, |bytes| {
                    bytes.iter_mut().step_by(50).for_each(|byte| *byte ^= 1);
                });
            }),
        ] {
            let directory = Directory::new();
            copy(whole.path(), directory.path());
            let path = files(&directory.path().join("derived"))[file].clone();
            damage(&path);
            let store = directory
                .open(indexes_never())
                .unwrap_or_else(|error| panic!("{name} {path:?}: {error}"));
            // Found on reading only: refused then, and healed by the next opening.
            if (0..5).any(|n| read(&store, &stream(&format!("s{n}")), 1).is_err()) {
                store.reopen().unwrap();
            }
            assert_eq!(check_gapless(&store).len() as u64, 2 * END, "{name} {path:?}");
        }
    }
}

#[test]
fn no_damage_to_the_log_is_overlooked() {
    let seed = std::env::var("DORMOUSE_SEED")
        .ok()
        .and_then(|seed| seed.parse().ok())
        .unwrap_or(1);
    println!("rerun with DORMOUSE_SEED={seed}");
    let mut random = Random(seed);
    let whole = with_tables_and_wal();
    let expected = {
        let copied = Directory::new();
        copy(whole.path(), copied.path());
        let events = check_gapless(&copied.open(indexes_never()).unwrap());
        assert_eq!(events.len() as u64, 2 * END);
        events
    };
    let (mut refusals, mut unread) = (0, 0);
    for round in 0..80 {
        let directory = Directory::new();
        copy(whole.path(), directory.path());
        let targets: Vec<_> = files(&directory.path().join("log"))
            .into_iter()
            .filter(|path| !is_info_log(path))
            .collect();
        let path = &targets[random.below(targets.len() as u64) as usize];
        let kind = random.below(4);
        edit(path, |bytes| {
            let at = random.below(bytes.len().max(1) as u64) as usize;
            match kind {
                _ if bytes.is_empty() => {}
                0 => bytes[at] ^= 1 << random.below(8),
                1 => bytes.truncate(at),
                2 => {
                    let end = (at + 512).min(bytes.len());
                    bytes[at..end].fill(0);
                }
                _ => {
                    let at = at / 4096 * 4096;
                    let end = (at + 4096).min(bytes.len());
                    bytes[at..end].fill(random.below(256) as u8);
                }
            }
        });
        let what = format!("round {round}: kind {kind} on {path:?}");
        match directory.open(indexes_never()) {
            Err(error) => {
                refusals += 1;
                assert!(
                    !matches!(error, StoreError::Closed | StoreError::Stopped { .. }),
                    "{what}: {error}"
                );
            }
            Ok(store) => {
                assert_eq!(store.durable().get(), 2 * END, "{what}");
                match log(&store, 1) {
                    // A table's damage shows when it is read.
                    Err(_) => unread += 1,
                    Ok((events, _)) => assert!(events == expected, "{what}: read, but not what was written"),
                }
            }
        }
    }
    println!("{refusals} refused, {unread} refused on reading");
    assert!(refusals > 25, "the damage hits nothing: {refusals} refused");
}

/// A link to itself can't be looked through: the system fails, and says nothing of what is in the file. It used to be
/// called damage, with the advice to restore, or made the opening delete what is derived.
#[test]
fn a_file_that_the_system_cannot_read_is_not_called_damaged_or_missing() {
    let directory = written(Left::Closed, indexes_soon());
    let mut before = open(&directory).unwrap().len();
    for name in ["FORMAT", "log/CURRENT", "derived/CURRENT", "REBUILD", "watermark"] {
        let path = directory.path().join(name);
        let aside = directory.path().join("aside");
        if path.exists() {
            std::fs::rename(&path, &aside).unwrap();
        }
        std::os::unix::fs::symlink(&path, &path).unwrap();
        let error = Store::open(directory.path()).map(drop).unwrap_err();
        assert!(matches!(error, StoreError::Engine { .. }), "{name}: {error}");
        std::fs::remove_file(&path).unwrap();
        if aside.exists() {
            std::fs::rename(&aside, &path).unwrap();
        }
        let now = open(&directory).unwrap().len();
        assert_eq!(now, before + 2, "{name}");
        before = now;
    }
}
