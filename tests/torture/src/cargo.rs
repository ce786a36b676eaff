//! Harnesses that are builds of their own: cargo, run in this repository with a target directory apart.

use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The root of the repository that this was built from.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// `cargo` with these arguments; what it builds goes to `target/NAME`, so that no other build is thrown away.
pub(crate) fn cargo(name: &str, arguments: &[&str]) -> Command {
    let mut cargo = Command::new("cargo");
    cargo
        .args(arguments)
        .current_dir(root())
        .env("CARGO_TARGET_DIR", root().join("target").join(name))
        .stdin(Stdio::null());
    // of the toolchain that runs this, which need not be the one that is wanted there
    for variable in [
        "RUSTUP_TOOLCHAIN",
        "RUSTC",
        "RUSTDOC",
        "CARGO",
        "CARGO_ENCODED_RUSTFLAGS",
    ] {
        cargo.env_remove(variable);
    }
    cargo
}

/// Whether a command ends well: how it is asked for its version.
pub(crate) fn answers(mut command: Command) -> bool {
    let told = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
    told.is_ok_and(|status| status.success())
}
