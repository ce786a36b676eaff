//! Damage to what is derived: it is mended, or built again.

use std::fs;
use std::path::Path;

use super::{END, Left, copy, edit, files, open, replace, with_tables_and_wal, write, written};
use crate::client::{Client, check_gapless, read, stream};
use crate::disk::Directory;
use crate::suite::{Place, indexes_never, indexes_soon};

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
