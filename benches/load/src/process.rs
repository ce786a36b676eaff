//! What the system says of this process: processor time, memory, bytes written.

use std::fs;

/// Linux shows hundredths of a second, whatever the kernel's own tick is.
const SECONDS_A_TICK: f64 = 0.01;

/// Used so far. Zeros where the system does not tell.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Usage {
    /// Processor time, over all cores.
    pub(crate) cpu_s: f64,
    /// Resident memory now.
    pub(crate) resident_bytes: u64,
    /// Bytes this process caused to be sent to the disk.
    pub(crate) written_bytes: u64,
}

impl Usage {
    pub(crate) fn now() -> Self {
        Self {
            cpu_s: cpu_seconds().unwrap_or_default(),
            resident_bytes: status_kib("VmRSS:").unwrap_or_default() * 1_024,
            written_bytes: written_bytes().unwrap_or_default(),
        }
    }
}

fn cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/self/stat").ok()?;
    // The second field is the program's name in parentheses; user and system time are the 14th and 15th.
    let mut times = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let (user, system): (f64, f64) = (times.next()?.parse().ok()?, times.next()?.parse().ok()?);
    Some((user + system) * SECONDS_A_TICK)
}

/// Processor time that everything on the machine has used, seconds over all cores.
pub(crate) fn machine_cpu_seconds() -> Option<f64> {
    let stat = fs::read_to_string("/proc/stat").ok()?;
    // user, nice, system, idle, waiting for a disk, interrupts (2), stolen
    let ticks: Vec<f64> = stat
        .lines()
        .next()?
        .split_whitespace()
        .skip(1)
        .filter_map(|field| field.parse().ok())
        .collect();
    let busy = ticks.iter().take(8).sum::<f64>() - ticks.get(3)? - ticks.get(4)?;
    Some(busy * SECONDS_A_TICK)
}

fn status_kib(field: &str) -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(field))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

fn written_bytes() -> Option<u64> {
    let io = fs::read_to_string("/proc/self/io").ok()?;
    io.lines()
        .find_map(|line| line.strip_prefix("write_bytes:"))?
        .trim()
        .parse()
        .ok()
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells() {
        assert!(cpu_seconds().is_some());
        assert!(machine_cpu_seconds().unwrap() >= cpu_seconds().unwrap());
        assert!(written_bytes().is_some());
        assert!(Usage::now().resident_bytes > 1 << 20);
    }
}
