//! What the spans of commands cost, in processor time of all threads: `make spans`.
//!
//! A subscriber is for good, so each setting has processes of its own, which start this program again. They take turns;
//! the least of each counts.

mod collector;
mod setting;

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, ensure};

use self::setting::Setting;

/// Enough for 5 hundredths of a microsecond, and for a few seconds each.
const COMMANDS: u64 = 100_000;
const ROUNDS: usize = 5;

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    match &arguments[..] {
        [] => compare(),
        [setting, collector] => {
            let setting = Setting::named(setting).context("no setting of that name")?;
            println!("{}", measure(setting, collector)?.as_nanos());
            // what is left to send is nobody's command
            std::process::exit(0)
        }
        _ => anyhow::bail!("usage: spans"),
    }
}

fn compare() -> Result<()> {
    let collector = collector::start()?;
    let mut least = Setting::ALL.map(|setting| (setting, Duration::MAX));
    for _ in 0..ROUNDS {
        for (setting, least) in &mut least {
            *least = (*least).min(in_its_own_process(*setting, &collector)?);
        }
    }
    println!("processor time a command, all threads");
    for (setting, least) in least {
        println!(
            "{:>6.2} µs  {}",
            least.as_nanos() as f64 / 1_000.0,
            setting.says()
        );
    }
    Ok(())
}

fn in_its_own_process(setting: Setting, collector: &str) -> Result<Duration> {
    let output = Command::new(std::env::current_exe()?)
        .args([setting.name(), collector])
        .output()?;
    ensure!(
        output.status.success(),
        "{}: {}",
        setting.name(),
        String::from_utf8_lossy(&output.stderr)
    );
    let nanos = String::from_utf8(output.stdout)?;
    Ok(Duration::from_nanos(nanos.trim().parse()?))
}

fn measure(setting: Setting, collector: &str) -> Result<Duration> {
    let mut go = setting.ready(collector)?;
    let before = processor_time()?;
    go(COMMANDS);
    let spent = processor_time()? - before;
    Ok(spent / u32::try_from(COMMANDS)?)
}

/// Of all threads of this process, none of which ends meanwhile.
fn processor_time() -> Result<Duration> {
    let mut nanos = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let told = std::fs::read_to_string(task?.path().join("schedstat"))?;
        let on_processor = told.split(' ').next().context("an empty schedstat")?;
        nanos += on_processor.parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanos))
}
