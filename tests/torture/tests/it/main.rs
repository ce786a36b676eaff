//! The harnesses in short, as `make test` runs them. `make torture` runs them at length.

use std::path::Path;
use std::process::Command;

/// Runs a harness; its output is shown if it finds something.
fn torture(arguments: &[&str]) {
    torture_in(&std::env::temp_dir(), arguments);
}

fn torture_in(place: &Path, arguments: &[&str]) {
    assert!(tried(place, arguments) > 0, "{arguments:?}: nothing was tried");
}

/// Runs a harness that makes file systems. Where that can't be, it tries nothing and finds nothing: then this test has
/// shown nothing, and says so. Root with the tools for it has to try.
fn torture_with_mounts(arguments: &[&str]) {
    if tried(&std::env::temp_dir(), arguments) == 0 {
        assert!(
            !can_be_expected_to_mount(),
            "{arguments:?}: nothing was tried, though this is root and xfs_io and mkfs.ext4 are there"
        );
        eprintln!("{arguments:?}: NOTHING WAS TRIED, which takes root, mkfs.ext4, loop mounts and xfs_io");
    }
}

/// How much it tried, and found nothing.
fn tried(place: &Path, arguments: &[&str]) -> u64 {
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
    let tried = told
        .split_once(" tried in ")
        .and_then(|(before, _)| before.rsplit(' ').next());
    tried
        .and_then(|many| many.parse().ok())
        .expect("it says how much it tried")
}

fn can_be_expected_to_mount() -> bool {
    let id = Command::new("id").arg("-u").output().expect("id starts");
    let is_root = id.stdout.trim_ascii() == b"0";
    let path = std::env::var_os("PATH").unwrap_or_default();
    let is_there = |tool| std::env::split_paths(&path).any(|place| place.join(tool).exists());
    is_root && is_there("xfs_io") && is_there("mkfs.ext4")
}

/// Each hand-over between threads, under a few schedules.
#[test]
fn no_schedule_loses_anything() {
    torture(&["schedules", "--schedules", "40", "--seed", "7"]);
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

#[test]
fn with_the_power_cut_nothing_acknowledged_or_shown_is_lost() {
    torture_with_mounts(&["power", "--cuts", "8", "--seed", "4"]);
}

#[test]
fn a_disk_that_fails_stops_the_store_and_costs_nothing() {
    // one of each kind
    torture(&[
        "ioerr",
        "--first",
        "9",
        "--cases",
        "11",
        "--seed",
        "7",
        "--stall-ms",
        "1000",
    ]);
}

#[test]
fn a_copy_that_fails_costs_nothing_and_is_not_taken_for_one() {
    // one of each kind
    torture_with_mounts(&["copies", "--cases", "11", "--seed", "7"]);
}

#[test]
fn whatever_the_order_of_steps_each_answer_is_what_the_reference_says() {
    torture(&["simulate", "--seeds", "400", "--seed", "7"]);
}

#[test]
fn what_several_clients_are_told_could_be_told_to_one() {
    torture(&["linearize", "--histories", "20", "--seed", "7"]);
}

#[test]
fn what_is_missing_beneath_the_store_is_told_to_its_readers() {
    torture(&["holes", "--holes", "20"]);
}

#[test]
fn overloaded_it_handles_nothing_that_was_not_done_and_keeps_its_budget() {
    torture(&["overload", "--commands", "20000"]);
}

#[test]
fn panics_harm_their_own_aggregate_only() {
    torture(&["panics", "--panics", "500"]);
}

#[test]
fn readers_see_what_was_answered_while_runs_are_published() {
    torture(&["readers", "--readings", "20000"]);
}

#[test]
fn snapshots_of_another_schema_cost_time_only() {
    torture(&["schemas", "--turns", "4"]);
}

#[test]
fn under_steady_load_all_is_answered() {
    let samples = tempfile::tempdir().expect("a temporary directory can be made");
    let samples = samples.path().join("soak.json");
    let samples = samples.to_str().expect("its name is text");
    torture(&["soak", "--minutes", "0.05", "--samples", samples]);
}
