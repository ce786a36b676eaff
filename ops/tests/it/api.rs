//! The admin API: what it tells of a runtime, and how it says no.

use std::time::Duration;

use dormouse_domain::CommandId;
use dormouse_ops::Ops;
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use serde_json::{Value, json};

use crate::bank::{Deposit, Note, account, deposit, start};
use crate::client::{Answer, get, open, send};

const ACT: [&str; 1] = ["X-Dormouse-Action: 1"];

pub(crate) async fn with_bank() -> (Ops, Dormouse) {
    let ops = open();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    (ops, bank)
}

#[track_caller]
fn read(ops: &Ops, path: &str) -> Value {
    let answer = get(ops, &format!("/api/v1{path}"), &[]);
    assert_eq!(
        (answer.status, answer.header("Content-Type")),
        (200, Some("application/json")),
        "{answer:?}"
    );
    answer.json()
}

#[track_caller]
pub(crate) fn act(ops: &Ops, path: &str) -> Answer {
    send(ops, &format!("POST /api/v1{path}"), &ACT, "")
}

#[track_caller]
pub(crate) fn refused(answer: &Answer, status: u16, field: Option<&str>) {
    let json = answer.json();
    let told = (answer.status, json["status"].as_u64(), json["field"].as_str());
    assert_eq!(told, (status, Some(status.into()), field), "{json}");
    assert_eq!(answer.header("Content-Type"), Some("application/problem+json"));
    assert!(!json["error"].as_str().unwrap().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_counts_what_was_done() {
    let (ops, bank) = with_bank().await;
    for n in 0..3 {
        deposit(&bank, &format!("acc-{n}"), 10).await;
    }
    let json = read(&ops, "/overview");
    assert_eq!(json["readiness"]["status"], "ready");
    assert_eq!(
        (&json["runtime"]["committed"], &json["runtime"]["residents"]),
        (&json!(3), &json!(3))
    );
    assert_eq!(json["store"]["durable"], 3);
    let waits = &json["runtime"]["commit_wait"];
    assert!(waits["count"].as_u64() >= Some(1), "{waits}");
    assert!(
        waits["p50_seconds"].as_f64() <= waits["max_seconds"].as_f64(),
        "{waits}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_overview_tells_what_runtime_and_store_run_with() {
    let ops = open();
    let options = StoreOptions::default().cache_bytes(7).watermark_every_ms(250);
    let store = Store::on_memory(&MemoryDisk::new(), options).unwrap();
    let builder = Dormouse::builder(store).recent_ids(9);
    let bank = builder.passivate_after(Duration::from_millis(1_500));
    ops.attach(&bank.start().await.unwrap());
    let json = read(&ops, "/overview");
    let (runtime, store) = (&json["runtime"]["settings"], &json["store"]["settings"]);
    assert_eq!(
        (
            &runtime["recent_ids"],
            &runtime["passivate_after_seconds"],
            &runtime["mailbox"]
        ),
        (&json!(9), &json!(1.5), &json!(4_096))
    );
    assert_eq!(
        (
            &store["cache_bytes"],
            &store["watermark_every_seconds"],
            &store["generation_bytes"]
        ),
        (&json!(7), &json!(0.25), &json!(64 << 20))
    );
    assert!(store.get("directory").is_none(), "it is in memory: {store}");
}

#[tokio::test(flavor = "multi_thread")]
async fn types_and_residents_are_listed() {
    let (ops, bank) = with_bank().await;
    for (id, times) in [("a", 1), ("b", 3), ("bb", 2)] {
        for _ in 0..times {
            deposit(&bank, id, 10).await;
        }
    }
    let types = read(&ops, "/types");
    assert_eq!(
        (&types["types"][0]["name"], &types["types"][0]["residents"]),
        (&json!("account"), &json!(3))
    );
    assert_eq!(
        types["types"][0]["events"][0],
        json!({"name": "Deposited", "schema": 1})
    );

    let ids = |query: &str| {
        let found = read(&ops, &format!("/residents{query}"));
        let ids: Vec<_> = found["residents"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].clone())
            .collect();
        (Value::from(ids), found["matching"].clone())
    };
    assert_eq!(ids(""), (json!(["b", "bb", "a"]), json!(3)));
    assert_eq!(ids("?order=id&limit=2"), (json!(["a", "b"]), json!(3)));
    assert_eq!(ids("?prefix=b&type=account"), (json!(["b", "bb"]), json!(2)));
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_are_listed_in_pages() {
    let (ops, bank) = with_bank().await;
    for id in ["acc-1", "acc-2", "acc-3", "other"] {
        deposit(&bank, id, 10).await;
    }
    let first = read(&ops, "/streams?type=account&prefix=acc-&limit=2");
    assert_eq!(
        first["streams"][1],
        json!({"type": "account", "id": "acc-2", "head": 1})
    );
    assert_eq!(first["more"], true);
    let next = read(&ops, "/streams?type=account&prefix=acc-&limit=2&after=acc-2");
    assert_eq!(
        (next["streams"].as_array().unwrap().len(), &next["more"]),
        (1, &json!(false))
    );
    let none = read(&ops, "/streams?type=account&prefix=nobody");
    assert_eq!(none["streams"], json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_are_shown_with_what_caused_them() {
    let (ops, bank) = with_bank().await;
    let command = CommandId::now();
    let one = account(&bank, "acc-1");
    let deposit = one.execute(Deposit { cents: 700 }).id(command);
    deposit.header("from", "here").await.unwrap();
    account(&bank, "acc-1")
        .execute(Note {
            text: "<script>".into(),
        })
        .await
        .unwrap();

    let page = read(&ops, "/streams/account/acc-1/events");
    let [first, second] = &*page["events"].as_array().unwrap().clone() else {
        panic!("{page}")
    };
    assert_eq!((&page["head"], &page["more"]), (&json!(2), &json!(false)));
    assert_eq!(
        (&first["name"], &first["payload"]),
        (&json!("Deposited"), &json!({"cents": 700}))
    );
    assert_eq!(first["command"]["id"], command.to_string());
    assert_eq!(first["metadata"]["headers"], json!([["from", "here"]]));
    assert!(first.get("raw").is_none());
    assert!(second["payload"].to_string().contains("<script>"));

    let later = read(&ops, "/streams/account/acc-1/events?from=2&limit=1");
    assert_eq!(later["events"][0]["version"], 2);
    assert_eq!(
        read(&ops, "/streams/account/nobody/events"),
        json!({"events": [], "head": 0, "more": false})
    );

    let id = second["id"].as_str().unwrap();
    let found = read(&ops, &format!("/events/{id}"));
    assert_eq!(found["stream"], json!({"type": "account", "id": "acc-1"}));
    assert_eq!(
        (&found["version"], &found["id"]),
        (&second["version"], &second["id"])
    );
    refused(
        &get(&ops, &format!("/api/v1/events/{command}"), &[]),
        404,
        Some("id"),
    );
    refused(&get(&ops, "/api/v1/events/17", &[]), 400, Some("id"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_may_hold_anything_that_ids_may() {
    let (ops, bank) = with_bank().await;
    for (id, encoded) in [
        ("a/b", "a%2Fb"),
        ("50%", "50%25"),
        ("ä ö", "%C3%A4%20%C3%B6"),
        ("%2F", "%252F"),
        ("a+b?c#d", "a%2Bb%3Fc%23d"),
    ] {
        deposit(&bank, id, 10).await;
        let page = read(&ops, &format!("/streams/account/{encoded}/events"));
        assert_eq!(page["head"], 1, "{id}");
        let named = read(&ops, &format!("/stream/events?type=account&id={encoded}"));
        assert_eq!(named, page, "{id}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn by_query_even_an_id_of_dots_arrives() {
    let (ops, bank) = with_bank().await;
    for id in [".", ".."] {
        deposit(&bank, id, 10).await;
        deposit(&bank, id, 10).await;
        let of = format!("type=account&id={id}");
        let events = read(&ops, &format!("/stream/events?{of}&from=2&limit=1"));
        assert_eq!(
            (&events["head"], &events["events"][0]["version"]),
            (&json!(2), &json!(2))
        );
        let state = read(&ops, &format!("/stream/state?{of}&version=1"));
        assert_eq!(
            (&state["head"], &state["state"]["cents"]),
            (&json!(2), &json!(10))
        );
        let taken = act(&ops, &format!("/stream/snapshot?{of}"));
        assert_eq!((taken.status, &taken.json()["version"]), (200, &json!(2)));
        let passivated = act(&ops, &format!("/stream/passivate?{of}"));
        assert_eq!(passivated.json(), json!({"outcome": "done"}));
    }
    let asked = |path: &str| get(&ops, &format!("/api/v1{path}"), &[]);
    refused(
        &asked("/stream/state?type=account&id=.&versoin=1"),
        400,
        Some("versoin"),
    );
    refused(&asked("/stream/events?type=account"), 400, Some("id"));
    refused(
        &act(&ops, "/stream/passivate?type=nobody&id=."),
        404,
        Some("type"),
    );
    let without = send(&ops, "POST /api/v1/stream/passivate?type=account&id=.", &[], "");
    refused(&without, 403, Some("X-Dormouse-Action"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_shown_at_any_version_and_time() {
    let (ops, bank) = with_bank().await;
    for _ in 0..3 {
        deposit(&bank, "acc-1", 100).await;
    }
    let state = |query: &str| read(&ops, &format!("/streams/account/acc-1/state{query}"));
    let newest = state("");
    assert_eq!(
        (&newest["version"], &newest["head"], &newest["state"]["cents"]),
        (&json!(3), &json!(3), &json!(300))
    );
    assert_eq!(state("?version=1")["state"]["cents"], 100);
    assert_eq!(state("?version=0")["state"]["cents"], 0);
    let time = state("?version=2")["time"].as_str().unwrap().to_owned();
    assert!(state(&format!("?time={time}"))["version"].as_u64().unwrap() >= 2);
    assert_eq!(state("?time=1999-01-01T00:00:00Z")["version"], 0);

    let refuses = |query: &str, status, field| {
        refused(
            &get(&ops, &format!("/api/v1/streams/account/acc-1/state{query}"), &[]),
            status,
            field,
        );
    };
    refuses("?version=4", 404, Some("version"));
    refuses("?version=-1", 400, Some("version"));
    refuses("?version=1&time=1999-01-01T00:00:00Z", 409, Some("time"));
    refuses("?time=yesterday", 400, Some("time"));
    refuses("?versoin=1", 400, Some("versoin"));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_an_unknown_type_are_shown_raw() {
    let disk = MemoryDisk::new();
    let store = || Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let bank = start(store()).await;
    deposit(&bank, "acc-1", 10).await;
    bank.shutdown().await.unwrap();
    drop(bank);

    let ops = open();
    let stranger = Dormouse::builder(store()).start().await.unwrap();
    ops.attach(&stranger);
    let page = read(&ops, "/streams/account/acc-1/events");
    let event = &page["events"][0];
    assert!(event.get("payload").is_none(), "{event}");
    assert!(
        event["raw"]["reason"]
            .as_str()
            .unwrap()
            .contains("not registered"),
        "{event}"
    );
    assert!(event["raw"]["hex"].as_str().unwrap().len() >= 2);
    // what was registered once is known as long as any stream of it is stored
    assert_eq!(read(&ops, "/streams?type=account")["streams"][0]["id"], "acc-1");
    for empty in [
        "/streams?type=account&prefix=b",
        "/residents?type=account",
        "/streams/account/b/events",
    ] {
        read(&ops, empty);
    }
    refused(
        &get(&ops, "/api/v1/streams/account/acc-1/state", &[]),
        404,
        Some("type"),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn an_aggregate_is_passivated_and_snapshotted() {
    let (ops, bank) = with_bank().await;
    deposit(&bank, "acc-1", 10).await;
    let taken = act(&ops, "/streams/account/acc-1/snapshot");
    assert_eq!(
        (taken.status, &taken.json()["version"]),
        (200, &json!(1)),
        "{taken:?}"
    );
    for outcome in ["done", "not_resident"] {
        let answer = act(&ops, "/streams/account/acc-1/passivate");
        assert_eq!((answer.status, answer.json()), (200, json!({"outcome": outcome})));
    }
    refused(&act(&ops, "/streams/nobody/acc-1/passivate"), 404, Some("type"));
    refused(
        &act(&ops, "/streams/account/nobody/snapshot"),
        404,
        Some("version"),
    );
    let without = send(&ops, "POST /api/v1/streams/account/acc-1/passivate", &[], "");
    refused(&without, 403, Some("X-Dormouse-Action"));
}

#[test]
fn before_there_is_a_runtime_it_says_so() {
    let ops = open();
    for path in [
        "/types",
        "/residents",
        "/streams?type=a",
        "/streams/a/b/events",
        "/streams/a/b/state",
    ] {
        refused(&get(&ops, &format!("/api/v1{path}"), &[]), 503, None);
    }
    refused(&act(&ops, "/drain"), 503, None);
    assert_eq!(read(&ops, "/jobs"), json!({"jobs": []}));
}
