//! A copy whose name can't be made durable.

use std::ops::ControlFlow;
use std::path::Path;

use crate::open::layout::unsyncable;
use crate::{Store, StoreError};

fn names(directory: &Path) -> Vec<String> {
    let names = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Copies to a directory of `copies`, which can't be synced.
fn copy(store: &Store, copies: &Path) {
    let copy = copies.join("copy");
    unsyncable::add(copies);
    let error = store
        .checkpoint(&copy, &mut |_| ControlFlow::Continue(()))
        .unwrap_err();
    assert!(
        matches!(&error, StoreError::CopyNotDurable { path, .. } if *path == copy.canonicalize().unwrap()),
        "{error}"
    );
    let told = error.to_string();
    assert!(
        told.contains("is whole") && told.contains("can't be synced"),
        "{told}"
    );
    assert_eq!(names(copies), ["copy"]);
    let copied = Store::open(&copy).unwrap();
    assert_eq!(copied.durable(), store.durable());
    copied.close().unwrap();
}

#[test]
fn a_copy_whose_name_is_not_durable_is_there_and_said_to_be() {
    let directory = tempfile::tempdir().unwrap();
    let root = directory.path().join("store");
    let store = Store::open(&root).unwrap();
    let copies = tempfile::tempdir().unwrap();
    copy(&store, copies.path());
    // on another file system
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    copy(&store, elsewhere.path());
    assert!(!names(&root).iter().any(|name| name.contains("checkpoint")));
    store.close().unwrap();
}
