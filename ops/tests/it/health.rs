//! What an orchestrator is told, from the first moment to the last.

use std::sync::Arc;
use std::time::{Duration, Instant};

use dormouse_domain::Offset;
use dormouse_persistence::{AppendFault, MemoryDisk, OpenProgress, Store, StoreOptions};
use dormouse_runtime::Dormouse;

use crate::bank::{Account, Deposit, account};
use crate::client::{get, open};

#[tokio::test(flavor = "multi_thread")]
async fn it_tells_where_the_runtime_stands_from_opening_to_the_end() {
    let ops = open();
    let ready = |wanted: u16, status: &str, reason: &str| {
        let answer = get(&ops, "/health/ready", &[]);
        let json = answer.json();
        assert_eq!(
            (answer.status, json["status"].as_str()),
            (wanted, Some(status)),
            "{json}"
        );
        assert!(json["reason"].as_str().unwrap().contains(reason), "{json}");
        assert_eq!(get(&ops, "/health/live", &[]).status, 200);
        json
    };
    ready(503, "opening", "being opened");

    let opening = Arc::new(ops.opening());
    opening(OpenProgress {
        from: Offset::new(1),
        at: Offset::new(251),
        end: Offset::new(1_001),
    });
    let json = ready(503, "recovering", "251 of 1001");
    assert_eq!(json["progress"]["fraction"], 0.25);

    let runtime = Dormouse::builder(Store::in_memory()).start().await.unwrap();
    ops.attach(&runtime);
    ready(200, "ready", "taken");
    runtime.shutdown().await.unwrap();
    ready(503, "shut_down", "shut down");
    ops.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_overloaded_and_a_stopped_runtime_are_not_ready() {
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let bank = Dormouse::builder(store).in_flight_max(1).aggregate::<Account>();
    let bank = bank.start().await.unwrap();
    let ops = open();
    ops.attach(&bank);
    let status = || {
        get(&ops, "/health/ready", &[]).json()["status"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let one = account(&bank, "acc-1");

    let held = disk.hold_appends();
    let first = one.clone();
    let waiting = tokio::spawn(async move { first.execute(Deposit { cents: 10 }).await });
    held.wait_for_append();
    assert_eq!(status(), "overloaded");
    drop(held);
    waiting.await.unwrap().unwrap();
    assert_eq!(status(), "ready");

    disk.fail_append(AppendFault::NothingWritten);
    one.execute(Deposit { cents: 10 }).await.unwrap_err();
    assert_eq!(status(), "stopped");
    bank.reopen().await.unwrap();
    assert_eq!(status(), "ready");
}

/// Whether a store of this memory can be opened: by one at a time.
fn opens(disk: &MemoryDisk) -> bool {
    Store::on_memory(disk, StoreOptions::default()).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_runtime_ends_with_the_last_who_holds_it_and_the_server_is_one_of_them() {
    let (ops, disk) = (open(), MemoryDisk::new());
    let options = StoreOptions::default().progress(ops.opening());
    let store = Store::on_memory(&disk, options).unwrap();
    let runtime = Dormouse::builder(store).start().await.unwrap();
    ops.attach(&runtime);
    drop(runtime);
    assert_eq!(get(&ops, "/health/ready", &[]).status, 200);
    assert!(!opens(&disk), "the server holds it");
    drop(ops);
    let until = Instant::now() + Duration::from_secs(30);
    while !opens(&disk) {
        assert!(Instant::now() < until, "it never ends");
        std::thread::yield_now();
    }
}

#[test]
fn the_overview_is_there_before_the_runtime() {
    let ops = open();
    let json = get(&ops, "/api/v1/overview", &[]).json();
    assert_eq!(json["readiness"]["status"], "opening");
    assert!(json.get("runtime").is_none());
}
