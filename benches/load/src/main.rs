//! The load harness: what Dormouse makes of this machine, beside what the machine can do at all, measured in turn in one
//! run. `load --help` says how; `docs/performance.md` says what the figures mean.

mod account;
mod arguments;
mod bank;
mod coordinator;
mod goals;
mod latency;
mod limits;
mod machine;
mod noise;
mod outcome;
mod peers;
mod plan;
mod poisson;
mod process;
mod progress;
mod quiet;
mod random;
mod range;
mod ratios;
mod recorder;
mod report;
mod sampler;
mod scenarios;
mod step;
mod summary;
mod table;
mod traffic;
mod units;
mod watch;
mod worker;
mod zipf;

use anyhow::Result;
use clap::Parser;

use crate::arguments::Arguments;

fn main() -> Result<()> {
    let arguments = Arguments::parse();
    if let (Some(from), Some(plot)) = (&arguments.from, &arguments.plot) {
        return coordinator::draw(from, plot);
    }
    match arguments.step() {
        Some(step) => worker::run(&step?),
        None => coordinator::run(&arguments),
    }
}
