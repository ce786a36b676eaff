//! What every store does, wherever it keeps its bytes: `suite!` runs each of these against a place.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use dormouse_domain::{Clock, Codec, CommandId, Metadata, Offset, ShardId, Timestamp, Version};
use dormouse_persistence::{
    CommitBuilder, Health, NotCommitted, OpenProgress, Settlement, Snapshot, Store, StoreError, StoreOptions,
};
use uuid::Uuid;

use crate::client::{
    Client, check_gapless, commit, eventually, follow, log, read, seen, stream, texts, wait, wait_during,
};

/// Where a store lives over restarts.
pub trait Place {
    fn open(&self, options: StoreOptions) -> Result<Store, StoreError>;
    /// Deletes what is derived. The store is closed.
    fn delete_derived(&self);
}

/// Everything is indexed soon: a generation is a few commits.
pub fn indexes_soon() -> StoreOptions {
    StoreOptions::default()
        .generation_bytes(500)
        .tail_bytes_max(4_000)
}

/// Nothing is indexed.
pub fn indexes_never() -> StoreOptions {
    StoreOptions::default()
}

fn crash(client: Client) {
    // Dropping a store without closing it is a crash.
    drop(client);
}

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

pub fn versions_and_offsets_go_on_without_gaps_after_restarts_and_crashes(place: &dyn Place) {
    for round in 0..6 {
        let store = place.open(indexes_soon()).unwrap();
        let client = Client::new(&store);
        check_gapless(&store);
        for id in ["a", "b", "c"] {
            let writer = client.open(&stream(id));
            for _ in 0..5 {
                let expected = store.durable().next();
                assert_eq!(client.durable(&writer, &["one", "two"]), expected);
            }
        }
        let events = check_gapless(&store);
        assert_eq!(events.len(), (round + 1) * 30);
        if round % 2 == 0 {
            store.close().unwrap();
        }
        drop(store);
        crash(client);
    }
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

pub fn a_commit_that_does_not_follow_the_head_is_stale(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    // In one batch with good ones, before and behind.
    client.submit(&writer, &["one"], None, 1);
    for (key, version) in [(2, 1), (3, 3), (4, 0), (5, u64::MAX / 2)] {
        let commit = commit(&stream, Version::new(version), &["stale"], None);
        store.submit(&writer, commit, client.ticket(key));
    }
    client.submit(&writer, &["two"], None, 6);
    for key in 1..=6 {
        let settled = client.settled();
        assert_eq!(settled.key, key, "settled in the order of submission");
        let stale = Settlement::NotDone(NotCommitted::Stale {
            head: Version::new(1),
        });
        match key {
            1 | 6 => assert!(
                matches!(settled.settlement, Settlement::Durable { .. }),
                "{settled:?}"
            ),
            _ => assert_eq!(settled.settlement, stale),
        }
    }
    // A commit of another stream never goes in under this one's head.
    let other = commit(&crate::client::stream("b"), Version::new(3), &["other"], None);
    store.submit(&writer, other, client.ticket(7));
    assert!(matches!(
        client.settled().settlement,
        Settlement::NotDone(NotCommitted::Stale { .. })
    ));
    assert_eq!(texts(&store, &stream), ["one", "two"]);
    assert_eq!(store.statistics().stale_commits, 5);
    check_gapless(&store);
}

pub fn a_stream_has_one_writer(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let before = store
        .read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    let writer = store.open_stream(&stream, before).unwrap();
    assert!(matches!(
        store.open_stream(&stream, before),
        Err(StoreError::StreamHeld { .. })
    ));
    client.durable(&writer, &["one"]);
    drop(writer);
    // In the tail, the head is known exactly.
    let error = store.open_stream(&stream, before).unwrap_err();
    assert!(
        matches!(error, StoreError::StaleVersion { head, .. } if head == Version::new(1)),
        "{error}"
    );
    // What has left the tail may have been anything.
    let filler = client.open(&crate::client::stream("filler"));
    while store.statistics().indexed == Offset::NONE {
        client.durable(&filler, &["filler"]);
    }
    assert!(store.open_stream(&stream, before).is_err());
    // Who stopped reading early does not know the head.
    let partial = store
        .read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Break(()))
        .unwrap();
    assert!(store.open_stream(&stream, partial).is_err());
    let writer = client.open(&stream);
    client.durable(&writer, &["two"]);
    assert_eq!(texts(&store, &stream), ["one", "two"]);
}

pub fn a_read_that_is_too_old_opens_nothing(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let old = store
        .read_stream(&stream, Version::new(1), &mut |_| ControlFlow::Continue(()))
        .unwrap();
    client.durable(&client.open(&stream), &["one"]);
    let filler = client.open(&crate::client::stream("filler"));
    while store.statistics().indexed == Offset::NONE {
        client.durable(&filler, &["filler"]);
    }
    let error = store.open_stream(&stream, old).unwrap_err();
    assert!(matches!(error, StoreError::ReadOutdated { .. }), "{error}");
    assert_eq!(client.open(&stream).head(), Version::new(1));
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

pub fn times_never_step_back(place: &dyn Place) {
    let clock = Clock::held(Timestamp::from_micros(1_000));
    for wall in [1_000, 3_000, 2_000, 500, 4_000] {
        clock.set_wall(Timestamp::from_micros(wall));
        let store = place.open(indexes_soon().clock(clock.clone())).unwrap();
        let client = Client::new(&store);
        let writer = client.open(&stream("a"));
        client.durable(&writer, &["x"]);
        clock.set_wall(Timestamp::from_micros(wall - 100));
        client.durable(&writer, &["y"]);
    }
    let store = place.open(indexes_soon()).unwrap();
    let times: Vec<u64> = log(&store, 1)
        .unwrap()
        .1
        .iter()
        .map(|time| time.as_micros())
        .collect();
    assert_eq!(
        times,
        [
            1_000, 1_000, 3_000, 3_000, 3_000, 3_000, 3_000, 3_000, 4_000, 4_000
        ]
    );
}

pub fn deleting_what_is_derived_rebuilds_it(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let ids: Vec<_> = (0..50).map(|_| CommandId::now()).collect();
    for (n, id) in ids.iter().enumerate() {
        let writer = client.open(&stream(["a", "b", "c"][n % 3]));
        client.append(&writer, &["some", "text"], Some(*id));
    }
    let before = check_gapless(&store);
    store.close().unwrap();
    drop((client, store));

    place.delete_derived();
    let told = Arc::new(parking_lot::Mutex::new(Vec::<OpenProgress>::new()));
    let telling = Arc::clone(&told);
    let store = place
        .open(indexes_soon().progress(move |at| telling.lock().push(at)))
        .unwrap();
    let last = *told.lock().last().expect("progress is told");
    assert_eq!((last.at, last.end), (Offset::new(100), Offset::new(100)));
    assert_eq!(check_gapless(&store), before);
    for (n, id) in ids.iter().enumerate() {
        let found = store.find_command(&stream(["a", "b", "c"][n % 3]), *id).unwrap();
        assert_eq!(found, Some(Version::new(n as u64 / 3 * 2 + 1)));
    }
    let statistics = store.statistics();
    assert!(
        statistics.tail_bytes <= 8_000,
        "rebuilt in bounded memory: {}",
        statistics.tail_bytes
    );
    assert!(statistics.indexed > Offset::NONE);
    let client = Client::new(&store);
    client.durable(&client.open(&stream("a")), &["goes on"]);
    check_gapless(&store);
}

pub fn closing_writes_what_is_queued_and_ends_everything(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    for key in 0..100 {
        client.submit(&writer, &["x"], None, key);
    }
    store.close().unwrap();
    store.close().unwrap();
    for key in 0..100 {
        let settled = client.settled();
        assert_eq!(settled.key, key);
        assert!(matches!(settled.settlement, Settlement::Durable { .. }));
    }
    client.submit(&writer, &["late"], None, 100);
    assert!(matches!(
        client.settled().settlement,
        Settlement::NotDone(NotCommitted::Stopped { .. })
    ));
    client.no_more_settlements();
    assert!(matches!(store.health(), Health::Stopped { .. }));
    assert!(matches!(store.head(&stream), Err(StoreError::Closed)));
    assert!(matches!(store.snapshot(&stream), Err(StoreError::Closed)));
    assert!(matches!(store.reopen(), Err(StoreError::Closed)));
    assert!(store.has_space(), "nobody waits for a closed store");
    // Released although clones and a writer still live.
    let again = place.open(indexes_never()).unwrap();
    assert_eq!(again.head(&stream).unwrap(), Version::new(100));
}

pub fn a_place_is_open_once(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let error = place.open(indexes_never()).unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error}");
    store.close().unwrap();
    place.open(indexes_never()).unwrap();
}

pub fn reopening_in_process_makes_old_writers_stale(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    client.durable(&writer, &["one"]);
    assert_eq!(store.generation(), 1);
    store.reopen().unwrap();
    assert_eq!((store.generation(), store.health()), (2, Health::Healthy));
    let stale = Settlement::NotDone(NotCommitted::Stale {
        head: Version::new(1),
    });
    assert_eq!(client.append(&writer, &["late"], None), stale);
    assert_eq!(client.append(&writer, &["later"], None), stale, "for ever");
    // The old writer does not stand in the new one's way, nor does its end.
    let new = client.open(&stream);
    client.durable(&new, &["two"]);
    drop(writer);
    client.durable(&new, &["three"]);
    assert!(matches!(
        client.try_open(&stream),
        Err(StoreError::StreamHeld { .. })
    ));
    assert_eq!(texts(&store, &stream), ["one", "two", "three"]);
}

pub fn a_follower_is_told_of_what_is_durable_and_of_the_end(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    client.durable(&writer, &["one", "two"]);
    // What was there before anybody followed does not wait for the next commit.
    let mut follower = store.follow(Offset::NONE).unwrap();
    wait(&mut follower).unwrap();
    assert_eq!(follow(&mut follower), [1, 2]);
    assert_eq!(follower.next(), Offset::new(3));
    assert!(follow(&mut follower).is_empty());
    let told = wait_during(&mut follower, || {
        client.durable(&writer, &["three"]);
    });
    told.unwrap();
    assert_eq!(follow(&mut follower), [3]);

    let reopened = wait_during(&mut follower, || {
        store.reopen().unwrap();
        client.durable(&client.open(&stream("a")), &["four"]);
    });
    reopened.unwrap();
    assert_eq!(follow(&mut follower), [4], "it survives reopening");
    let mut late = store.follow(Offset::new(2)).unwrap();
    wait(&mut late).unwrap();
    assert_eq!(
        follow(&mut late),
        [1, 2, 3, 4],
        "from the commit that holds the offset on"
    );

    let closed = wait_during(&mut follower, || store.close().unwrap());
    assert!(matches!(closed, Err(StoreError::Closed)));
    assert!(matches!(wait(&mut follower), Err(StoreError::Closed)));
    assert!(matches!(store.follow(Offset::NONE), Err(StoreError::Closed)));
}

/// More is written while a follower reads than it reads, so that the tail leaves it behind again and again; then it
/// catches up, from the engine into the tail.
pub fn a_follower_that_falls_behind_skips_and_repeats_nothing(place: &dyn Place) {
    let store = place.open(indexes_soon()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    client.durable(&writer, &["one", "two"]);
    let mut follower = store.follow(Offset::new(1)).unwrap();
    let (mut offsets, mut visits, mut behind) = (Vec::new(), 0, 0);
    while follower.next() <= store.durable() {
        follower
            .read(&mut |commit| {
                visits += 1;
                behind += u32::from(commit.last_offset() <= store.statistics().indexed);
                offsets.extend(commit.events().map(|event| event.offset.get()));
                for _ in 0..if visits <= 100 { 3 } else { 0 } {
                    client.durable(&writer, &["one", "two"]);
                }
                // It also stops now and then, and goes on from there.
                if visits % 7 == 0 {
                    ControlFlow::Break(())
                } else {
                    ControlFlow::Continue(())
                }
            })
            .unwrap();
    }
    assert_eq!(offsets, (1..=602).collect::<Vec<_>>());
    assert!(
        behind > 100,
        "it was behind the tail in {behind} of {visits} commits"
    );
}

/// Followers, quick and slow, while the journal writes and the indexer takes generation after generation off the tail.
pub fn followers_see_each_commit_once_and_in_order(place: &dyn Place) {
    const COMMITS: u64 = 1_500;
    let store = place
        .open(
            StoreOptions::default()
                .generation_bytes(2_000)
                .tail_bytes_max(8_000)
                .batch_commits_max(5),
        )
        .unwrap();
    std::thread::scope(|scope| {
        for slowness in [0, 1, 20] {
            let store = &store;
            scope.spawn(move || {
                let mut follower = store.follow(Offset::new(1)).unwrap();
                let mut expected = 1;
                while expected <= 3 * COMMITS {
                    wait(&mut follower).unwrap();
                    follower
                        .read(&mut |commit| {
                            assert_eq!(commit.first_offset().get(), expected);
                            assert_eq!(commit.first_version().get(), expected, "{:?}", commit.stream());
                            assert!(commit.last_offset() <= store.durable(), "it is durable");
                            expected += commit.event_count() as u64;
                            (0..slowness).for_each(|_| std::thread::yield_now());
                            ControlFlow::Continue(())
                        })
                        .unwrap();
                }
                assert_eq!(follower.next().get(), 3 * COMMITS + 1);
            });
        }
        let client = Client::new(&store);
        let writer = client.open(&stream("a"));
        for key in 0..COMMITS {
            client.submit(&writer, &["a", "b", "c"], None, key);
            if key % 50 == 49 {
                (0..50).for_each(|_| drop(client.settled()));
            }
        }
    });
    assert!(store.statistics().runs_indexed > 20, "{:?}", store.statistics());
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

/// Many threads, each with streams of its own: every submission settles once, in order, where it was stored.
pub fn many_clients_settle_once_and_in_order(place: &dyn Place) {
    let store = place
        .open(indexes_soon().tail_bytes_max(100_000).batch_commits_max(7))
        .unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let store = &store;
            scope.spawn(move || {
                let client = Client::new(store);
                let stream = stream(&format!("s{thread}"));
                let mut last = Version::NONE;
                for _ in 0..20 {
                    let writer = client.open(&stream);
                    let texts = |key: u64| &["x", "y", "z"][..=usize::try_from(key % 3).unwrap()];
                    for key in 0..25 {
                        client.submit(&writer, texts(key), None, key);
                    }
                    for key in 0..25 {
                        let settled = client.settled();
                        assert_eq!(settled.key, key);
                        let first = last.next();
                        last = last.plus(texts(key).len() as u64);
                        assert_eq!(settled.last_version, last);
                        let Settlement::Durable {
                            first: position,
                            time,
                        } = settled.settlement
                        else {
                            panic!("{settled:?}")
                        };
                        // Its place is the one it was told, at once.
                        let found = store.read_commit(&stream, first, &mut |commit| {
                            assert_eq!((commit.position(), commit.time()), (position, time));
                            assert_eq!(commit.last_version(), last);
                        });
                        assert!(found.unwrap());
                    }
                }
                client.no_more_settlements();
            });
        }
    });
    let statistics = store.statistics();
    assert_eq!(
        (
            statistics.commits,
            statistics.queue_commits,
            statistics.queue_bytes
        ),
        (2_000, 0, 0)
    );
    assert!(statistics.batch_commits_max <= 7);
    assert_eq!(statistics.open_streams, 0, "closed streams are forgotten");
    assert_eq!(check_gapless(&store).len(), 4 * 20 * (9 + 2 * 8 + 3 * 8));
}

pub fn large_commits_get_through(place: &dyn Place) {
    let store = place
        .open(
            StoreOptions::default()
                .generation_bytes(1_000_000)
                .tail_bytes_max(3_000_000),
        )
        .unwrap();
    let client = Client::new(&store);
    let stream = stream("a");
    let writer = client.open(&stream);
    let large = "x".repeat(900_000);
    for key in 0..6 {
        client.submit(&writer, &["small"], None, 3 * key);
        client.submit(&writer, &[&large, &large, &large, &large], None, 3 * key + 1);
        client.submit(&writer, &["small"], None, 3 * key + 2);
    }
    for key in 0..18 {
        let settled = client.settled();
        assert_eq!(settled.key, key);
        assert!(
            matches!(settled.settlement, Settlement::Durable { .. }),
            "{settled:?}"
        );
    }
    assert_eq!(check_gapless(&store).len(), 36);
}

/// Small and large ones in one batch, in whatever order: each is where it was told to be, and as it was written.
pub fn large_commits_share_batches_with_small_ones(place: &dyn Place) {
    let store = place.open(indexes_never()).unwrap();
    let client = Client::new(&store);
    let ids = ["a", "b", "c"];
    let writers = ids.map(|id| client.open(&stream(id)));
    let lengths = [5, 20_000, 40_000, 3, 16_384, 1, 300_000, 7, 16_000, 20_000];
    let text = |key: usize| format!("{key} ") + &"x".repeat(lengths[key % lengths.len()]);
    let commits = 90_usize;
    for key in 0..commits {
        client.submit(&writers[key % 3], &[&text(key)], None, key as u64);
    }
    for key in 0..commits {
        let settled = client.settled();
        assert_eq!(settled.key, key as u64);
        let Settlement::Durable { first, .. } = settled.settlement else {
            panic!("{settled:?}")
        };
        assert_eq!(first.offset.get(), key as u64 + 1);
    }
    let events = check_gapless(&store);
    for (key, event) in events.iter().enumerate() {
        assert!(
            event.stream == ids[key % 3] && event.text == text(key),
            "commit {key}"
        );
    }
    let statistics = store.statistics();
    assert!(statistics.batches < commits as u64 / 3, "{statistics:?}");
    store.close().unwrap();
    drop((store, client, writers));
    let store = place.open(indexes_never()).unwrap();
    assert_eq!(check_gapless(&store), events, "what was written is sound");
}

/// Runs every test of the suite against a new place each.
#[macro_export]
macro_rules! suite {
    ($place:expr) => {
        $crate::suite!(@each $place;
            a_commit_is_read_back_as_it_was_written,
            versions_and_offsets_go_on_without_gaps_after_restarts_and_crashes,
            a_stream_is_read_from_any_version,
            streams_whose_names_begin_alike_do_not_mix,
            a_commit_that_does_not_follow_the_head_is_stale,
            a_stream_has_one_writer,
            a_read_that_is_too_old_opens_nothing,
            commands_are_found_in_the_tail_in_the_index_and_after_restarts,
            the_newest_snapshot_is_kept,
            the_log_is_read_from_any_offset,
            times_never_step_back,
            deleting_what_is_derived_rebuilds_it,
            closing_writes_what_is_queued_and_ends_everything,
            a_place_is_open_once,
            reopening_in_process_makes_old_writers_stale,
            a_follower_is_told_of_what_is_durable_and_of_the_end,
            a_follower_that_falls_behind_skips_and_repeats_nothing,
            followers_see_each_commit_once_and_in_order,
            readers_never_see_a_gap_while_the_indexer_works,
            many_clients_settle_once_and_in_order,
            large_commits_get_through,
            large_commits_share_batches_with_small_ones,
        );
    };
    (@each $place:expr; $($test:ident,)+) => {
        $(#[test]
        fn $test() {
            $crate::suite::$test(&$place);
        })+
    };
}
