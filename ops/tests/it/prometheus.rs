//! A real Prometheus scrapes a runtime under load: every query of the dashboard has data, every alert rule is evaluated.

mod configuration;
mod dashboard;
mod load;
mod secured;
mod server;

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::Value;

use self::configuration::{RULES, plain};
use self::load::Bank;
use self::server::Prometheus;
use crate::client::{authority, get, open};

/// For all of what is waited for. On a quiet machine a few seconds.
const PATIENCE: Duration = Duration::from_secs(90);
const POLL_EVERY: Duration = Duration::from_millis(200);

/// Whether Debian's package `prometheus` is there. Loud if not.
fn installed() -> bool {
    let there = ["prometheus", "promtool"]
        .iter()
        .all(|program| Command::new(program).arg("--version").output().is_ok());
    if !there {
        eprintln!(
            "SKIPPED: prometheus and promtool are not installed (apt-get install prometheus, or scripts/setup.sh)"
        );
    }
    there
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_prometheus_has_data_for_each_query_and_rule() {
    if !installed() {
        return;
    }
    let ops = open();
    let bank = Bank::under_load().await;
    ops.attach(&bank.runtime);
    let prometheus = Prometheus::start(&plain(&authority(&ops)));
    until("it was scraped five times", || {
        let scrapes = prometheus.query("sum_over_time(up{job=\"bank\"}[1m])")?;
        if number(&scrapes) >= Some(5.0) {
            Ok(())
        } else {
            Err(scrapes.to_string())
        }
    })
    .await;

    let mut queries = dashboard::queries();
    until("each query of the dashboard has data", || {
        queries.retain(|query| prometheus.query(query).ok().as_ref().and_then(number).is_none());
        let told: Vec<_> = queries
            .iter()
            .map(|query| (query, prometheus.query(query)))
            .collect();
        if told.is_empty() {
            Ok(())
        } else {
            Err(format!("{told:#?}"))
        }
    })
    .await;

    bank.panic().await;
    until(
        "the rules were evaluated, and only the panic is alerted of",
        || {
            let states = prometheus.rules()?;
            let firing: Vec<_> = states
                .iter()
                .filter(|rule| rule.firing)
                .map(|rule| rule.name.as_str())
                .collect();
            if firing == ["DormousePanics"] {
                Ok(())
            } else {
                Err(format!("firing: {firing:?}"))
            }
        },
    )
    .await;
    check_rules(&prometheus);
    check_text(&get(&ops, "/metrics", &[]).body);

    bank.end().await;
    ops.stop().await;
}

/// Each rule's expression can be evaluated, alerting or not.
fn check_rules(prometheus: &Prometheus) {
    let rules = prometheus.rules().unwrap();
    let written = std::fs::read_to_string(RULES)
        .unwrap()
        .matches("- alert: ")
        .count();
    assert_eq!(rules.len(), written);
    for rule in rules {
        assert_eq!(
            (rule.health.as_str(), rule.error.as_str()),
            ("ok", ""),
            "{}",
            rule.name
        );
        if let Err(error) = prometheus.query(&rule.query) {
            panic!("{}: {error}", rule.name);
        }
    }
}

/// Names, types and units are as Prometheus would have them.
fn check_text(metrics: &str) {
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(metrics.as_bytes()).unwrap();
    let told = check.wait_with_output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
}

#[test]
fn alerts_fire_when_they_should_and_not_otherwise() {
    if !installed() {
        return;
    }
    for arguments in [
        ["check", "rules", "rules.yml"],
        ["test", "rules", "rules.test.yml"],
    ] {
        let told = Command::new("promtool")
            .args(arguments)
            .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/prometheus"))
            .output()
            .unwrap();
        let text = [told.stdout, told.stderr].concat();
        assert!(
            told.status.success(),
            "{arguments:?}: {}",
            String::from_utf8_lossy(&text)
        );
    }
}

#[tokio::test]
async fn the_process_is_measured_and_not_ready_while_the_store_is_opened() {
    let ops = open();
    let answer = get(&ops, "/metrics", &[]);
    assert_eq!(answer.status, 200);
    for name in [
        "process_open_fds",
        "process_max_fds",
        "process_resident_memory_bytes",
        "process_cpu_seconds_total",
        "process_threads",
        "process_start_time_seconds",
    ] {
        let line = format!("\n{name} ");
        assert!(answer.body.contains(&line), "{name} is missing: {}", answer.body);
    }
    let counter = "\n# TYPE process_cpu_seconds_total counter\n";
    assert!(answer.body.contains(counter), "{}", answer.body);
    // other tests of this process may have a runtime, and say so meanwhile
    until("it is not ready", || {
        let told = get(&ops, "/metrics", &[]).body;
        told.contains("\ndormouse_ready 0").then_some(()).ok_or(told)
    })
    .await;
}

/// The first finite value of a query's answer.
fn number(answer: &Value) -> Option<f64> {
    let results = answer.as_array()?;
    let values = results
        .iter()
        .filter_map(|result| result["value"][1].as_str()?.parse().ok());
    values.into_iter().find(|value: &f64| value.is_finite())
}

/// Polls until `holds`; fails with what it last said.
async fn until(what: &str, mut holds: impl FnMut() -> Result<(), String>) {
    let end = Instant::now() + PATIENCE;
    while let Err(because) = holds() {
        assert!(Instant::now() < end, "never happened: {what}\n{because}");
        tokio::time::sleep(POLL_EVERY).await;
    }
}
