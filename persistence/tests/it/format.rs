//! The bytes on disk, pinned: `tests/fixtures/format-1.txt` holds every row of a small store, in hex. It must be
//! written in the same way for as long as the format is 1, and be readable for ever.
//!
//! After a change of format: a new fixture beside it, never another one in its place. To write a missing one, run
//! this test with `DORMOUSE_WRITE_FIXTURE=1`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::PathBuf;

use dormouse_domain::{
    Clock, Codec, CommandFingerprint, CommandId, Metadata, Offset, SchemaVersion, Timestamp, Version,
};
use dormouse_persistence::{CommitBuilder, MemoryDisk, Snapshot, Store, StoreOptions};
use uuid::Uuid;

use crate::client::{Client, Note, Seen, eventually, stream};

const FAMILIES: [&str; 4] = ["streams", "commands", "snapshots", "meta"];
const TIME: Timestamp = Timestamp::from_micros(1_700_000_000_000_001);

fn command() -> CommandId {
    CommandId::from(Uuid::from_u128(0x018b_cfe5_6800_7000_8000_0000_0000_0abc))
}

/// Three segments: two are indexed, the last is in the tail.
fn write() -> MemoryDisk {
    let disk = MemoryDisk::new();
    let clock = Clock::held(TIME);
    let options = StoreOptions::default().generation_bytes(430).clock(clock.clone());
    let store = Store::on_memory(&disk, options).unwrap();
    let client = Client::new(&store);
    let (first, second) = (client.open(&stream("acc-1")), client.open(&stream("ä")));

    let mut builder = CommitBuilder::new(&stream("acc-1"), Version::new(1));
    builder
        .event(&Note::Added { text: "one".into() }, Codec::Bincode)
        .unwrap();
    builder
        .event(&Note::Added { text: "two".into() }, Codec::Json)
        .unwrap();
    let fingerprint = CommandFingerprint {
        name: 0x0102_0304,
        version: SchemaVersion::new(5),
        fields: 0x0607_0809_0a0b_0c0d,
    };
    let reply = b"reply";
    builder
        .command(command(), fingerprint, Codec::Bincode, reply)
        .unwrap();
    let correlation = Some(Uuid::from_u128(0x11));
    builder.metadata(&Metadata {
        correlation,
        ..Metadata::default()
    });
    store.submit(&first, builder.finish().unwrap(), client.ticket(0));
    client.settled();

    clock.set_wall(Timestamp::from_micros(TIME.as_micros() + 1));
    let mut builder = CommitBuilder::new(&stream("ä"), Version::new(1));
    builder.system_event("timer set", b"noon").unwrap();
    store.submit(&second, builder.finish().unwrap(), client.ticket(0));
    client.settled();
    eventually("two segments are indexed", || {
        store.statistics().indexed == Offset::new(3)
    });

    client.durable(&first, &["three"]);
    store.put_snapshot(&stream("acc-1"), &snapshot()).unwrap();
    store.close().unwrap();
    disk
}

fn snapshot() -> Snapshot {
    Snapshot {
        version: Version::new(3),
        offset: Offset::new(4),
        fingerprint: 0x1122_3344_5566_7788,
        codec: Codec::Json,
        newest_command: Some(command()),
        time: TIME,
        payload: b"{}".to_vec(),
    }
}

fn dump(disk: &MemoryDisk) -> String {
    let mut text = String::new();
    let mut line = |family: &str, rows: &BTreeMap<Vec<u8>, Vec<u8>>| {
        for (key, value) in rows {
            writeln!(text, "{family} {} {}", hex(key), hex(value)).unwrap();
        }
    };
    disk.edit_log(|rows| line("log", rows));
    for family in FAMILIES {
        disk.edit_rows(family, |rows| line(family, rows));
    }
    text
}

fn load(text: &str) -> MemoryDisk {
    let disk = MemoryDisk::new();
    for line in text.lines() {
        let parts: Vec<&str> = line.split(' ').collect();
        let (key, value) = (bytes(parts[1]), bytes(parts[2]));
        match parts[0] {
            "log" => disk.edit_log(|rows| drop(rows.insert(key, value))),
            family => disk.edit_rows(family, |rows| drop(rows.insert(key, value))),
        }
    }
    disk
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len() / 2)
        .map(|i| u8::from_str_radix(&hex[2 * i..2 * i + 2], 16).unwrap())
        .collect()
}

fn fixture() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/format-1.txt")
}

#[test]
fn bytes_are_written_as_format_1_has_them() {
    let written = dump(&write());
    if std::env::var_os("DORMOUSE_WRITE_FIXTURE").is_some() && !fixture().exists() {
        std::fs::write(fixture(), &written).unwrap();
    }
    let expected = std::fs::read_to_string(fixture()).unwrap();
    for (written, expected) in written.lines().zip(expected.lines()) {
        assert_eq!(written, expected);
    }
    assert_eq!(written.lines().count(), expected.lines().count());
}

#[test]
fn a_store_of_format_1_opens_and_says_what_was_written() {
    let text = std::fs::read_to_string(fixture()).unwrap();
    check_old_store(
        &Store::on_memory(&load(&text), StoreOptions::default()).unwrap(),
        true,
    );
    let without_derived = load(&text);
    without_derived.delete_derived();
    check_old_store(
        &Store::on_memory(&without_derived, StoreOptions::default()).unwrap(),
        false,
    );
}

fn check_old_store(store: &Store, with_snapshot: bool) {
    let event = |id: &str, version, offset, text: &str| Seen {
        stream: id.into(),
        version,
        offset,
        text: text.into(),
    };
    let mut notes = Vec::new();
    let mut commands = Vec::new();
    store
        .read_log(Offset::new(1), &mut |commit| {
            commands.extend(
                commit
                    .command()
                    .map(|command| (command.id, command.reply.to_vec())),
            );
            if commit.id() == "acc-1" {
                notes.extend(crate::client::seen(commit));
            } else {
                let event = commit.events().next().unwrap();
                assert!(event.system && event.payload == b"noon" && commit.time() > TIME);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let expected = [
        event("acc-1", 1, 1, "one"),
        event("acc-1", 2, 2, "two"),
        event("acc-1", 3, 4, "three"),
    ];
    assert_eq!(notes, expected);
    assert_eq!(
        crate::client::read(store, &stream("acc-1"), 1).unwrap(),
        (expected.to_vec(), Version::new(3))
    );
    assert_eq!(store.head(&stream("ä")).unwrap(), Version::new(1));
    assert_eq!(commands, [(command(), b"reply".to_vec())]);
    assert_eq!(
        store.find_command(&stream("acc-1"), command()).unwrap(),
        Some(Version::new(1))
    );
    let mut correlation = None;
    store
        .read_commit(&stream("acc-1"), Version::new(1), &mut |commit| {
            correlation = commit.metadata().unwrap().correlation;
        })
        .unwrap();
    assert_eq!(correlation, Some(Uuid::from_u128(0x11)));
    assert_eq!(
        store.snapshot(&stream("acc-1")).unwrap(),
        with_snapshot.then(snapshot)
    );
    // And it goes on.
    let client = Client::new(store);
    client.durable(&client.open(&stream("acc-1")), &["four"]);
}
