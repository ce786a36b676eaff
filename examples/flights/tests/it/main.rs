//! The demonstration from outside: January, with its SIGKILL.

use std::path::Path;
use std::process::{Command, Output};

fn flights(store: &Path, arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_flights"))
        .arg("--store")
        .arg(store)
        .args(arguments)
        .output()
        .expect("the demonstration can be started")
}

/// Beside the build, which is on a disk; the temporary directory may be in memory.
fn new_directory() -> tempfile::TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build's directory can be written")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[test]
fn january_is_complete_after_a_kill() {
    let store = new_directory();
    let output = flights(store.path(), &["--fast", "--memory-budget-mib", "2"]);
    let (shown, told) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{}\n{told}\n{shown}", output.status);
    assert!(told.contains("killed the worker (SIGKILL)"), "{told}");
    let normal = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    for expected in [
        "flights scheduled 27,004 27,004 equal",
        "flights departed 26,483 26,483 equal",
        "flights arrived 26,468 26,468 equal",
        "flights cancelled 521 521 equal",
        "take-offs 26,464 26,464 equal",
        "landings 26,462 26,462 equal",
        "Every total is equal, after a SIGKILL.",
    ] {
        assert!(normal.contains(expected), "no {expected:?} in\n{shown}");
    }
    assert!(!normal.contains("evictions 0 "), "nothing was evicted:\n{shown}");
}

#[test]
fn a_directory_in_use_is_left_alone() {
    let store = new_directory();
    std::fs::write(store.path().join("precious"), "x").unwrap();
    let output = flights(store.path(), &["--fast"]);
    assert!(!output.status.success());
    assert!(
        text(&output.stderr).contains("is not empty"),
        "{}",
        text(&output.stderr)
    );
    assert!(store.path().join("precious").exists());
}
