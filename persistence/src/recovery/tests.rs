//! What opening makes of a log, and what it refuses.

use super::*;
use crate::engine::Disk;
use crate::engine::memory::MemoryDisk;
use crate::format::segment::Header;
use dormouse_domain::{AggregateType, StreamId, Timestamp, Version};
use std::sync::Arc;

/// Segments of one commit each.
fn write_log(disk: &MemoryDisk, segments: u64) {
    let opened = disk.open(&StoreOptions::default()).unwrap();
    let stream = StreamId::new(AggregateType::from_static("t"), "a".try_into().unwrap());
    let mut previous = 0;
    for number in 1..=segments {
        let mut commit = crate::CommitBuilder::new(&stream, Version::new(number));
        commit.system_event("event", &[7; 100]).unwrap();
        let mut bytes = vec![0; segment::HEADER_BYTES];
        bytes.extend_from_slice(&commit.finish().unwrap().bytes);
        let header = Header {
            shard: ShardId::new(0),
            epoch: 1,
            batch: number,
            first: Offset::new(number),
            time: Timestamp::from_micros(number),
            previous,
            events: 1,
            commits: 1,
        };
        segment::seal(&mut bytes, &header);
        previous = segment::hash(&bytes);
        opened
            .engine
            .append_log(&keys::log(header.shard, header.first), &bytes)
            .unwrap();
    }
    opened.engine.close().unwrap();
}

#[test]
fn a_long_log_is_rebuilt_in_bounded_memory() {
    let disk = MemoryDisk::new();
    write_log(&disk, 500);
    let options = StoreOptions::default()
        .generation_bytes(2_000)
        .tail_bytes_max(8_000);
    let opened = disk.open(&options).unwrap();
    let recovered = recover(&opened, &options).unwrap();
    assert!(
        recovered.tail.bytes() <= 8_000,
        "{} bytes",
        recovered.tail.bytes()
    );
    assert!(
        recovered.tail.bytes() > 4_000,
        "what fits is not indexed: {} bytes",
        recovered.tail.bytes()
    );
    assert_eq!(recovered.log_end.offset(), Offset::new(500));
    let indexed = derived_state(&*opened.engine, ShardId::new(0)).unwrap();
    assert_eq!(indexed.offset, recovered.tail.indexed());
    assert!(indexed.offset > Offset::new(450), "{indexed:?}");
}

#[test]
fn only_what_must_be_is_verified() {
    let disk = MemoryDisk::new();
    write_log(&disk, 50);
    let options = StoreOptions::default()
        .generation_bytes(2_000)
        .tail_bytes_max(4_000);
    let opened = disk.open(&options).unwrap();
    let indexed = recover(&opened, &options).unwrap().tail.indexed().get();
    assert!(indexed > 20);
    // Damage in the part that is indexed and came from no WAL is not looked for on opening.
    disk.edit_log(|rows| rows.values_mut().nth(3).unwrap()[90] ^= 1);
    let engine = Arc::clone(&opened.engine);
    let from = |offset| Opened {
        engine: Arc::clone(&engine),
        watermark: None,
        verify_from: Offset::new(offset),
    };
    let mut tail_bytes = None;
    for (verify_from, sound) in [
        (1, false),
        (4, false),
        (5, false),
        (6, true),
        (50, true),
        (51, true),
    ] {
        let recovered = recover(&from(verify_from), &options);
        assert_eq!(recovered.is_ok(), sound, "from {verify_from}");
        if let Ok(recovered) = recovered {
            assert_eq!(recovered.log_end.offset(), Offset::new(50));
            assert!(recovered.tail.indexed().get() >= indexed);
            // what is indexed is verified, and not taken into the tail again
            let list = recovered.tail.list();
            assert_eq!(list.after(), recovered.tail.indexed());
            assert_eq!(
                *tail_bytes.get_or_insert(recovered.tail.bytes()),
                recovered.tail.bytes()
            );
        }
    }
}

const LAST: LogEnd = LogEnd {
    epoch: 5,
    batch: 7,
    last: Offset::new(20),
    hash: 9,
    time: Timestamp::from_micros(100),
};

/// One that may follow `LAST`.
const NEXT: Header = Header {
    shard: ShardId::FIRST,
    epoch: 5,
    batch: 8,
    first: Offset::new(21),
    time: Timestamp::from_micros(100),
    previous: 9,
    events: 1,
    commits: 1,
};

#[test]
fn a_segment_follows_only_the_one_before_it() {
    assert!(follows(&LAST, &NEXT).is_ok());
    let later = Header {
        epoch: 6,
        time: Timestamp::from_micros(101),
        ..NEXT
    };
    assert!(follows(&LAST, &later).is_ok());
    let first = |first| Header {
        first: Offset::new(first),
        ..NEXT
    };
    let earlier = Timestamp::from_micros(99);
    for (header, problem) in [
        (first(22), "has a gap"),
        (first(20), "begins before"),
        (Header { previous: 8, ..NEXT }, "hash"),
        (Header { batch: 7, ..NEXT }, "batch number"),
        (Header { batch: 9, ..NEXT }, "batch number"),
        (Header { epoch: 4, ..NEXT }, "epoch"),
        (
            Header {
                time: earlier,
                ..NEXT
            },
            "time",
        ),
    ] {
        let error = follows(&LAST, &header).unwrap_err().to_string();
        assert!(error.contains(problem), "{problem}: {error}");
    }
}

#[test]
fn a_segment_holds_as_many_commits_and_events_as_it_says() {
    let stream = StreamId::new(AggregateType::from_static("t"), "a".try_into().unwrap());
    let mut commit = crate::CommitBuilder::new(&stream, Version::new(1));
    commit.system_event("event", &[]).unwrap();
    let body = commit.finish().unwrap().bytes;
    assert_eq!(placed(&NEXT, &body).unwrap().len(), 1);
    assert!(placed(&Header { commits: 2, ..NEXT }, &body).is_err());
    assert!(placed(&Header { events: 2, ..NEXT }, &body).is_err());
}

#[test]
fn progress_is_told_now_and_then_and_at_the_end() {
    let told = Arc::<parking_lot::Mutex<Vec<(u64, u64)>>>::default();
    let telling = Arc::clone(&told);
    let options = StoreOptions::default()
        .progress(move |progress| telling.lock().push((progress.from.get(), progress.at.get())));
    let mut report = Report::new(&options, Offset::new(5));
    for (at, bytes) in [
        (1, PROGRESS_BYTES - 1),
        (2, 1),
        (3, 1),
        (4, PROGRESS_BYTES - 2),
        (5, 0),
    ] {
        report.read(Offset::new(at), bytes);
    }
    assert_eq!(*told.lock(), [(1, 2), (1, 5)]);
}
