//! What a run was measured on: figures without it say nothing.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

/// The machine and how the program was built.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    /// The processor's name.
    pub(crate) processor: String,
    /// Cores that this process may use.
    pub(crate) cores: usize,
    /// Memory, MiB.
    pub(crate) memory_mib: u64,
    /// Kernel.
    pub(crate) kernel: String,
    /// File system that the stores lie on.
    pub(crate) file_system: String,
    /// `release` or `dev`.
    pub(crate) profile: String,
    /// Runnable threads of the whole machine when the run began, averaged over a minute: others at work make noise.
    pub(crate) load_before: f64,
}

impl Machine {
    pub(crate) fn look(store: &Path) -> Self {
        Self {
            processor: first_value("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
            memory_mib: memory_kib().unwrap_or_default() / 1_024,
            kernel: read("/proc/sys/kernel/osrelease").unwrap_or_else(unknown),
            file_system: file_system(store).unwrap_or_else(unknown),
            profile: if cfg!(debug_assertions) { "dev" } else { "release" }.into(),
            load_before: load().unwrap_or_default(),
        }
    }

    /// One line for tables and pages.
    pub(crate) fn line(&self) -> String {
        format!(
            "{}, {} cores, {:.0} GiB, Linux {}, {}, built for {}, load {:.1} before the run",
            self.processor,
            self.cores,
            self.memory_mib as f64 / 1_024.0,
            self.kernel,
            self.file_system,
            self.profile,
            self.load_before
        )
    }
}

/// Runnable threads, averaged over the last minute.
fn load() -> Option<f64> {
    read("/proc/loadavg")?.split_whitespace().next()?.parse().ok()
}

fn unknown() -> String {
    "unknown".into()
}

fn read(path: &str) -> Option<String> {
    Some(fs::read_to_string(path).ok()?.trim().to_owned())
}

fn first_value(path: &str, field: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(field))?;
    Some(line.trim_start_matches([' ', '\t', ':']).trim().to_owned())
}

fn memory_kib() -> Option<u64> {
    first_value("/proc/meminfo", "MemTotal")?
        .trim_end_matches("kB")
        .trim()
        .parse()
        .ok()
}

/// The type of the mount with the longest path above `store`.
fn file_system(store: &Path) -> Option<String> {
    let store = fs::canonicalize(store).ok()?;
    let mounts = fs::read_to_string("/proc/self/mounts").ok()?;
    let mut above: Vec<(&str, &str)> = mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split_whitespace().skip(1);
            Some((fields.next()?, fields.next()?))
        })
        .filter(|(path, _)| store.starts_with(path))
        .collect();
    above.sort_by_key(|(path, _)| path.len());
    above.last().map(|(_, kind)| (*kind).to_owned())
}
