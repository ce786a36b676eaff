//! When the power goes.

use std::time::Duration;

use crate::random::Random;
use crate::strace::Nth;

/// An instant in a child's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    /// So long after the child was started: it opens the store, or makes it.
    Opening(Duration),
    /// So long after it was ready.
    Load(Duration),
    /// So long after the log began its next write-ahead file.
    Rotation(Duration),
    /// As it begins the nth call of this name, counted in each of its threads.
    Call(Nth),
}

/// One cut of so many waits for the log's next write-ahead file, which takes 64 MiB of commands.
const ROTATION_ONE_IN: u64 = 64;
/// An opening takes about so long.
const OPENING: Duration = Duration::from_millis(120);
const LOAD: Duration = Duration::from_millis(250);
/// Calls at which the power goes, how many of sixteen cuts, and up to which one: the log's own sync is the call where most
/// is at stake. The rest is where files are made, renamed and removed.
const CALLS: [(&str, u64, u64); 5] = [
    ("fdatasync", 12, 150),
    ("fsync", 1, 12),
    ("write", 1, 1_000),
    ("rename", 1, 6),
    ("ftruncate", 1, 8),
];

impl Moment {
    pub(super) fn of(cut: u32, random: &mut Random, has_strace: bool) -> Self {
        if !cut.is_multiple_of(2) && has_strace {
            return Self::call(random);
        }
        if random.below(ROTATION_ONE_IN / 2) == 0 {
            return Self::Rotation(up_to(Duration::from_millis(20), random));
        }
        match random.below(3) {
            0 => Self::Opening(up_to(OPENING, random)),
            _ => Self::Load(up_to(LOAD, random)),
        }
    }

    fn call(random: &mut Random) -> Self {
        let mut share = random.below(CALLS.iter().map(|(_, share, _)| share).sum());
        let (call, _, most) = CALLS
            .into_iter()
            .find(|(_, share_of_it, _)| {
                let is_it = share < *share_of_it;
                share = share.saturating_sub(*share_of_it);
                is_it
            })
            .expect("the shares are summed up");
        // low numbers, where the store is opened, in every fourth
        let span = if random.below(4) == 0 {
            most.div_ceil(10)
        } else {
            most
        };
        Self::Call(Nth(call, 1 + random.below(span)))
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Opening(_) => "while the store opens",
            Self::Load(_) => "under load",
            Self::Rotation(_) => "after a new write-ahead file",
            Self::Call(Nth(call, _)) => call,
        }
    }
}

fn up_to(time: Duration, random: &mut Random) -> Duration {
    Duration::from_micros(random.below(time.as_micros() as u64))
}
