//! Bugs that an attack on opening a directory found, each as the test that found it.

use std::fs;

use dormouse_domain::Version;
use dormouse_persistence::{Snapshot, Store, StoreError, StoreOptions};
use metrics_exporter_prometheus::PrometheusBuilder;

use crate::child::noise;
use crate::client::{Client, check_gapless, stream};

fn torn(dir: &std::path::Path) -> Vec<std::path::PathBuf> {
    let store = Store::open_with(dir, StoreOptions::default().watermark_every_ms(3_600_000)).unwrap();
    let client = Client::new(&store);
    let text = noise(1_000);
    for n in 0..20 {
        let writer = client.open(&stream(&format!("s{}", n % 5)));
        client.durable(&writer, &[&text, "end"]);
    }
    drop(client);
    drop(store); // a crash
    let mut wals: Vec<_> = fs::read_dir(dir.join("log"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .filter(|p| p.extension().is_some_and(|e| e == "log"))
        .collect();
    wals.sort();
    let wal = wals.last().unwrap();
    let len = fs::metadata(wal).unwrap().len();
    fs::OpenOptions::new()
        .write(true)
        .open(wal)
        .unwrap()
        .set_len(len - 100)
        .unwrap();
    wals
}

/// RocksDB makes the next WAL and deletes the old ones last: killed between, an empty one stands behind the torn one.
#[test]
fn a_kill_while_opening_after_a_torn_tail_locks_nobody_out() {
    let directory = tempfile::tempdir().unwrap();
    let wals = torn(directory.path());
    let n: u64 = wals
        .last()
        .unwrap()
        .file_stem()
        .unwrap()
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    fs::write(
        directory.path().join("log").join(format!("{:06}.log", n + 20)),
        [],
    )
    .unwrap();
    let store = Store::open(directory.path())
        .map_err(|e| e.to_string())
        .expect("opens");
    check_gapless(&store);
}

/// A crash at the very end of making a store leaves the mark; the next opening removes it.
#[test]
fn a_leftover_creating_mark_does_not_cost_the_log() {
    let directory = tempfile::tempdir().unwrap();
    let store = Store::open(directory.path()).unwrap();
    let client = Client::new(&store);
    client.durable(&client.open(&stream("a")), &["precious"]);
    store.close().unwrap();
    drop((client, store));
    // a crash between the rename and the removal leaves it (or a power cut: the removal is not synced)
    fs::write(directory.path().join("CREATING"), []).unwrap();
    Store::open(directory.path()).unwrap().close().unwrap();
    assert!(!directory.path().join("CREATING").exists());
    fs::remove_file(directory.path().join("FORMAT")).unwrap();
    match Store::open(directory.path()) {
        Ok(store) => assert_eq!(
            store.durable().get(),
            1,
            "opened silently with less than was acknowledged"
        ),
        Err(error) => assert!(matches!(error, StoreError::NotAStore { .. }), "{error}"),
    }
}

/// a loss that the operator accepted leaves snapshots of the lost history, which come back to life.
#[test]
fn a_snapshot_of_a_lost_history_is_not_taken_for_the_new_one() {
    let directory = tempfile::tempdir().unwrap();
    let s = stream("a");
    let store = Store::open(directory.path()).unwrap();
    let client = Client::new(&store);
    let writer = client.open(&s);
    let wal = fs::read_dir(directory.path().join("log"))
        .unwrap()
        .map(|e| e.unwrap().path())
        .find(|p| p.extension().is_some_and(|e| e == "log"))
        .unwrap();
    for n in 1..=4 {
        client.durable(&writer, &[&format!("{n}")]);
    }
    let length = fs::metadata(&wal).unwrap().len();
    client.durable(&writer, &["lost"]);
    let snapshot = Snapshot {
        version: Version::new(5),
        offset: store.durable(),
        fingerprint: 1,
        codec: dormouse_domain::Codec::Json,
        newest_command: None,
        time: dormouse_domain::Timestamp::from_micros(1),
        payload: b"with what was lost".to_vec(),
    };
    store.put_snapshot(&s, &snapshot).unwrap();
    store.close().unwrap();
    drop((writer, client, store));
    fs::OpenOptions::new()
        .write(true)
        .open(&wal)
        .unwrap()
        .set_len(length)
        .unwrap();
    assert!(Store::open(directory.path()).is_err());
    fs::write(directory.path().join("watermark"), []).unwrap(); // as docs/decisions/0002 says
    let store = Store::open(directory.path()).unwrap();
    let client = Client::new(&store);
    client.durable(&client.open(&s), &["other"]);
    let found = store.snapshot(&s);
    assert!(
        !matches!(found, Ok(Some(_))),
        "version 5 is another event now, and yet {found:?}"
    );
}

/// Nothing failed before, so that only the reopening can tell it.
#[test]
fn a_store_that_could_not_be_reopened_is_told_as_stopped() {
    let recorder = PrometheusBuilder::new().build_recorder();
    let stopped = || {
        let text = recorder.handle().render();
        let line = text
            .lines()
            .find(|line| line.starts_with("dormouse_store_stopped "));
        line.map(str::to_owned)
    };
    let home = tempfile::tempdir().unwrap();
    let (path, elsewhere) = (home.path().join("store"), home.path().join("elsewhere"));
    metrics::with_local_recorder(&recorder, || {
        let store = Store::open(&path).unwrap();
        assert_eq!(stopped().as_deref(), Some("dormouse_store_stopped 0"));
        fs::rename(&path, &elsewhere).unwrap();
        fs::write(&path, "in the way").unwrap();
        store.reopen().unwrap_err();
        assert_eq!(stopped().as_deref(), Some("dormouse_store_stopped 1"));
        fs::remove_file(&path).unwrap();
        fs::rename(&elsewhere, &path).unwrap();
        store.reopen().unwrap();
        assert_eq!(stopped().as_deref(), Some("dormouse_store_stopped 0"));
    });
}
