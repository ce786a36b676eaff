//! Miri: undefined behaviour, in our dependencies above all, since our own code has no `unsafe`.

use anyhow::{Context, Result, bail};

use crate::cargo::{answers, cargo};
use crate::tally::Tally;

/// What miri can run: no files, no C++. Tests that take it too long or that read files are left out, by name.
const RUNS: [(&str, &[&str]); 2] = [
    ("dormouse-domain", &["--lib"]),
    (
        "dormouse-persistence",
        &[
            "--no-default-features",
            "--lib",
            "--",
            "format::",
            "queue::",
            "tail::",
        ],
    ),
];

pub(crate) fn run() -> Result<Tally> {
    let mut tally = Tally::new("miri", 0);
    if !answers(cargo("miri", &["+nightly", "miri", "--version"])) {
        tally.skip("miri is not installed (rustup +nightly component add miri): nothing was run");
        return Ok(tally);
    }
    for (package, arguments) in RUNS {
        let mut miri = cargo("miri", &["+nightly", "miri", "test", "--package", package]);
        miri.args(arguments).env("MIRIFLAGS", "-Zmiri-disable-isolation");
        let status = miri.status().context("run miri")?;
        tally.tried(package, "");
        if !status.success() {
            bail!("miri refuses {package}: see above");
        }
    }
    Ok(tally)
}
