//! Goes one path so many times, under whatever counts: `count PATH TIMES`.

use anyhow::{Context, Result};
use micro::Path;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let [path, times] = &arguments[..] else {
        anyhow::bail!(
            "usage: count PATH TIMES, with a path of {:?}",
            Path::ALL.map(Path::name)
        );
    };
    let path = Path::named(path).context("no path of that name")?;
    let times = times.parse().context("TIMES is a number")?;
    path.ready()(times);
    // what it would cost to take everything down grows with the number of times and is nobody's command
    std::process::exit(0)
}
