//! `/metrics`, with our recorder.

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
        has("dormouse_activation_seconds_bucket{le=\"0.005\"}"),
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
