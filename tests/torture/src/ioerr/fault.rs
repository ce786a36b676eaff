//! What is done to a child's disk, by number and seed.

use std::time::Duration;

use super::injection::{Injection, Part};
use super::place::Kind;
use crate::random::Random;

/// One case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) fault: Fault,
    /// The child is told to reopen before the fault is gone, too.
    pub(crate) reopens_early: bool,
    /// The fault goes while the child lives; otherwise the next opening is another process's.
    pub(crate) heals: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Fault {
    /// Calls of a running child.
    Running(Injection),
    /// Calls of a child from its start; on a new store or on one that is there.
    Opening { injection: Injection, is_new: bool },
    /// So many bytes are left; without room for the space that RocksDB reserves, if `tight`; from the start, if `opening`.
    Full {
        kind: Kind,
        left: u64,
        tight: bool,
        opening: bool,
    },
    /// No file may grow so far beyond what the newest log has. The signal that comes with it is ignored, or kills.
    FileSize { above: u64, ignored: bool },
    /// So many file descriptors; what a running child has counts.
    Descriptors { allowed: u64, opening: bool },
    /// The filesystem is shut down.
    ShutDown,
    /// The filesystem makes itself read-only.
    ReadOnly,
    /// Files are removed under an open store.
    Deleted(&'static str),
    /// One sync takes so long.
    Stall { injection: Injection, time: Duration },
}

/// Calls of a running child on its log, with the highest number that is drawn: about so many does one thread make.
/// Files of the log come and go while it is opened.
const RUNNING_LOG: [(&str, u64); 3] = [("write", 60), ("fdatasync", 60), ("fsync", 4)];
/// Calls of a running child on its watermark, which it writes every tenth of a second.
const RUNNING_WATERMARK: [(&str, u64); 2] = [("write", 3), ("fdatasync", 3)];
/// Calls of a running child on what is derived: runs are written, linked, read and removed.
const RUNNING_DERIVED: [(&str, u64); 9] = [
    ("write", 60),
    ("fdatasync", 6),
    ("fsync", 12),
    ("openat", 12),
    ("link", 6),
    ("unlink", 6),
    ("pread64", 12),
    ("sync_file_range", 4),
    ("fallocate", 4),
];
/// Calls while a store is opened.
const OPENING: [(&str, u64); 16] = [
    ("openat", 40),
    ("write", 30),
    ("read", 16),
    ("pread64", 24),
    ("fdatasync", 6),
    ("fsync", 12),
    ("rename", 4),
    ("unlink", 6),
    ("link", 3),
    ("mkdir", 3),
    ("ftruncate", 4),
    ("fallocate", 4),
    ("getdents64", 6),
    ("statx", 8),
    ("newfstatat", 8),
    ("flock", 1),
];
const ERRORS: [&str; 3] = ["EIO", "ENOSPC", "EDQUOT"];
/// What a read may fail with.
const READ_ERRORS: [&str; 1] = ["EIO"];
/// What a call that makes a file may fail with beyond [`ERRORS`].
const OPEN_ERRORS: [&str; 6] = ["EIO", "ENOSPC", "EROFS", "EMFILE", "ENFILE", "EACCES"];
/// Interruptions in a row.
const BURST: u64 = 12;

/// What can be done here.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Means {
    pub(crate) strace: bool,
    pub(crate) mounts: bool,
    pub(crate) stall: Duration,
}

impl Case {
    /// The case with this number: numbers that follow each other are of different kinds.
    pub(crate) fn of(number: u32, random: &mut Random, means: Means) -> Self {
        Self {
            fault: Fault::of(number, random, means),
            reopens_early: random.below(2) == 0,
            heals: random.below(4) > 0,
        }
    }
}

impl Fault {
    fn of(number: u32, random: &mut Random, means: Means) -> Self {
        let kind = number % 20;
        let needs_mount = [13, 16, 17].contains(&kind);
        let needs_strace = ![13, 14, 15, 16, 17, 18].contains(&kind);
        if (needs_mount && !means.mounts) || (needs_strace && !means.strace) {
            return match random.below(3) {
                0 => Self::deleted(random),
                1 => Self::descriptors(random),
                _ => Self::file_size(random),
            };
        }
        match kind {
            1 | 3 | 5 | 7 | 9 => Self::Opening {
                injection: failing(part(random), &OPENING, random),
                is_new: random.below(4) == 0,
            },
            11 => Self::running(random, interrupted),
            12 => Self::Opening {
                injection: interrupted(part(random), &OPENING, random),
                is_new: random.below(4) == 0,
            },
            13 => Self::full(random),
            14 => Self::file_size(random),
            15 => Self::descriptors(random),
            16 => Self::ShutDown,
            17 => Self::ReadOnly,
            18 => Self::deleted(random),
            // once in a hundred cases: it takes as long as it says
            19 if number % 100 == 19 => Self::Stall {
                injection: Injection {
                    part: Part::Log,
                    call: "fdatasync",
                    what: format!("delay_enter={}", means.stall.as_micros()),
                    when: (1 + random.below(20)).to_string(),
                },
                time: means.stall,
            },
            _ => Self::running(random, failing),
        }
    }

    fn running(
        random: &mut Random,
        injection: fn(Part, &[(&'static str, u64)], &mut Random) -> Injection,
    ) -> Self {
        let part = part(random);
        Self::Running(match part {
            Part::Log => injection(part, &RUNNING_LOG, random),
            Part::Watermark => injection(part, &RUNNING_WATERMARK, random),
            Part::Derived | Part::All => injection(part, &RUNNING_DERIVED, random),
        })
    }

    fn full(random: &mut Random) -> Self {
        Self::Full {
            kind: if random.below(2) == 0 {
                Kind::Tmpfs
            } else {
                Kind::Ext4
            },
            left: random.below(3) * random.below(1 << 20),
            tight: random.below(2) == 0,
            opening: random.below(4) == 0,
        }
    }

    fn file_size(random: &mut Random) -> Self {
        Self::FileSize {
            above: random.below(64 << 10),
            ignored: random.below(4) > 0,
        }
    }

    fn descriptors(random: &mut Random) -> Self {
        let opening = random.below(2) == 0;
        Self::Descriptors {
            // what the process needs before it comes to the store is not what is tried
            allowed: if opening {
                28 + random.below(40)
            } else {
                random.below(90)
            },
            opening,
        }
    }

    fn deleted(random: &mut Random) -> Self {
        Self::Deleted(["store", "log", "derived"][random.below(3) as usize])
    }

    /// For the table.
    pub(crate) fn name(&self) -> String {
        let of = |part| match part {
            Part::Log => "log",
            Part::Watermark => "watermark",
            Part::Derived => "derived",
            Part::All => "all",
        };
        match self {
            Self::Running(injection) if injection.what.contains("EINTR") => "running: EINTR".to_owned(),
            Self::Opening { injection, .. } if injection.what.contains("EINTR") => {
                "opening: EINTR".to_owned()
            }
            Self::Running(injection) => {
                let (part, often) = (
                    of(injection.part),
                    if injection.lasts() { "for good" } else { "once" },
                );
                format!("running: {} in {part}, {often}", injection.call)
            }
            Self::Opening { injection, is_new } => {
                let store = if *is_new { "a new store" } else { "a store" };
                format!("opening {store}: {}", injection.call)
            }
            Self::Full { kind, opening, .. } => {
                let when = if *opening { "opening" } else { "running" };
                format!("{when}: full {kind:?}").to_lowercase()
            }
            Self::FileSize { ignored: true, .. } => "running: RLIMIT_FSIZE".to_owned(),
            Self::FileSize { ignored: false, .. } => "running: RLIMIT_FSIZE, killed by SIGXFSZ".to_owned(),
            Self::Descriptors { opening: true, .. } => "opening: few descriptors".to_owned(),
            Self::Descriptors { opening: false, .. } => "running: few descriptors".to_owned(),
            Self::ShutDown => "running: ext4 shut down".to_owned(),
            Self::ReadOnly => "running: ext4 read-only".to_owned(),
            Self::Deleted(what) => format!("running: {what} deleted"),
            Self::Stall { injection, .. } => format!("running: {} stalled", injection.call),
        }
    }
}

fn failing(part: Part, calls: &[(&'static str, u64)], random: &mut Random) -> Injection {
    let (call, most) = calls[random.below(calls.len() as u64) as usize];
    let errors: &[&str] = match call {
        "read" | "pread64" | "getdents64" | "statx" | "newfstatat" => &READ_ERRORS,
        "openat" | "mkdir" | "rename" | "link" => &OPEN_ERRORS,
        _ => &ERRORS,
    };
    let error = errors[random.below(errors.len() as u64) as usize];
    // low numbers as often as high ones
    let most = if random.below(2) == 0 {
        most.div_ceil(8)
    } else {
        most
    };
    let nth = 1 + random.below(most);
    let lasts = if random.below(2) == 0 { "+" } else { "" };
    Injection {
        part,
        call,
        what: format!("error={error}"),
        when: format!("{nth}{lasts}"),
    }
}

/// Of the calls that may be.
fn interrupted(part: Part, calls: &[(&'static str, u64)], random: &mut Random) -> Injection {
    const INTERRUPTED: [&str; 6] = ["write", "openat", "read", "pread64", "fdatasync", "fsync"];
    let calls: Vec<_> = calls
        .iter()
        .filter(|(call, _)| INTERRUPTED.contains(call))
        .collect();
    let (call, most) = *calls[random.below(calls.len() as u64) as usize];
    let nth = 1 + random.below(most);
    let last = nth + random.below(BURST);
    Injection {
        part,
        call,
        what: "error=EINTR".to_owned(),
        when: format!("{nth}..{last}"),
    }
}

fn part(random: &mut Random) -> Part {
    match random.below(6) {
        0 | 1 => Part::Log,
        2 | 3 => Part::Derived,
        4 => Part::Watermark,
        _ => Part::All,
    }
}
