//! Copies of a running store: everything that was acknowledged before is in them, and a copy that failed leaves nothing.

use std::ops::ControlFlow;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dormouse_domain::{Codec, CommandId, Offset, Timestamp, Version};
use dormouse_persistence::inspect::verify;
use dormouse_persistence::{CheckpointStep, Health, Settlement, Snapshot, Store, StoreError, StoreOptions};
use tempfile::TempDir;
use uuid::Uuid;

use crate::child::Child;
use crate::client::{Client, check_gapless, stream};

/// The indexer has something to do all the time, and does not fall behind.
fn options() -> StoreOptions {
    StoreOptions::default()
        .generation_bytes(20_000)
        .tail_bytes_max(60_000)
        .watermark_every_ms(1)
}

fn go_on<T>(_: T) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn command(stream: u64, version: u64) -> CommandId {
    CommandId::from(Uuid::from_u128(u128::from(stream) << 64 | u128::from(version)))
}

/// A directory on another file system than the temporary one.
fn elsewhere() -> TempDir {
    let elsewhere = tempfile::tempdir_in("/dev/shm").unwrap();
    let here = tempfile::tempdir().unwrap();
    let device = |path: &Path| path.metadata().unwrap().dev();
    assert_ne!(device(elsewhere.path()), device(here.path()), "one file system");
    elsewhere
}

const WRITERS: u64 = 3;
/// Each with so many commits on their way.
const PIPELINE: u64 = 16;

/// What the writers of a store were told: how many commits of each one's stream are durable.
#[derive(Default)]
struct Acknowledged {
    versions: [AtomicU64; WRITERS as usize],
    /// The longest time that one of them waited for the next settlement.
    longest_wait_nanos: AtomicU64,
    /// Held while nothing is to be written.
    pause: Mutex<()>,
    ends: AtomicBool,
}

impl Acknowledged {
    fn versions(&self) -> [u64; WRITERS as usize] {
        std::array::from_fn(|n| self.versions[n].load(Ordering::SeqCst))
    }

    /// Commits of one event each to stream `n`, with command ids that tell the version, until the end.
    fn write(&self, store: &Store, n: u64) {
        let client = Client::new(store);
        let writer = client.open(&stream(&format!("s{n}")));
        let mut version = writer.head().get();
        let mut settled = version;
        while !self.ends.load(Ordering::SeqCst) {
            drop(self.pause.lock());
            let waited_since = Instant::now();
            while version < settled + PIPELINE {
                version += 1;
                let text = format!("text {version} of {n}, which is not short either");
                client.submit(&writer, &[&text], Some(command(n, version)), version);
            }
            let told = client.settled();
            assert!(matches!(told.settlement, Settlement::Durable { .. }), "{told:?}");
            settled = told.key;
            let waited = u64::try_from(waited_since.elapsed().as_nanos()).unwrap();
            self.longest_wait_nanos.fetch_max(waited, Ordering::SeqCst);
            self.versions[n as usize].store(settled, Ordering::SeqCst);
        }
        while settled < version {
            settled = client.settled().key;
        }
    }

    fn longest_wait(&self) -> Duration {
        Duration::from_nanos(self.longest_wait_nanos.swap(0, Ordering::SeqCst))
    }
}

/// Everything of the copy that an index tells, too: the same after it was built again from the log.
fn check_copy(copy: &Path, acknowledged: [u64; WRITERS as usize]) {
    let verified = verify(copy, &options()).unwrap();
    assert!(verified.is_whole(), "{:?}", verified.findings);
    let look = |store: &Store| {
        let events = check_gapless(store);
        for (n, acknowledged) in (0..).zip(acknowledged) {
            let stream = stream(&format!("s{n}"));
            let head = store.head(&stream).unwrap().get();
            assert!(
                head >= acknowledged,
                "{acknowledged} acknowledged of s{n}, {head} there"
            );
            let known = [1, acknowledged / 2, acknowledged];
            for version in known
                .into_iter()
                .filter(|version| (1..=acknowledged).contains(version))
            {
                let found = store.find_command(&stream, command(n, version)).unwrap();
                assert_eq!(found, Some(Version::new(version)));
            }
        }
        events
    };
    let store = Store::open_with(copy, options()).unwrap();
    let events = look(&store);
    store.close().unwrap();
    std::fs::remove_dir_all(copy.join("derived")).unwrap();
    let rebuilt = Store::open_with(copy, options()).unwrap();
    assert_eq!(look(&rebuilt), events);
    rebuilt.close().unwrap();
}

fn copies_under_load(copies: &Path, rounds: u32) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_with(directory.path(), options()).unwrap();
    let acknowledged = Acknowledged::default();
    std::thread::scope(|scope| {
        for n in 0..WRITERS {
            let (store, acknowledged) = (&store, &acknowledged);
            scope.spawn(move || acknowledged.write(store, n));
        }
        // A failed check must end the writers, too.
        let _end = End(&acknowledged.ends);
        for round in 0..rounds {
            let paused = acknowledged.versions();
            crate::client::eventually("more commits", || {
                let mut versions = acknowledged.versions().into_iter().zip(paused);
                versions.all(|(now, then)| now > then + 100)
            });
            let (before, copy) = (acknowledged.versions(), copies.join(format!("{round}")));
            let quiet = acknowledged.longest_wait();
            let start = Instant::now();
            // Between one instance and the other the log grows, and what is new is indexed.
            let mut indexed = Offset::NONE;
            let made = store.checkpoint(&copy, &mut |progress| {
                let durable = store.durable();
                if [CheckpointStep::Index, CheckpointStep::Log].contains(&progress.step) {
                    crate::client::eventually("a run", || store.statistics().indexed > durable);
                }
                if progress.step == CheckpointStep::Index {
                    indexed = store.statistics().indexed;
                }
                ControlFlow::Continue(())
            });
            let (made, took) = (made.unwrap(), start.elapsed());
            let held = acknowledged.longest_wait();
            println!("copy {round}: {made:?} in {took:?}; writers waited {held:?}, without it {quiet:?}");
            assert!(made.durable.get() >= before.iter().sum());
            assert!(made.durable >= indexed, "its watermark speaks for its index");
            assert!(made.bytes > 0 && made.files > 5);
            let _pause = acknowledged.pause.lock();
            check_copy(&copy, before);
        }
    });
    assert_eq!(names(copies).len(), rounds as usize);
    assert_eq!(store.health(), Health::Healthy);
    check_gapless(&store);
    store.close().unwrap();
    assert!(verify(directory.path(), &options()).unwrap().is_whole());
}

struct End<'e>(&'e AtomicBool);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

#[test]
fn a_copy_holds_all_that_was_acknowledged_before_it_was_asked_for() {
    let copies = tempfile::tempdir().unwrap();
    copies_under_load(copies.path(), 4);
}

#[test]
fn so_does_one_on_another_file_system() {
    copies_under_load(elsewhere().path(), 2);
}

/// A store with some commits, one not indexed, and a snapshot.
fn small() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_with(directory.path(), options()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("a"));
    let text = "long enough to fill a generation soon".repeat(20);
    for _ in 0..60 {
        client.durable(&writer, &[&text]);
    }
    let snapshot = Snapshot {
        version: Version::new(3),
        offset: Offset::new(3),
        fingerprint: 7,
        newest_command: None,
        time: Timestamp::from_micros(1),
        codec: Codec::Json,
        payload: b"{}".to_vec(),
    };
    store.put_snapshot(&stream("a"), &snapshot).unwrap();
    (directory, store)
}

#[test]
fn a_copy_has_the_snapshots_and_the_stores_id_and_goes_its_own_way() {
    let (directory, store) = small();
    let copies = tempfile::tempdir().unwrap();
    let copy = copies.path().join("copy");
    let mut steps = Vec::new();
    let made = store.checkpoint(&copy, &mut |progress| {
        assert!(progress.bytes <= progress.bytes_total);
        steps.push(progress.step);
        ControlFlow::Continue(())
    });
    assert_eq!(
        (made.clone().unwrap().durable, made.unwrap().is_linked),
        (store.durable(), true)
    );
    steps.dedup();
    assert_eq!(
        steps,
        [
            CheckpointStep::Index,
            CheckpointStep::Log,
            CheckpointStep::Syncing
        ]
    );
    assert_eq!(names(&copy), ["FORMAT", "derived", "log", "watermark"]);
    let format = |root: &Path| std::fs::read(root.join("FORMAT")).unwrap();
    assert_eq!(format(&copy), format(directory.path()));

    let second = Store::open_with(&copy, options()).unwrap();
    assert_eq!(
        second.snapshot(&stream("a")).unwrap(),
        store.snapshot(&stream("a")).unwrap()
    );
    assert!(second.snapshot(&stream("a")).unwrap().is_some());
    // Each writes on, compacts, and closes; neither sees anything of the other.
    for (one, text) in [(&store, "in the store"), (&second, "in the copy")] {
        let client = Client::new(one);
        let writer = client.open(&stream("a"));
        client.durable(&writer, &[text]);
        one.compact(&mut go_on).unwrap();
    }
    for (one, text) in [(store, "in the store"), (second, "in the copy")] {
        let events = check_gapless(&one);
        assert_eq!((events.len(), events[60].text.as_str()), (61, text));
        one.close().unwrap();
    }
    for root in [directory.path(), &copy] {
        assert!(verify(root, &options()).unwrap().is_whole());
    }
}

#[test]
fn an_empty_store_has_a_copy_too() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let copies = tempfile::tempdir().unwrap();
    store.checkpoint(copies.path().join("copy"), &mut go_on).unwrap();
    let copy = Store::open(copies.path().join("copy")).unwrap();
    assert_eq!(copy.durable().get(), 0);
}

#[test]
fn places_that_a_copy_must_not_have_are_refused() {
    let (directory, store) = small();
    let copies = tempfile::tempdir().unwrap();
    std::fs::create_dir(copies.path().join("empty")).unwrap();
    std::os::unix::fs::symlink("nowhere", copies.path().join("link")).unwrap();
    for (place, reason) in [
        (copies.path().join("empty"), "there already"),
        (copies.path().join("link"), "there already"),
        (directory.path().to_path_buf(), "inside the store"),
        (directory.path().join("copy"), "inside the store"),
        (directory.path().join("log/../log/copy"), "inside the store"),
        (copies.path().join("not/there"), "No such file"),
        ("/".into(), "no name"),
    ] {
        let error = store.checkpoint(&place, &mut go_on).unwrap_err();
        assert!(matches!(error, StoreError::NotWritable { .. }), "{error}");
        assert!(error.to_string().contains(reason), "{error}");
    }
    assert_eq!(names(copies.path()), ["empty", "link"]);
}

#[test]
fn a_store_in_memory_and_a_closed_one_refuse() {
    let copies = tempfile::tempdir().unwrap();
    let target = copies.path().join("copy");
    let memory = Store::in_memory();
    let error = memory.checkpoint(&target, &mut go_on).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the store refuses to copy itself: it is in memory"
    );
    let error = memory.compact(&mut go_on).unwrap_err();
    assert!(matches!(error, StoreError::Refused { .. }), "{error}");
    let (_directory, store) = small();
    store.close().unwrap();
    let error = store.checkpoint(&target, &mut go_on).unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error}");
    assert_eq!(names(copies.path()), [""; 0]);
}

/// Nothing is left of a copy, and the store goes on.
fn check_nothing_left(directory: &Path, copies: &Path, store: &Store) {
    assert_eq!(names(copies), [""; 0]);
    assert!(!names(directory).iter().any(|name| name.contains("checkpoint")));
    let client = Client::new(store);
    client.durable(&client.open(&stream("b")), &["the store goes on"]);
}

#[test]
fn a_copy_that_is_given_up_at_any_step_leaves_nothing() {
    let (directory, store) = small();
    for after in 0.. {
        let copies = elsewhere();
        let mut told = 0;
        let made = store.checkpoint(copies.path().join("copy"), &mut |_| {
            told += 1;
            if told > after {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        let Err(error) = made else {
            assert!(after > 20, "told {after} times");
            return check_copy(&copies.path().join("copy"), [0; WRITERS as usize]);
        };
        assert!(matches!(error, StoreError::Cancelled { .. }), "{error}");
        check_nothing_left(directory.path(), copies.path(), &store);
    }
}

#[test]
fn a_copy_that_vanishes_while_it_is_made_is_an_error() {
    for (step, elsewhere_too) in [
        (CheckpointStep::Log, false),
        (CheckpointStep::Syncing, false),
        (CheckpointStep::Copying, true),
    ] {
        let (directory, store) = small();
        let copies = elsewhere();
        let (mut told, stage) = (0, directory.path().join("unfinished-checkpoint"));
        let unfinished = copies.path().join("copy.unfinished");
        let error = store
            .checkpoint(copies.path().join("copy"), &mut |progress| {
                if progress.step == step {
                    told += 1;
                    // In the middle of it.
                    if told == 3 || step == CheckpointStep::Log {
                        let gone = if elsewhere_too { &unfinished } else { &stage };
                        std::fs::remove_dir_all(gone).unwrap();
                    }
                }
                ControlFlow::Continue(())
            })
            .unwrap_err();
        assert!(matches!(error, StoreError::Engine { .. }), "{step:?}: {error}");
        check_nothing_left(directory.path(), copies.path(), &store);
        store.checkpoint(copies.path().join("copy"), &mut go_on).unwrap();
        check_copy(&copies.path().join("copy"), [0; WRITERS as usize]);
    }
}

#[test]
fn one_copy_at_a_time_and_closing_ends_it() {
    let (_directory, store) = small();
    let copies = elsewhere();
    let place = |name: &str| copies.path().join(name);
    let mut closing = None;
    let error = store.checkpoint(place("a"), &mut |progress| {
        if progress.step == CheckpointStep::Copying && closing.is_none() {
            let error = store.checkpoint(place("b"), &mut go_on).unwrap_err();
            assert!(matches!(error, StoreError::Refused { .. }), "{error}");
            let closed = store.clone();
            closing = Some(std::thread::spawn(move || closed.close()));
            crate::client::eventually("the end of the session", || store.health() != Health::Healthy);
        }
        ControlFlow::Continue(())
    });
    assert!(matches!(error, Err(StoreError::Closed)), "{error:?}");
    closing.unwrap().join().unwrap().unwrap();
    assert_eq!(names(copies.path()), [""; 0]);
}

/// What a process that was killed left of a copy goes with the next opening.
#[test]
fn leftovers_of_a_killed_process_are_removed_on_opening() {
    let (directory, store) = small();
    store.close().unwrap();
    let stage = directory.path().join("unfinished-checkpoint");
    std::fs::create_dir_all(stage.join("log")).unwrap();
    std::fs::write(stage.join("log/000009.sst"), "half").unwrap();
    let store = Store::open_with(directory.path(), options()).unwrap();
    assert!(!stage.exists());
    check_gapless(&store);
}

#[test]
fn a_full_disk_leaves_nothing_of_the_copy_and_the_store_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    // A table of the log that is longer than what the child may write.
    let store = Store::open_with(directory.path(), options()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&stream("s0"));
    for number in 0..40 {
        client.durable(&writer, &[&crate::child::noise(100_000 + number)]);
    }
    store.close().unwrap();
    Store::open_with(directory.path(), options())
        .unwrap()
        .close()
        .unwrap();
    let copies = elsewhere();
    let target = copies.path().join("copy");
    let task = format!("copy {}", target.display());
    let mut child = Child::start_limited(&task, directory.path(), 2048);
    let refused = child.line();
    assert!(refused.starts_with("copy the store to"), "{refused}");
    assert!(refused.contains("File too large"), "{refused}");
    assert_eq!(child.line(), "durable");
    child.wait();
    assert_eq!(names(copies.path()), [""; 0]);
    let store = Store::open_with(directory.path(), options()).unwrap();
    assert_eq!(check_gapless(&store).len(), 41);
}
