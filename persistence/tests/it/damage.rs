//! Damage to a store's files: it opens whole, or without what was never promised, or it refuses and says what is
//! lost. It never opens silently with less.

mod beyond;
mod index;
mod random;
mod wal;
mod whole_files;

use std::fs;
use std::path::{Path, PathBuf};

use dormouse_persistence::{Store, StoreError, StoreOptions};

use crate::child::noise;
use crate::client::{Client, Seen, check_gapless, stream};
use crate::disk::Directory;
use crate::suite::{Place, indexes_soon};

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

fn newest_wal(directory: &Directory) -> PathBuf {
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
