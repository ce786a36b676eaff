//! What takes longer than a request: started, followed, refused.

use std::time::{Duration, Instant};

use dormouse_ops::Ops;
use dormouse_persistence::Store;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bank::{deposit, start};
use crate::client::{Answer, get, open, send};

fn ask(ops: &Ops, path: &str, body: &str) -> Answer {
    let headers = ["X-Dormouse-Action: 1", "Content-Type: application/json"];
    send(ops, &format!("POST /api/v1{path}"), &headers, body)
}

/// The job that an answer names, once it is over.
fn over(ops: &Ops, answer: &Answer) -> Value {
    assert_eq!(answer.status, 202, "{answer:?}");
    let place = answer.header("Location").unwrap();
    let until = Instant::now() + Duration::from_secs(30);
    loop {
        let job = get(ops, place, &[]).json();
        if job["status"] != "running" {
            return job;
        }
        assert!(Instant::now() < until, "{job}");
        std::thread::yield_now();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drained_runtime_says_so_and_stays_readable() {
    let ops = open();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    deposit(&bank, "acc-1", 10).await;
    let job = over(&ops, &ask(&ops, "/drain", ""));
    assert_eq!(
        (&job["status"], &job["kind"], &job["who"]),
        (&json!("done"), &json!("drain"), &json!("local process"))
    );
    let ready = get(&ops, "/health/ready", &[]);
    assert_eq!((ready.status, &ready.json()["status"]), (503, &json!("draining")));
    let state = get(&ops, "/api/v1/streams/account/acc-1/state", &[]);
    assert_eq!(state.json()["state"]["cents"], 10);
    let cancelled = ask(&ops, &format!("/jobs/{}/cancel", job["id"]), "");
    assert_eq!(cancelled.status, 409);
    assert_eq!(get(&ops, "/api/v1/jobs/999", &[]).status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_a_store_below_the_backup_root() {
    let directory = TempDir::new().unwrap();
    let (live, backups) = (directory.path().join("bank"), directory.path().join("backups"));
    std::fs::create_dir(&backups).unwrap();
    let ops = Ops::builder()
        .bind("127.0.0.1:0")
        .backup_root(&backups)
        .start()
        .unwrap();
    let bank = start(Store::open(&live).unwrap()).await;
    ops.attach(&bank);
    deposit(&bank, "acc-1", 10).await;

    let job = over(&ops, &ask(&ops, "/checkpoint", r#"{"name": "today"}"#));
    assert_eq!(job["status"], "done", "{job}");
    let copy = Store::open(backups.join("today")).unwrap();
    assert_eq!(copy.durable(), bank.store().durable());
    assert_eq!(over(&ops, &ask(&ops, "/compact", ""))["status"], "done");

    for (body, status) in [
        (r#"{"name": "today"}"#, 409),
        (r#"{"name": "../elsewhere"}"#, 400),
        (r#"{"name": "/tmp/elsewhere"}"#, 400),
        (r#"{"path": "/tmp/elsewhere"}"#, 400),
        ("{", 400),
    ] {
        assert_eq!(ask(&ops, "/checkpoint", body).status, status, "{body}");
    }
    let text = send(&ops, "POST /api/v1/checkpoint", &["X-Dormouse-Action: 1"], "{}");
    assert_eq!(text.status, 415);
    let jobs = get(&ops, "/api/v1/jobs", &[]).json();
    assert_eq!(jobs["jobs"].as_array().unwrap().len(), 2, "newest first: {jobs}");
    assert_eq!(jobs["jobs"][0]["kind"], "compact");
    bank.shutdown().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_backup_root_there_are_no_checkpoints() {
    let ops = open();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    let answer = ask(&ops, "/checkpoint", "");
    assert_eq!(answer.status, 409);
    assert!(answer.json()["error"].as_str().unwrap().contains("backup_root"));
}

#[test]
fn a_backup_root_must_be_there() {
    let error = Ops::builder()
        .bind("127.0.0.1:0")
        .backup_root("/nowhere/at/all")
        .start();
    assert!(error.unwrap_err().to_string().contains("/nowhere/at/all"));
}
