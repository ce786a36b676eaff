//! The command line.

use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use clap::Parser;

/// Replays the flights of 2013 from New York through durable aggregates, kills itself half-way, goes on, and compares
/// what is stored with the table.
#[derive(Debug, Clone, Parser)]
#[command(name = "flights", version)]
pub(crate) struct Arguments {
    /// Which months: `1..12`, or one, `7`.
    #[arg(long, default_value = "1..12", value_parser = parse_months)]
    months: Months,
    /// January only.
    #[arg(long, conflicts_with = "months")]
    fast: bool,
    /// Clients; each owns the aggregates whose ids hash to it.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u16).range(1..=16_384))]
    clients: u16,
    /// Commands that a client has in flight.
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u16).range(1..=256))]
    in_flight: u16,
    /// An empty or new directory for the store; by default one beside this program, emptied first.
    #[arg(long, value_name = "DIR")]
    store: Option<PathBuf>,
    /// Memory for resident aggregates: by default too little for all of them.
    #[arg(long, value_name = "MIB", default_value_t = 16, value_parser = clap::value_parser!(u32).range(1..))]
    memory_budget_mib: u32,
    /// Leave the worker alone.
    #[arg(long)]
    no_kill: bool,
    /// At the end, keep the console on the finished store until Ctrl-C. So does STAY=1 in the environment.
    #[arg(long)]
    stay: bool,
    /// Where the worker's console listens.
    #[arg(long, hide = true, value_name = "PORT", default_value_t = crate::console::PORT)]
    console: u16,
    /// Be the worker of another `flights`.
    #[arg(long, hide = true)]
    worker: bool,
}

#[derive(Debug, Clone, PartialEq)]
struct Months(RangeInclusive<u8>);

fn parse_months(text: &str) -> Result<Months, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let month = |text: &str| text.parse().ok().filter(|month| (1..=12).contains(month));
    match (month(first), month(last.trim_start_matches('='))) {
        (Some(first), Some(last)) if first <= last => Ok(Months(first..=last)),
        _ => Err("months are 1 to 12, as in 3 or 1..6".into()),
    }
}

impl Arguments {
    pub(crate) fn months(&self) -> RangeInclusive<u8> {
        if self.fast { 1..=1 } else { self.months.0.clone() }
    }

    pub(crate) fn clients(&self) -> usize {
        self.clients.into()
    }

    pub(crate) fn in_flight_max(&self) -> usize {
        self.in_flight.into()
    }

    pub(crate) fn memory_budget_bytes(&self) -> usize {
        self.memory_budget_mib as usize * 1024 * 1024
    }

    pub(crate) fn is_worker(&self) -> bool {
        self.worker
    }

    pub(crate) fn stays(&self) -> bool {
        self.stay || std::env::var("STAY").is_ok_and(|stay| !matches!(stay.as_str(), "" | "0"))
    }

    /// For the worker.
    pub(crate) fn console_port(&self) -> u16 {
        self.console
    }

    pub(crate) fn kills(&self) -> bool {
        !self.no_kill
    }

    /// Where the store is.
    pub(crate) fn store(&self) -> Result<PathBuf> {
        if let Some(chosen) = &self.store {
            return Ok(chosen.clone());
        }
        let program = std::env::current_exe().context("this program doesn't know where it is")?;
        Ok(program.parent().unwrap_or(Path::new(".")).join("flights-store"))
    }

    /// Sees to it that the store begins empty. Only the default place is ever emptied.
    pub(crate) fn prepare_store(&self) -> Result<PathBuf> {
        let path = self.store()?;
        let occupied = path.read_dir().is_ok_and(|mut entries| entries.next().is_some());
        if occupied && self.store.is_some() {
            bail!(
                "{} is not empty: name an empty or new directory, or remove it",
                path.display()
            );
        }
        if occupied {
            std::fs::remove_dir_all(&path).with_context(|| format!("{} can't be emptied", path.display()))?;
        }
        std::fs::create_dir_all(&path).with_context(|| format!("{} can't be made", path.display()))?;
        Ok(path)
    }

    /// The same for the worker.
    pub(crate) fn for_worker(&self, console_port: u16) -> Result<Vec<std::ffi::OsString>> {
        let months = self.months();
        Ok(vec![
            "--worker".into(),
            "--months".into(),
            format!("{}..{}", months.start(), months.end()).into(),
            "--clients".into(),
            self.clients.to_string().into(),
            "--in-flight".into(),
            self.in_flight.to_string().into(),
            "--memory-budget-mib".into(),
            self.memory_budget_mib.to_string().into(),
            "--store".into(),
            self.store()?.into(),
            "--console".into(),
            console_port.to_string().into(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(arguments: &[&str]) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from([&["flights"], arguments].concat())
    }

    #[test]
    fn months_are_one_or_a_range() {
        assert_eq!(parse(&[]).unwrap().months(), 1..=12);
        assert_eq!(parse(&["--months", "7"]).unwrap().months(), 7..=7);
        assert_eq!(parse(&["--months", "3..5"]).unwrap().months(), 3..=5);
        assert_eq!(parse(&["--fast"]).unwrap().months(), 1..=1);
        for wrong in ["0", "13", "5..3", "x", "1..", ""] {
            assert!(parse(&["--months", wrong]).is_err(), "{wrong}");
        }
        let both = parse(&["--fast", "--months", "1..6"]).unwrap_err().to_string();
        assert!(both.contains("cannot be used with"), "{both}");
    }

    #[test]
    fn the_worker_gets_the_same_settings() {
        let chosen = parse(&["--fast", "--clients", "9", "--in-flight", "3", "--store", "here"]).unwrap();
        let words = chosen.for_worker(7171).unwrap();
        let worker = Arguments::try_parse_from([vec!["flights".into()], words].concat()).unwrap();
        assert!(worker.is_worker());
        assert_eq!(worker.console_port(), 7171);
        assert_eq!(worker.months(), 1..=1);
        assert_eq!((worker.clients(), worker.in_flight_max()), (9, 3));
        assert_eq!(worker.store().unwrap(), Path::new("here"));
        assert_eq!(worker.memory_budget_bytes(), chosen.memory_budget_bytes());
    }

    #[test]
    fn a_directory_with_something_in_it_is_never_emptied() {
        let dir = std::env::temp_dir().join(format!("flights-arguments-{}", std::process::id()));
        std::fs::create_dir_all(&dir).unwrap();
        std::fs::write(dir.join("precious"), "x").unwrap();
        let chosen = parse(&["--store", dir.to_str().unwrap()]).unwrap();
        let refused = chosen.prepare_store().unwrap_err().to_string();
        assert!(refused.contains("is not empty"), "{refused}");
        assert!(dir.join("precious").exists());
        std::fs::remove_dir_all(&dir).unwrap();
    }
}
