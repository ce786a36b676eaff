//! The program as its users run it, at the smallest size.

use std::path::Path;
use std::process::{Command, Output};

fn load(directory: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_load"))
        .args(arguments)
        .current_dir(directory)
        .output()
        .expect("cargo built it")
}

#[test]
fn a_tiny_run_leaves_figures_and_a_page_and_no_store() {
    let directory = tempfile::tempdir().unwrap();
    let arguments = ["limits", "spread", "hot", "ids", "open", "--runs", "1"];
    let sizes = [
        "--seconds",
        "0.2",
        "--events",
        "1000",
        "--accounts",
        "100",
        "--clients",
        "1,512",
        "--patience",
        "0",
    ];
    let output = load(directory.path(), &[&arguments[..], &sizes].concat());
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success(),
        "{told}{}",
        String::from_utf8_lossy(&output.stderr)
    );

    let bench = directory.path().join("target/bench");
    let json = std::fs::read(bench.join("summary.json")).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
    let scenarios = &json["scenarios"];
    for name in [
        "l0",
        "raw-put",
        "l1",
        "l2",
        "spread-1",
        "spread-512",
        "hot-512",
        "ids-512",
        "ids-hot-64",
        "open",
    ] {
        assert!(told.contains(name), "{told}");
        for figure in ["commands_per_s", "p50_us", "p99_us", "p999_us"] {
            let value = scenarios[name][figure].as_f64();
            assert!(
                value.is_some_and(|value| value > 0.0),
                "{name} {figure} {value:?}"
            );
        }
    }
    for (name, ratio) in [
        ("spread-512", "ratio_l1"),
        ("spread-512", "ratio_l2"),
        ("spread-1", "ratio_raw_put"),
        ("hot-512", "ratio_spread"),
        ("ids-512", "ratio_spread"),
    ] {
        assert!(scenarios[name][ratio].as_f64().unwrap() > 0.0, "{name} {ratio}");
    }
    assert_eq!(scenarios["spread-512"]["errors"], 0.0);
    // L1 writes what the program stored: all of the measured commands, and those of the warm-up.
    let stored = scenarios["l1"]["commands"].as_f64().unwrap();
    assert!(stored > scenarios["spread-512"]["commands"].as_f64().unwrap());
    assert_eq!(scenarios["l1"]["commands"], scenarios["l2"]["commands"]);

    assert!(
        std::fs::read_to_string(bench.join("report.html"))
            .unwrap()
            .contains("<svg")
    );
    let left: Vec<_> = std::fs::read_dir(&bench)
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 2, "{left:?}");

    let again = ["--from", "target/bench/summary.json", "--plot", "again.svg"];
    assert!(load(directory.path(), &again).status.success());
    let picture = std::fs::read_to_string(directory.path().join("again.svg")).unwrap();
    assert!(picture.contains("spread, 512 clients"), "{picture}");
}

#[test]
fn a_step_that_fails_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("file"), "").unwrap();
    let output = load(directory.path(), &["spread", "--store", "file"]);
    assert!(!output.status.success());
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("file"), "{told}");
}
