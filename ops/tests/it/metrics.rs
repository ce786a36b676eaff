//! `/metrics`, with our recorder and with another.

use std::process::Command;

use dormouse_persistence::Store;

use crate::bank::{deposit, start};
use crate::client::{get, open};

#[tokio::test(flavor = "multi_thread")]
async fn histograms_have_buckets() {
    let ops = open();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    for n in 0..20 {
        deposit(&bank, &format!("acc-{n}"), 10).await;
    }
    let answer = get(&ops, "/metrics", &[]);
    assert_eq!(
        answer.header("Content-Type"),
        Some("text/plain; version=0.0.4; charset=utf-8")
    );
    let has = |start: &str| answer.body.lines().any(|line| line.starts_with(start));
    assert!(has("dormouse_commands_total{"), "{}", answer.body);
    assert!(has("# HELP dormouse_commands_total"));
    assert!(
        has("dormouse_commit_wait_seconds_bucket{le=\"0.005\"}"),
        "{}",
        answer.body
    );
    assert!(
        has("dormouse_journal_batch_bytes_bucket{le=\"4096\"}"),
        "{}",
        answer.body
    );
    assert!(
        !answer.body.contains("quantile="),
        "quantiles of several instances can't be added up"
    );

    // a second server of the same process has the same
    assert!(
        get(&open(), "/metrics", &[])
            .body
            .contains("dormouse_commands_total")
    );
}

/// In a process of its own: a recorder is for good.
const CHILD: &str = "DORMOUSE_TEST_OWN_RECORDER";

#[test]
fn a_recorder_of_the_services_own_is_left_alone() {
    if std::env::var_os(CHILD).is_some() {
        metrics::set_global_recorder(metrics::NoopRecorder).unwrap();
        let answer = get(&open(), "/metrics", &[]);
        assert_eq!(answer.status, 404);
        let error = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(error.contains("recorder of its own"), "{error}");
        return;
    }
    let this = std::env::current_exe().unwrap();
    let child = Command::new(this)
        .args(["--exact", "metrics::a_recorder_of_the_services_own_is_left_alone"])
        .env(CHILD, "1")
        .output()
        .unwrap();
    let told = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && told.contains("1 passed"), "{told}");
}
