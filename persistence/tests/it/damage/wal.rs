//! Damage to a write-ahead file: torn ends, flipped bits, cuts.

use std::fs;
use std::path::{Path, PathBuf};

use dormouse_persistence::{CommitBuilder, Settlement, StoreError, StoreOptions};

use super::{COMMITS, END, Left, copy, edit, files, fill, newest_wal, open, refused, written};
use crate::child::noise;
use crate::client::{Client, eventually, stream};
use crate::disk::Directory;
use crate::suite::{Place, indexes_never};

/// RocksDB writes a WAL in blocks, and each record, or its part in a block, after a header.
const BLOCK_BYTES: usize = 32_768;
const HEADER_BYTES: usize = 7;

/// Where each record of a WAL begins, read as RocksDB writes it; the file's length comes last.
pub(super) fn record_starts(wal: &[u8]) -> Vec<usize> {
    let (mut starts, mut at) = (Vec::new(), 0);
    while at + HEADER_BYTES <= wal.len() {
        let left = BLOCK_BYTES - at % BLOCK_BYTES;
        if left < HEADER_BYTES {
            at += left;
            continue;
        }
        if matches!(wal[at + 6], 1 | 2) {
            starts.push(at);
        }
        at += HEADER_BYTES + usize::from(u16::from_le_bytes([wal[at + 4], wal[at + 5]]));
    }
    starts.push(wal.len());
    starts
}

/// Damage of the last record, by cutting it off or by spoiling it.
fn spoil_last(directory: &Directory, change: impl Fn(&mut Vec<u8>, usize)) {
    edit(&newest_wal(directory), |bytes| {
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

/// Checksums have no key: a payload may hold whole records of a write-ahead file, another store's for example.
#[test]
fn a_torn_tail_is_dropped_whatever_its_payload_looks_like() {
    let other = written(Left::Crashed, indexes_never());
    let other = fs::read(newest_wal(&other)).unwrap();
    // The first record, and more that does not pack: what packs is not found by its bytes.
    let record = &other[..record_starts(&other)[1]];
    let payload = [record, &noise(41_000).as_bytes()[1_000..]].concat();
    let directory = Directory::new();
    {
        let store = directory
            .open(indexes_never().watermark_every_ms(3_600_000))
            .unwrap();
        fill(&store);
        let client = Client::new(&store);
        let writer = client.open(&stream("hostile"));
        let mut commit = CommitBuilder::new(writer.stream(), writer.head().next());
        commit.system_event("blob", &payload).unwrap();
        store.submit(&writer, commit.finish().unwrap(), client.ticket(0));
        assert!(matches!(client.settled().settlement, Settlement::Durable { .. }));
    }
    let wal = fs::read(newest_wal(&directory)).unwrap();
    let last = record_starts(&wal)[COMMITS as usize];
    assert!(wal.len() - last > payload.len(), "it is stored as it is");
    for cut in (last + 1..wal.len()).step_by(10_007) {
        let copied = Directory::new();
        copy(directory.path(), copied.path());
        edit(&newest_wal(&copied), |bytes| bytes.truncate(cut));
        let events = open(&copied).unwrap_or_else(|error| panic!("cut at {cut}: {error}"));
        assert_eq!(events.len() as u64, END, "cut at {cut}");
    }
    // A page of it that never reached the disk.
    for page in (last / 4096 + 1..wal.len() / 4096).step_by(4) {
        let copied = Directory::new();
        copy(directory.path(), copied.path());
        edit(&newest_wal(&copied), |bytes| {
            bytes[page * 4096..][..4096].fill(0);
        });
        let events = open(&copied).unwrap_or_else(|error| panic!("page {page}: {error}"));
        assert_eq!(events.len() as u64, END, "page {page}");
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
        assert_eq!(*file, newest_wal(&directory), "{name}");
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
        ("a zeroed header", |bytes, at| {
            bytes[at..at + HEADER_BYTES].fill(0);
        }),
        ("a zeroed sector", |bytes, at| bytes[at + 100..at + 612].fill(0)),
    ];
    for left in [Left::Crashed, Left::Closed] {
        for (name, change) in changes {
            for record in [0, 1, 20, COMMITS as usize - 2] {
                let directory = written(left, indexes_never());
                let mut expected_at = 0;
                edit(&newest_wal(&directory), |bytes| {
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
                assert_eq!(
                    (file, *at),
                    (&newest_wal(&directory), expected_at as u64),
                    "{name}"
                );
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
    edit(&newest_wal(&directory), |bytes| bytes[..BLOCK_BYTES].fill(0));
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
    edit(&newest_wal(&directory), |bytes| {
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
