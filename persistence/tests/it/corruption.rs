//! Damage that is found on opening or on reading, and named.

use std::collections::BTreeMap;

use dormouse_domain::{CommandId, Offset, Version};
use dormouse_persistence::{MemoryDisk, Snapshot, Store, StoreError};

use crate::client::{Client, check_gapless, read, stream};
use crate::suite::{indexes_never, indexes_soon};

type Rows = BTreeMap<Vec<u8>, Vec<u8>>;

/// A closed disk with ten segments of two events each.
fn ten_segments() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    for _ in 0..10 {
        client.append(&writer, &["one", "two"], Some(CommandId::now()));
    }
    store.close().unwrap();
    disk
}

/// A closed disk with one stream of one-event commits, indexed up to this offset at least.
fn indexed_up_to(offset: u64) -> MemoryDisk {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, indexes_soon()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    while store.statistics().indexed < Offset::new(offset) {
        client.durable(&writer, &["one"]);
    }
    store.close().unwrap();
    disk
}

fn opening(disk: &MemoryDisk) -> StoreError {
    match Store::on_memory(disk, indexes_never()) {
        Err(error) => error,
        Ok(store) => panic!("it opened, with {:?}", store.statistics()),
    }
}

fn check_refused(edit: impl FnOnce(&mut Rows), expected: &str) {
    let disk = ten_segments();
    disk.edit_log(edit);
    let error = opening(&disk);
    assert!(error.to_string().contains(expected), "{error}");
    // A store that was refused is not left locked.
    assert_eq!(opening(&disk).to_string(), error.to_string());
}

fn key(rows: &Rows, segment: usize) -> Vec<u8> {
    rows.keys().nth(segment).unwrap().clone()
}

#[test]
fn any_flipped_byte_of_the_log_is_found() {
    let disk = ten_segments();
    let mut rows = Rows::new();
    disk.edit_log(|log| rows = log.clone());
    for (segment, (key, bytes)) in rows.iter().enumerate() {
        for at in 0..bytes.len() {
            let disk = MemoryDisk::new();
            disk.edit_log(|log| {
                *log = rows.clone();
                log.get_mut(key).unwrap()[at] ^= 1 << (at % 8);
            });
            let error = opening(&disk);
            let corrupt = matches!(&error, StoreError::Corrupt { place, .. }
                if place.ends_with(&format!("offset {}", segment * 2 + 1)));
            assert!(corrupt, "segment {segment}, byte {at}: {error}");
        }
    }
}

#[test]
fn any_segment_cut_short_is_found() {
    let disk = ten_segments();
    let mut rows = Rows::new();
    disk.edit_log(|log| rows = log.clone());
    let (key, bytes) = rows.iter().nth(4).unwrap();
    for len in 0..bytes.len() {
        let disk = MemoryDisk::new();
        disk.edit_log(|log| {
            *log = rows.clone();
            log.get_mut(key).unwrap().truncate(len);
        });
        assert!(
            matches!(opening(&disk), StoreError::Corrupt { .. }),
            "cut to {len} bytes"
        );
    }
}

#[test]
fn a_missing_segment_is_a_gap() {
    check_refused(
        |rows| drop(rows.remove(&key(rows, 3))),
        "a segment that begins at offset 7 is missing",
    );
    check_refused(
        |rows| drop(rows.remove(&key(rows, 0))),
        "a segment that begins at offset 1 is missing",
    );
}

#[test]
fn a_segment_in_anothers_place_is_found() {
    check_refused(
        |rows| {
            let copy = rows[&key(rows, 2)].clone();
            rows.insert(key(rows, 3), copy);
        },
        "the segment belongs elsewhere",
    );
}

/// Whole, with good checksums, in its place, but not the one that the next was written after.
#[test]
fn a_segment_of_another_history_breaks_the_chain() {
    let other = ten_segments();
    let mut foreign = Rows::new();
    other.edit_log(|rows| foreign = rows.clone());
    check_refused(
        |rows| {
            let key = key(rows, 3);
            rows.insert(key.clone(), foreign[&key].clone());
        },
        "its hash of the segment before is of another one",
    );
}

#[test]
fn a_log_that_lost_its_end_is_found_by_the_watermark() {
    let disk = ten_segments();
    disk.edit_log(|rows| drop(rows.pop_last()));
    let error = opening(&disk);
    let named = matches!(error, StoreError::LogShorterThanWatermark { log_end, watermark }
        if (log_end.get(), watermark.get()) == (18, 20));
    assert!(named, "{error}");
}

#[test]
fn a_log_that_lost_its_end_is_found_by_the_index() {
    let disk = indexed_up_to(10);
    disk.edit_log(|rows| rows.retain(|key, _| key[9] < 5));
    let error = opening(&disk);
    let named = matches!(error, StoreError::LogShorterThanIndex { log_end, indexed }
        if log_end.get() == 4 && indexed.get() >= 10);
    assert!(named, "{error}");
    disk.edit_log(Rows::clear);
    assert!(matches!(opening(&disk), StoreError::LogShorterThanIndex { .. }));
}

#[test]
fn a_log_that_is_not_the_one_indexed_is_found() {
    let known = [
        // By the watermark alone, and by the indexed position alone.
        (ten_segments(), ten_segments(), "the watermark"),
        (indexed_up_to(10), indexed_up_to(200), "the indexed position"),
    ];
    for (one, other, by) in known {
        let mut foreign = Rows::new();
        other.edit_log(|rows| foreign = rows.clone());
        // On another disk, so that no watermark helps.
        let indexed = by.contains("indexed");
        let disk = if indexed { MemoryDisk::new() } else { one.clone() };
        if indexed {
            for family in ["streams", "commands", "meta"] {
                one.edit_rows(family, |rows| disk.edit_rows(family, |copy| *copy = rows.clone()));
            }
        }
        disk.edit_log(|rows| *rows = foreign);
        let error = opening(&disk);
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
        assert!(
            error
                .to_string()
                .contains(&format!("it is not the segment that {by}")),
            "{error}"
        );
    }
}

#[test]
fn a_gap_in_the_rows_fails_the_reading() {
    let disk = indexed_up_to(30);
    // The stream's end is in the tail, whatever the indexer had time for.
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let client = Client::new(&store);
    client.durable(&client.open(&stream("a")), &["one"]);
    store.close().unwrap();
    let mut gone = 0;
    disk.edit_rows("streams", |rows| {
        let key = rows.keys().nth(2).unwrap().clone();
        gone = u64::from_be_bytes(*key.last_chunk().unwrap());
        rows.remove(&key);
    });
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let error = read(&store, &stream("a"), 1).unwrap_err();
    assert!(
        matches!(error, StoreError::StreamGap { expected, .. } if expected.get() == gone),
        "{error}"
    );
    // Also where the rows end before the tail begins.
    store.close().unwrap();
    disk.edit_rows("streams", Rows::clear);
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let error = read(&store, &stream("a"), 1).unwrap_err();
    assert!(
        matches!(error, StoreError::StreamGap { expected, .. } if expected.get() == 1),
        "{error}"
    );
    // Deleting what is derived heals it.
    store.close().unwrap();
    disk.delete_derived();
    check_gapless(&Store::on_memory(&disk, indexes_never()).unwrap());
}

#[test]
fn any_flipped_byte_of_a_row_is_found() {
    let disk = indexed_up_to(5);
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let mut row = Vec::new();
    disk.edit_rows("streams", |rows| row = rows.values().next().unwrap().clone());
    for at in 0..row.len() {
        disk.edit_rows("streams", |rows| {
            rows.values_mut().next().unwrap()[at] ^= 1 << (at % 8);
        });
        assert!(read(&store, &stream("a"), 1).is_err(), "byte {at}");
        disk.edit_rows("streams", |rows| *rows.values_mut().next().unwrap() = row.clone());
    }
    for len in 0..row.len() {
        disk.edit_rows("streams", |rows| rows.values_mut().next().unwrap().truncate(len));
        assert!(read(&store, &stream("a"), 1).is_err(), "cut to {len}");
        disk.edit_rows("streams", |rows| *rows.values_mut().next().unwrap() = row.clone());
    }
    check_gapless(&store);
}

#[test]
fn an_unreadable_snapshot_says_so() {
    let disk = ten_segments();
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let snapshot = Snapshot {
        version: Version::new(2),
        offset: Offset::new(2),
        fingerprint: 1,
        codec: Default::default(),
        newest_command: Some(CommandId::now()),
        time: Default::default(),
        payload: b"state".to_vec(),
    };
    store.put_snapshot(&stream("a"), &snapshot).unwrap();
    let mut row = Vec::new();
    disk.edit_rows("snapshots", |rows| row = rows.values().next().unwrap().clone());
    let unreadable = || {
        matches!(
            store.snapshot(&stream("a")),
            Err(StoreError::SnapshotUnreadable { .. })
        )
    };
    for at in 0..row.len() {
        disk.edit_rows("snapshots", |rows| {
            rows.values_mut().next().unwrap()[at] ^= 1 << (at % 8);
        });
        assert!(unreadable(), "byte {at}");
        disk.edit_rows("snapshots", |rows| rows.values_mut().next().unwrap().truncate(at));
        assert!(unreadable(), "cut to {at}");
        disk.edit_rows("snapshots", |rows| {
            *rows.values_mut().next().unwrap() = row.clone();
        });
    }
    assert_eq!(store.snapshot(&stream("a")).unwrap(), Some(snapshot));
}

#[test]
fn a_snapshot_beyond_the_logs_end_says_so() {
    let disk = ten_segments();
    let store = Store::on_memory(&disk, indexes_never()).unwrap();
    let at = |offset| Snapshot {
        version: Version::new(offset),
        offset: Offset::new(offset),
        fingerprint: 1,
        codec: Default::default(),
        newest_command: None,
        time: Default::default(),
        payload: Vec::new(),
    };
    store.put_snapshot(&stream("a"), &at(20)).unwrap();
    store.close().unwrap();
    let shorter = MemoryDisk::new();
    disk.edit_log(|rows| {
        let kept: Rows = rows
            .iter()
            .take(5)
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        shorter.edit_log(|rows| *rows = kept);
    });
    disk.edit_rows("snapshots", |rows| {
        let kept = rows.clone();
        shorter.edit_rows("snapshots", |rows| *rows = kept);
    });
    let store = Store::on_memory(&shorter, indexes_never()).unwrap();
    let error = store.snapshot(&stream("a")).unwrap_err();
    assert!(
        matches!(error, StoreError::SnapshotAhead { durable, .. } if durable.get() == 10),
        "{error}"
    );
}

#[test]
fn damaged_or_newer_meta_rows_are_named() {
    for (row, value, expected) in [
        (&b"format"[..], &b"xx"[..], "meta row: format"),
        // Format 9 with its checksum.
        (
            &b"format"[..],
            &format_row(9)[..],
            "the store has format 9, this version reads up to format 1",
        ),
        (
            &b"indexed/\0\0"[..],
            &[7; 28][..],
            "meta row: the indexed position",
        ),
    ] {
        let disk = indexed_up_to(5);
        disk.edit_rows("meta", |rows| {
            assert!(rows.insert(row.to_vec(), value.to_vec()).is_some());
        });
        let error = opening(&disk);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

fn format_row(format: u32) -> Vec<u8> {
    let mut row = format.to_le_bytes().to_vec();
    row.extend_from_slice(&crc32c::crc32c(&row).to_le_bytes());
    row
}
