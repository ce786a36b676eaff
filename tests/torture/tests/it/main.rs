//! The harnesses in short, as `make test` runs them. `make torture` runs them at length.

use std::path::Path;
use std::process::Command;

/// Runs a harness; its output is shown if it finds something.
fn torture(arguments: &[&str]) {
    torture_in(&std::env::temp_dir(), arguments);
}

fn torture_in(place: &Path, arguments: &[&str]) {
    let directory = tempfile::tempdir_in(place).expect("a temporary directory can be made");
    let out = Command::new(env!("CARGO_BIN_EXE_torture"))
        .args(arguments)
        .arg("--directory")
        .arg(directory.path().join("kept"))
        .output()
        .expect("the harness starts");
    let (told, said) = (
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr),
    );
    assert!(out.status.success(), "{arguments:?}\n{told}\n{said}");
    assert!(told.contains(" 0 violations"), "{told}");
}

#[test]
fn killed_at_any_instant_nothing_acknowledged_is_lost() {
    torture(&["kill", "--points", "24", "--seed", "7"]);
}

#[test]
fn a_damaged_store_opens_whole_or_says_what_is_damaged() {
    // Hundreds of stores are made and opened: in memory, where there is a directory for it.
    let memory = Path::new("/dev/shm");
    let temporary = std::env::temp_dir();
    let place = if memory.is_dir() { memory } else { &temporary };
    torture_in(place, &["rot", "--cases", "80", "--every", "500", "--seed", "7"]);
}
