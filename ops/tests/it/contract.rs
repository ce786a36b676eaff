//! Whether the API does what its description says: schemathesis makes thousands of requests of the description, good ones
//! and bad ones, and compares each answer with it, while the runtime is under load.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dormouse_ops::{Ops, Scope};
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use tempfile::TempDir;

use crate::bank::{account, deposit, start};
use crate::client::get;
use crate::tokens::{ACT, bearer, file};

/// Requests of each operation beside those for its bounds: enough to find what is wrong often. A release tries more:
/// `SCHEMATHESIS_EXAMPLES=500 SCHEMATHESIS_SEED=7`.
const EXAMPLES: &str = "8";
const SEED: &str = "5";

/// The description that is checked in, for people and for whoever compares versions.
const CHECKED_IN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

#[test]
fn the_description_that_is_checked_in_is_the_one_that_is_served() {
    let ops = crate::client::open();
    let served = get(&ops, "/api/v1/openapi.json", &[]).json();
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        let text = serde_json::to_string_pretty(&served).unwrap();
        std::fs::write(CHECKED_IN, text + "\n").unwrap();
    }
    let checked_in = std::fs::read_to_string(CHECKED_IN).unwrap();
    let checked_in: serde_json::Value = serde_json::from_str(&checked_in).unwrap();
    assert!(
        served == checked_in,
        "docs/openapi.json is not what is served. If the change is meant: UPDATE_OPENAPI=1 cargo test -p dormouse-ops"
    );
}

/// Where scripts/setup.sh puts it, or wherever it is in the PATH.
fn schemathesis() -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cache")));
    let ours = cache.map(|cache| cache.join("dormouse/schemathesis/bin/schemathesis"));
    let places = ours.into_iter().chain(["schemathesis".into()]);
    let mut runs = places.filter(|place| {
        let version = Command::new(place).arg("--version").output();
        version.is_ok_and(|version| version.status.success())
    });
    runs.next()
}

fn chosen(variable: &str, default: &str) -> String {
    std::env::var(variable).unwrap_or(default.into())
}

/// Deposits on a hundred accounts until it is told to stop.
async fn load(bank: Dormouse, stop: Arc<AtomicBool>) {
    for n in 0_u64.. {
        if stop.load(Ordering::Relaxed) {
            return;
        }
        let id = format!("acc-{}", n % 100);
        // drained, it refuses
        let _ = account(&bank, &id)
            .execute(crate::bank::Deposit { cents: 1 })
            .await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_answer_differs_from_the_description() {
    let Some(schemathesis) = schemathesis() else {
        eprintln!(
            "SKIPPED: schemathesis is not installed (scripts/schemathesis.sh installs it where python3 has venv)"
        );
        return;
    };
    let directory = TempDir::new().unwrap();
    let backups = directory.path().join("backups");
    std::fs::create_dir(&backups).unwrap();
    let ops = Ops::builder()
        .bind("127.0.0.1:0")
        .token_file(Scope::Act, file(&directory, "act-token", ACT))
        .wrong_tokens_max(u32::MAX)
        .backup_root(&backups)
        .start()
        .unwrap();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    deposit(&bank, "acc-1", 10).await;
    let stop = Arc::new(AtomicBool::new(false));
    let loaded = tokio::spawn(load(bank.clone(), Arc::clone(&stop)));

    // draining ends the load, so it comes last
    for part in ["--exclude-operation-id", "--include-operation-id"] {
        let run = Command::new(&schemathesis)
            .current_dir(directory.path())
            .args(["run", &format!("{}api/v1/openapi.json", ops.url())])
            .args(["--header", &bearer(ACT)])
            .args([part, "drain"])
            .args(["--checks", "all", "--no-color", "--generation-database", "none"])
            .args(["--seed", &chosen("SCHEMATHESIS_SEED", SEED)])
            .args(["--max-examples", &chosen("SCHEMATHESIS_EXAMPLES", EXAMPLES)])
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&run.stdout);
        assert!(
            run.status.success(),
            "{told}\n{}",
            String::from_utf8_lossy(&run.stderr)
        );
    }
    stop.store(true, Ordering::Relaxed);
    loaded.await.unwrap();
}
