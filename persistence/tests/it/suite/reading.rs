//! What was written is read back: streams, the log, commands, snapshots.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dormouse_domain::{Codec, CommandId, Metadata, Offset, ShardId, Timestamp, Version};
use dormouse_persistence::{CommitBuilder, Settlement, Snapshot, StoreError, StoreOptions};
use uuid::Uuid;

use super::{Place, indexes_never, indexes_soon};
use crate::client::{Client, check_gapless, eventually, log, read, seen, stream, texts};

pub fn a_commit_is_read_back_as_it_was_written(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let (stream, id) = (stream("a"), CommandId::now());
    let writer = client.open(&stream);
    let metadata = Metadata {
        correlation: Some(Uuid::from_u128(7)),
        ..Metadata::default()
    };
    let mut builder = CommitBuilder::new(&stream, Version::new(1));
    builder.system_event("timer", b"noon").unwrap();
    builder
        .event(&crate::client::Note::Added { text: "x".into() }, Codec::Json)
        .unwrap();
    let fingerprint = dormouse_domain::CommandFingerprint {
        name: 1,
        version: Default::default(),
        fields: 2,
    };
    builder
        .command(id, fingerprint, Codec::Json, "the reply")
        .unwrap();
    builder.metadata(&metadata);
    store.submit(&writer, builder.finish().unwrap(), client.ticket(9));
    let settled = client.settled();
    assert_eq!((settled.key, settled.last_version), (9, Version::new(2)));
    let Settlement::Durable { first, time } = settled.settlement else {
        panic!("{settled:?}")
    };
    assert_eq!((first.shard, first.offset), (ShardId::new(0), Offset::new(1)));

    let mut visited = 0;
    let reached = store.read_stream(&stream, Version::new(1), &mut |commit| {
        visited += 1;
        assert_eq!((commit.stream(), commit.time()), (stream.clone(), time));
        assert_eq!(
            (commit.first_version(), commit.last_version()),
            (Version::new(1), Version::new(2))
        );
        assert_eq!((commit.position(), commit.last_offset()), (first, Offset::new(2)));
        let command = commit.command().unwrap();
        assert_eq!(
            (command.id, command.fingerprint, command.codec),
            (id, fingerprint, Codec::Json)
        );
        assert_eq!(command.reply, b"\"the reply\"");
        assert_eq!(commit.metadata().unwrap(), metadata);
        let events: Vec<_> = commit.events().collect();
        assert_eq!(
            (events[0].name, events[0].payload, events[0].system),
            ("timer", &b"noon"[..], true)
        );
        assert_eq!(
            (events[1].name, events[1].codec, events[1].system),
            ("Added", Codec::Json, false)
        );
        assert_eq!(events[1].payload, br#"{"text":"x"}"#);
        assert_eq!(
            (events[1].version, events[1].offset),
            (Version::new(2), Offset::new(2))
        );
        ControlFlow::Continue(())
    });
    assert_eq!((visited, reached.unwrap().version()), (1, Version::new(2)));
}

pub fn a_stream_is_read_from_any_version(place: &dyn Place) {
    // Rows of several commits, many rows of one stream, and the tail.
    let store = place
        .open(StoreOptions::default().generation_bytes(400_000))
        .unwrap();
    let client = Client::new(&store);
    let hot = stream("hot");
    let writer = client.open(&hot);
    let text = "x".repeat(500);
    let id = CommandId::now();
    for commit in 0..1_000_u64 {
        client.submit(
            &writer,
            &[&text, &text, &text],
            (commit == 10).then_some(id),
            commit,
        );
    }
    let settled: Vec<_> = (0..1_000).map(|_| client.settled().key).collect();
    assert!(settled.is_sorted(), "settled in the order of submission");
    eventually("some of it is indexed", || {
        store.statistics().indexed > Offset::new(1_000)
    });
    for from in [
        0_u64, 1, 2, 3, 4, 700, 701, 702, 1_498, 2_000, 2_998, 3_000, 3_001, 9_000,
    ] {
        let (events, head) = read(&store, &hot, from).unwrap();
        assert_eq!(head, Version::new(3_000), "from {from}");
        let first = from.max(1).saturating_sub(1) / 3 * 3 + 1;
        let expected: Vec<u64> = (first..=3_000).collect();
        assert_eq!(
            events.iter().map(|event| event.version).collect::<Vec<_>>(),
            expected,
            "from {from}"
        );
    }
    for (version, begins) in [
        (1, true),
        (2, false),
        (31, true),
        (1_000, true),
        (2_998, true),
        (3_001, false),
    ] {
        let mut found = None;
        let there = store
            .read_commit(&hot, Version::new(version), &mut |commit| {
                found = Some(seen(commit));
            })
            .unwrap();
        assert_eq!(there, begins, "version {version}");
        assert_eq!(found.map(|events| events[0].version), begins.then_some(version));
    }
    assert_eq!(store.find_command(&hot, id).unwrap(), Some(Version::new(31)));
    assert_eq!(read(&store, &stream("none"), 1).unwrap(), (vec![], Version::NONE));
}

pub fn streams_whose_names_begin_alike_do_not_mix(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let ids = ["a", "aa", "a/b", "ab", "b", "ä", "a a", "A"];
    for id in ids {
        let writer = client.open(&stream(id));
        for _ in 0..4 {
            client.durable(&writer, &[id]);
        }
    }
    let filler = client.open(&stream("filler"));
    let end = store.durable();
    while store.statistics().indexed < end {
        client.durable(&filler, &["filler"]);
    }
    for id in ids {
        assert_eq!(texts(&store, &stream(id)), vec![id; 4]);
    }
    assert_eq!(store.head(&stream("a b")).unwrap(), Version::NONE);
}

pub fn commands_are_found_in_the_tail_in_the_index_and_after_restarts(place: &dyn Place) {
    let mut ids = Vec::new();
    for round in 0..4 {
        let store = place.open(indexes_soon()).unwrap();
        let client = Client::new(&store);
        for name in ["a", "b"] {
            let writer = client.open(&stream(name));
            for _ in 0..10 {
                let id = if round % 2 == 0 {
                    CommandId::now()
                } else {
                    CommandId::from_key(&format!("{round} {name} {}", ids.len()))
                };
                let version = writer.head().next();
                client.append(&writer, &["x", "y"], Some(id));
                ids.push((name, id, version));
                // Found from the moment it is durable.
                assert_eq!(store.find_command(&stream(name), id).unwrap(), Some(version));
            }
        }
        for (name, id, version) in &ids {
            assert_eq!(store.find_command(&stream(name), *id).unwrap(), Some(*version));
            let other = if *name == "a" { "b" } else { "a" };
            assert_eq!(
                store.find_command(&stream(other), *id).unwrap(),
                None,
                "ids are per stream"
            );
        }
        assert_eq!(store.find_command(&stream("a"), CommandId::now()).unwrap(), None);
        assert!(store.statistics().runs_indexed > 0);
        if round == 1 {
            store.close().unwrap();
        }
    }
}

pub fn the_newest_snapshot_is_kept(place: &dyn Place) {
    let stream = stream("a");
    let snapshot = |version, offset, newest_command| Snapshot {
        version: Version::new(version),
        offset: Offset::new(offset),
        fingerprint: 77,
        codec: Codec::Json,
        newest_command,
        time: Timestamp::from_micros(5),
        payload: vec![1, 2, 3],
    };
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    assert_eq!(store.snapshot(&stream).unwrap(), None);
    let ahead = store.put_snapshot(&stream, &snapshot(1, 1, None)).unwrap_err();
    assert!(
        matches!(ahead, StoreError::SnapshotAhead { offset, .. } if offset == Offset::new(1)),
        "{ahead}"
    );
    assert_eq!(store.snapshot(&stream).unwrap(), None);
    let writer = client.open(&stream);
    client.durable(&writer, &["one"]);
    client.durable(&writer, &["two"]);
    let newer = snapshot(2, 2, Some(CommandId::now()));
    store.put_snapshot(&stream, &snapshot(1, 1, None)).unwrap();
    store.put_snapshot(&stream, &newer).unwrap();
    assert_eq!(store.snapshot(&stream).unwrap(), Some(newer.clone()));
    store.close().unwrap();
    drop((store, writer, client));
    let store = place.open(indexes_never()).unwrap();
    assert_eq!(store.snapshot(&stream).unwrap(), Some(newer));
}

pub fn the_log_is_read_from_any_offset(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    assert_eq!(
        store
            .read_log(Offset::new(1), &mut |_| panic!("nothing is there"))
            .unwrap(),
        Offset::NONE
    );
    for _ in 0..20 {
        client.durable(&writer, &["one", "two", "three"]);
    }
    for from in [0_u64, 1, 2, 3, 4, 30, 58, 60] {
        let first = from.max(1).saturating_sub(1) / 3 * 3 + 1;
        let offsets: Vec<u64> = log(&store, from)
            .unwrap()
            .0
            .iter()
            .map(|event| event.offset)
            .collect();
        assert_eq!(offsets, (first..=60).collect::<Vec<_>>(), "from {from}");
    }
    assert_eq!(
        store
            .read_log(Offset::new(61), &mut |_| panic!("it ends before"))
            .unwrap(),
        Offset::new(60)
    );
    let stopped = store
        .read_log(Offset::new(7), &mut |_| ControlFlow::Break(()))
        .unwrap();
    assert_eq!(stopped, Offset::new(9), "one commit of three");
}

/// Readers run while the journal writes and the indexer takes generation after generation off the tail: every
/// reading is whole, and never shorter than what was durable before it began.
pub fn readers_never_see_a_gap_while_the_indexer_works(place: &dyn Place) {
    let store = place
        .open(
            StoreOptions::default()
                .generation_bytes(3_000)
                .tail_bytes_max(20_000),
        )
        .unwrap();
    let (written, done) = ([const { AtomicU64::new(0) }; 3], AtomicBool::new(false));
    let ids = ["a", "b", "c"];
    std::thread::scope(|scope| {
        for reader in 0..2 {
            let (store, written, done) = (&store, &written, &done);
            scope.spawn(move || {
                let mut turn = reader;
                while !done.load(Ordering::Acquire) {
                    turn = (turn + 1) % ids.len();
                    let known = written[turn].load(Ordering::Acquire);
                    let from = 1 + known.saturating_sub(40 * turn as u64);
                    let (events, head) = read(store, &stream(ids[turn]), from).unwrap();
                    assert!(head.get() >= known, "read {head}, {known} were durable before");
                    if from <= head.get() {
                        let versions: Vec<_> = events.iter().map(|event| event.version).collect();
                        let first = versions[0];
                        assert!(first <= from);
                        assert_eq!(versions, (first..=head.get()).collect::<Vec<_>>());
                    }
                    assert!(store.head(&stream(ids[turn])).unwrap() >= head);
                    // What is announced as durable can be read.
                    let durable = store.durable().get();
                    let heads = ids.map(|id| store.head(&stream(id)).unwrap().get());
                    assert!(
                        heads.iter().sum::<u64>() >= durable,
                        "{heads:?}, {durable} were durable before"
                    );
                }
            });
        }
        let client = Client::new(&store);
        let writers: Vec<_> = ids.iter().map(|id| client.open(&stream(id))).collect();
        for _ in 0..600 {
            for (n, writer) in writers.iter().enumerate() {
                client.durable(writer, &["text", "text"]);
                written[n].store(writer.head().get(), Ordering::Release);
            }
        }
        done.store(true, Ordering::Release);
    });
    assert!(
        store.statistics().runs_indexed > 20,
        "the indexer had work: {:?}",
        store.statistics()
    );
    check_gapless(&store);
}
