//! The command on real stores.
#![allow(missing_docs, clippy::unwrap_used, reason = "tests")]

mod store;

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use store::{COMMITS, copy, events, image, make, make_of, wal};

fn dormouse(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dormouse"))
        .args(arguments)
        .output()
        .unwrap()
}

fn verify(store: &Path) -> (i32, String) {
    told(&dormouse(&["verify", store.to_str().unwrap()]))
}

fn salvage(store: &Path, to: &Path) -> (i32, String) {
    told(&dormouse(&[
        "salvage",
        store.to_str().unwrap(),
        "--to",
        to.to_str().unwrap(),
    ]))
}

fn told(output: &Output) -> (i32, String) {
    let text = [&output.stdout[..], &output.stderr[..]].concat();
    (output.status.code().unwrap(), String::from_utf8(text).unwrap())
}

fn edit(path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
    let mut bytes = fs::read(path).unwrap();
    change(&mut bytes);
    fs::write(path, bytes).unwrap();
}

#[test]
fn a_whole_store_is_called_whole_and_not_touched() {
    let place = tempfile::tempdir().unwrap();
    let store = make(place.path());
    let before = image(&store);
    let (code, said) = verify(&store);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains(&format!("{COMMITS} commits")) && said.ends_with("whole\n"),
        "{said}"
    );
    assert!(image(&store) == before, "verifying changes nothing");
}

#[test]
fn a_store_without_damage_is_copied_whole() {
    let place = tempfile::tempdir().unwrap();
    let (store, to) = (make(place.path()), place.path().join("new"));
    let (code, said) = salvage(&store, &to);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("nothing is lost"), "{said}");
    assert_eq!(events(&to), events(&store));
}

#[test]
fn a_damaged_write_ahead_file_is_named_and_saved_up_to_the_damage() {
    let place = tempfile::tempdir().unwrap();
    let (store, to) = (make(place.path()), place.path().join("new"));
    let whole = copied(&store, place.path());
    let wal = wal(&store);
    edit(&wal, |bytes| {
        let middle = bytes.len() / 2;
        bytes[middle] ^= 1;
    });
    let before = image(&store);
    let (code, said) = verify(&store);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains(wal.to_str().unwrap()) && said.contains("are lost"),
        "{said}"
    );
    let (code, said) = salvage(&store, &to);
    assert_eq!(code, 1, "{said}");
    assert!(said.contains(wal.to_str().unwrap()), "{said}");
    assert!(image(&store) == before, "salvaging changes nothing");
    let kept = events(&to);
    assert!(kept.len() > 2 && kept.len() < whole.len(), "{said}");
    assert!(
        whole.starts_with(&kept),
        "offsets, versions and texts are those of the old store"
    );
    // Each stream that lost something is listed, with what it lost.
    for stream in ["note/a", "note/b", "note/c"] {
        let versions = |events: &[(String, u64, u64, Vec<u8>)]| {
            events
                .iter()
                .filter(|event| event.0 == stream)
                .map(|event| event.2)
                .max()
                .unwrap_or(0)
        };
        let line = format!(
            "{stream}: versions {} to {}",
            versions(&kept) + 1,
            versions(&whole)
        );
        assert!(said.contains(&line), "{line}\n{said}");
    }
    assert_eq!(verify(&to).0, 0, "the new store is whole");
}

/// RocksDB looks into a damaged table also for what is in others.
#[test]
fn damage_in_one_table_costs_nothing_of_those_before_it() {
    let place = tempfile::tempdir().unwrap();
    let (store, to) = (make_of(place.path(), 4), place.path().join("new"));
    let session = COMMITS / 2;
    let files = fs::read_dir(store.join("log")).unwrap();
    let mut tables: Vec<_> = files.map(|entry| entry.unwrap().path()).collect();
    tables.retain(|path| path.extension().is_some_and(|extension| extension == "sst"));
    tables.sort();
    assert_eq!(tables.len(), 3);
    edit(&tables[1], |bytes| bytes[100] ^= 1);
    let (code, said) = verify(&store);
    let (first, last) = (2 * session + 1, 4 * session);
    assert_eq!(code, 1, "{said}");
    assert!(
        said.contains(&format!("offsets {first} to {last} are lost")),
        "{said}"
    );
    let (code, said) = salvage(&store, &to);
    assert_eq!(code, 1, "{said}");
    assert_eq!(events(&to).len() as u64, 2 * session, "{said}");
    assert!(said.contains(&format!("lost: {} events", 6 * session)), "{said}");
}

#[test]
fn a_log_without_its_manifest_is_saved_from_its_tables() {
    let place = tempfile::tempdir().unwrap();
    let (store, to) = (make(place.path()), place.path().join("new"));
    let whole = copied(&store, place.path());
    for entry in fs::read_dir(store.join("log")).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name.starts_with("MANIFEST") || name == "CURRENT" {
            fs::remove_file(path).unwrap();
        }
    }
    assert_eq!(verify(&store).0, 1);
    let before = image(&store);
    let (code, said) = salvage(&store, &to);
    assert_eq!(code, 0, "{said}");
    assert_eq!(events(&to), whole, "{said}");
    assert!(image(&store) == before, "salvaging changes nothing");
}

#[test]
fn what_is_left_of_a_store_without_its_small_files_is_saved() {
    let place = tempfile::tempdir().unwrap();
    let (store, to) = (make(place.path()), place.path().join("new"));
    let whole = copied(&store, place.path());
    for name in ["FORMAT", "watermark"] {
        fs::remove_file(store.join(name)).unwrap();
    }
    fs::remove_dir_all(store.join("derived")).unwrap();
    let (code, said) = salvage(&store, &to);
    assert_eq!(code, 1, "nothing tells how far the log reached: {said}");
    assert!(said.contains("FORMAT") && said.contains("watermark"), "{said}");
    assert!(!said.contains("nothing is lost"), "{said}");
    assert_eq!(events(&to), whole, "{said}");
}

#[test]
fn what_cannot_be_done_is_said_and_nothing_is_touched() {
    let place = tempfile::tempdir().unwrap();
    let store = make(place.path());
    let before = image(&store);
    let taken = place.path().join("taken");
    fs::create_dir(&taken).unwrap();
    fs::write(taken.join("thesis.txt"), "mine").unwrap();
    for (to, reason) in [
        (taken.clone(), "it is not empty"),
        (store.clone(), "inside the damaged store"),
        (store.join("log/new"), "inside the damaged store"),
    ] {
        let (code, said) = salvage(&store, &to);
        assert_eq!(code, 2, "{said}");
        assert!(said.contains(reason), "{said}");
    }
    let nowhere = place.path().join("nowhere");
    let (code, said) = verify(&nowhere);
    assert!(code == 2 && said.contains("No such file"), "{said}");
    let (code, said) = verify(&taken);
    assert!(code == 2 && said.contains("log/ is missing"), "{said}");
    assert!(!nowhere.exists());
    assert!(image(&store) == before);
    assert_eq!(fs::read_dir(&taken).unwrap().count(), 1);
}

#[test]
fn an_open_store_is_left_alone() {
    let place = tempfile::tempdir().unwrap();
    let store = make(place.path());
    let open = dormouse_persistence::Store::open(&store).unwrap();
    let (code, said) = verify(&store);
    assert_eq!(code, 2, "{said}");
    assert!(said.contains("already open"), "{said}");
    open.close().unwrap();
}

/// The events of a store, read from a copy: opening changes files.
fn copied(store: &Path, place: &Path) -> Vec<(String, u64, u64, Vec<u8>)> {
    let to = place.join("copied");
    copy(store, &to);
    events(&to)
}
