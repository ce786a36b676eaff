//! Processor time, as the system tells it; the load harness counts the same way.

use std::fs;

/// Linux shows hundredths of a second, whatever the kernel's own tick is.
const SECONDS_A_TICK: f64 = 0.01;

/// What everything on the machine has used, seconds over all cores.
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

/// What this process has used.
pub(crate) fn own_cpu_seconds() -> f64 {
    Process::read("self").map_or(0.0, |own| own.cpu_seconds)
}

/// What a process, its children now and those that ended have used.
pub(crate) fn family_cpu_seconds(parent: u32) -> f64 {
    let Some(head) = Process::read(&parent.to_string()) else {
        return 0.0;
    };
    let running = fs::read_dir("/proc").into_iter().flatten().flatten();
    let children = running
        .filter_map(|entry| Process::read(entry.file_name().to_str()?))
        .filter(|process| process.parent == parent);
    head.cpu_seconds + head.ended_children_cpu_seconds + children.map(|child| child.cpu_seconds).sum::<f64>()
}

struct Process {
    parent: u32,
    cpu_seconds: f64,
    ended_children_cpu_seconds: f64,
}

impl Process {
    fn read(pid: &str) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        // The second field is the program's name in parentheses. After it, from 0: state, parent, … user and system time
        // at 11 and 12, those of children that were waited for at 13 and 14.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |at: usize| fields.get(at)?.parse::<f64>().ok();
        Some(Self {
            parent: fields.get(1)?.parse().ok()?,
            cpu_seconds: (ticks(11)? + ticks(12)?) * SECONDS_A_TICK,
            ended_children_cpu_seconds: (ticks(13)? + ticks(14)?) * SECONDS_A_TICK,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_tells() {
        let family = family_cpu_seconds(std::process::id());
        assert!(machine_cpu_seconds().unwrap() >= family);
        assert!(family >= own_cpu_seconds() - 0.1);
    }
}
