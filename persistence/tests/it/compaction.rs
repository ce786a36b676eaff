//! Compacting what is derived, on demand: one run is left, and everything reads as before.

use std::ops::ControlFlow;

use dormouse_domain::CommandId;
use dormouse_persistence::{Health, Store, StoreError, StoreOptions};
use tempfile::TempDir;
use uuid::Uuid;

use crate::client::{Client, check_gapless, eventually, stream};

/// Fewer runs than RocksDB compacts by itself.
const RUNS: u64 = 5;

const GENERATION_BYTES: usize = 10_000;

fn options() -> StoreOptions {
    StoreOptions::default().generation_bytes(GENERATION_BYTES)
}

/// A store whose streams lie in several runs.
fn in_runs() -> (TempDir, Store) {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open_with(directory.path(), options()).unwrap();
    let client = Client::new(&store);
    let writers: Vec<_> = (0..3).map(|n| client.open(&stream(&format!("s{n}")))).collect();
    for number in 0_u128.. {
        if store.statistics().runs_indexed >= RUNS {
            break;
        }
        let id = CommandId::from(Uuid::from_u128(number + 1));
        let writer = &writers[(number % 3) as usize];
        client.append(
            writer,
            &["some text that takes room".repeat(9).as_str()],
            Some(id),
        );
    }
    // A run that is on its way would come in the middle of the compaction, or after it.
    eventually("the end of indexing", || {
        store.statistics().tail_bytes < GENERATION_BYTES as u64
    });
    (directory, store)
}

#[test]
fn one_run_is_left_and_all_reads_as_before() {
    let (_directory, store) = in_runs();
    let before = check_gapless(&store);
    let mut told = Vec::new();
    let compacted = store.compact(&mut |progress| {
        assert!(progress.bytes <= progress.bytes_total);
        told.push((progress.number, progress.family));
        ControlFlow::Continue(())
    });
    let compacted = compacted.unwrap();
    told.dedup();
    assert_eq!(told, [(1, "snapshots"), (2, "commands"), (3, "streams")]);
    assert!(compacted.stream_runs_before >= RUNS - 1, "{compacted:?}");
    assert_eq!(
        (compacted.stream_runs_after, compacted.is_cancelled),
        (1, false),
        "{compacted:?}"
    );
    assert!(
        compacted.bytes_after > 0 && compacted.bytes_after <= compacted.bytes_before,
        "{compacted:?}"
    );
    assert_eq!(check_gapless(&store), before);
    for id in 1..before.len() as u128 {
        let id = CommandId::from(Uuid::from_u128(id));
        let found = (0..3).filter_map(|n| store.find_command(&stream(&format!("s{n}")), id).unwrap());
        assert_eq!(found.count(), 1);
    }
    // Nothing is left to do, and nothing is written.
    let again = store.compact(&mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(
        (again.bytes_before, again.stream_runs_before),
        (compacted.bytes_after, 1)
    );
    assert_eq!(again.bytes_after, again.bytes_before);
}

#[test]
fn it_is_done_once_at_a_time_and_can_be_given_up() {
    let (_directory, store) = in_runs();
    let compacted = store.compact(&mut |progress| {
        let error = store.compact(&mut |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, StoreError::Refused { .. }), "{error}");
        match progress.family {
            "commands" => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        }
    });
    let compacted = compacted.unwrap();
    assert!(compacted.is_cancelled && compacted.stream_runs_after == compacted.stream_runs_before);
    let whole = store.compact(&mut |_| ControlFlow::Continue(())).unwrap();
    assert_eq!((whole.stream_runs_after, whole.is_cancelled), (1, false));
}

#[test]
fn closing_ends_it() {
    let (directory, store) = in_runs();
    let mut closing = None;
    let error = store.compact(&mut |_| {
        let closed = store.clone();
        closing.get_or_insert_with(|| std::thread::spawn(move || closed.close()));
        eventually("the end of the session", || store.health() != Health::Healthy);
        ControlFlow::Continue(())
    });
    assert!(matches!(error, Err(StoreError::Closed)), "{error:?}");
    closing.unwrap().join().unwrap().unwrap();
    let error = store.compact(&mut |_| ControlFlow::Continue(())).unwrap_err();
    assert!(matches!(error, StoreError::Closed), "{error}");
    check_gapless(&Store::open_with(directory.path(), options()).unwrap());
}
