//! All harnesses in two lanes, and their summary.
//!
//! Each runs as a process of its own, of this program: what one does to its process (a panic hook, memory, threads, a
//! crash) is not seen by the one beside it.

mod process;
mod summary;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Mutex;

use anyhow::Result;

use self::process::Process;
use self::summary::Summary;

/// What a full run tries; `--scale 0.1` a tenth of each.
const KILL_POINTS: u32 = 1_000;
/// Drawn cases; every byte of a write-ahead file and every end of a record come on top.
const ROT_CASES: u32 = 6_000;
const POWER_CUTS: u32 = 1_000;
const IO_ERRORS: u32 = 500;
const COPIES: u32 = 110;
const SIMULATED_SEEDS: u32 = 100_000;
const HISTORIES: u32 = 1_000;
const HOLES: u32 = 1_000;
const OVERLOAD_COMMANDS: u32 = 2_000_000;
const PANICS: u32 = 200_000;
const READINGS: u32 = 3_000_000;
const SCHEMA_TURNS: u32 = 400;
/// An hour by hand (`soak --minutes 60`): all of them together are to take less than ninety minutes.
const SOAK_MINUTES: f64 = 12.0;
/// Of each target.
const FUZZ_SECONDS: u32 = 30;
/// Of each test.
const SCHEDULES: u32 = 10_000;

/// The settings of a run of all.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct All {
    /// A share of each harness's figure.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Where the summary goes; what each harness says goes beside it.
    #[arg(long, default_value = "target/torture/summary.json")]
    summary: PathBuf,
}

impl All {
    /// These mostly wait for a disk. `kill`, `power`, `ioerr` and `copies` mount, or have children of their own: they are
    /// never beside one another.
    fn waiting(&self) -> Vec<Process> {
        vec![
            self.process("kill", "--points", KILL_POINTS),
            self.process("power", "--cuts", POWER_CUTS),
            self.process("ioerr", "--cases", IO_ERRORS),
            self.process("copies", "--cases", COPIES),
            self.process("schemas", "--turns", SCHEMA_TURNS),
            self.process("panics", "--panics", PANICS),
        ]
    }

    /// These mostly compute.
    fn computing(&self) -> Vec<Process> {
        let every = ((1.0 / self.scale) as u32).max(1);
        vec![
            self.process("rot", "--cases", ROT_CASES).with("--every", every),
            self.process("holes", "--holes", HOLES),
            self.process("simulate", "--seeds", SIMULATED_SEEDS),
            self.process("linearize", "--histories", HISTORIES),
            self.process("schedules", "--schedules", SCHEDULES),
            Process::new("miri"),
            self.process("fuzz", "--seconds", FUZZ_SECONDS),
            self.process("readers", "--readings", READINGS),
        ]
    }

    /// These judge how long something takes, and want the machine for themselves. The last one builds, and runs some of
    /// the others again.
    fn alone(&self) -> Vec<Process> {
        let soak = Process::new("soak").with("--minutes", SOAK_MINUTES * self.scale);
        vec![
            self.process("overload", "--commands", OVERLOAD_COMMANDS),
            soak.with("--seed", self.seed),
            Process::new("planted").with("--seed", self.seed),
        ]
    }

    fn process(&self, harness: &'static str, option: &str, figure: u32) -> Process {
        let scaled = ((f64::from(figure) * self.scale) as u32).max(1);
        Process::new(harness)
            .with(option, scaled)
            .with("--seed", self.seed)
    }
}

/// Runs each to its end, whatever the one before found. The summary is written after each.
pub(crate) fn run(all: &All) -> Result<ExitCode> {
    let summary = Mutex::new(Summary::new(&all.summary, all.scale)?);
    let lane = |processes: Vec<Process>| {
        for process in processes {
            println!("{process}: begins");
            let tally = process.run(&all.summary);
            summary.lock().expect("no lane panics with it").add(tally)?;
        }
        anyhow::Ok(())
    };
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| lane(all.waiting()));
        lane(all.computing())?;
        waiting.join().expect("a lane does not panic")
    })?;
    lane(all.alone())?;
    let summary = summary.into_inner().expect("no lane panics with it");
    Ok(summary.end())
}
