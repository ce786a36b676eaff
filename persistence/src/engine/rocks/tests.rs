//! Which write-ahead files RocksDB would read on opening.

use super::tuning::{Shared, synced};
use super::*;
use crate::open::survey::wal_files;

#[test]
fn a_write_ahead_file_is_needed_until_tables_hold_what_it_does() {
    let root = tempfile::tempdir().unwrap();
    let (log, derived) = (root.path().join("log"), root.path().join("derived"));
    let shared = Shared::new(1024 * 1024).unwrap();
    let mut options = shared.log().unwrap();
    options.create_if_missing(true);
    let (of_derived, families) = shared.derived_with_families().unwrap();
    let databases = Databases {
        log: DB::open(&options, &log).unwrap(),
        derived: DB::open_cf_descriptors(&of_derived, &derived, families).unwrap(),
    };
    let databases = RwLock::new(Some(databases));
    let newest = |directory| wal_files(directory).unwrap().pop().unwrap();
    let before = newest(&log);
    with_log(&databases, |log| {
        log.put_opt(b"key", b"value", &synced()).unwrap();
    });
    assert!(is_needed(&databases, &before));
    with_log(&databases, |log| log.flush().unwrap());
    assert!(!is_needed(&databases, &before));
    assert!(is_needed(&databases, &newest(&log)));
    assert!(is_needed(&databases, &newest(&derived)));
    let other = log.join("notes.log");
    assert!(!is_needed(&databases, &other), "none of RocksDB's");
    *databases.write() = None;
    assert!(!is_needed(&databases, &before), "nobody can be asked");
}

fn with_log(databases: &RwLock<Option<Databases>>, call: impl FnOnce(&DB)) {
    call(&databases.read().as_ref().unwrap().log);
}
