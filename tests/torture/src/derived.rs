//! `derived/` is a fold of the log: deleted at any instant, also while it is in use, it costs time and nothing else.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::life::Life;
use crate::random::Random;
use crate::tally::Tally;

/// What becomes of it around one death.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Derived {
    Kept,
    /// Deleted while the child opens the store, so long after it was started.
    DeletedOpening(Duration),
    /// Deleted while the child runs, so long after it was ready.
    DeletedRunning(Duration),
    /// Deleted as the child is killed.
    DeletedDying,
    /// Deleted before the store is opened again.
    DeletedBefore,
}

/// It is deleted, in each of the four ways, once in so many lives.
const DELETED_ONE_IN: u64 = 20;
/// Deleted while the child opens the store, it is within so long: about what that takes.
const OPENING_MAX: Duration = Duration::from_millis(120);
/// Deleted while the child runs, it is within so long.
const RUNNING_MAX: Duration = Duration::from_millis(100);

/// What a deletion came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Deleted {
    /// There was none.
    Nothing,
    Whole,
    /// The child made files meanwhile.
    InPart,
}

impl Derived {
    pub(crate) fn of(random: &mut Random) -> Self {
        let within = |most: Duration, random: &mut Random| {
            Duration::from_micros(random.below(most.as_micros() as u64))
        };
        match random.below(DELETED_ONE_IN) {
            0 => Self::DeletedOpening(within(OPENING_MAX, random)),
            1 => Self::DeletedRunning(within(RUNNING_MAX, random)),
            2 => Self::DeletedDying,
            3 => Self::DeletedBefore,
            _ => Self::Kept,
        }
    }

    /// Whether a child may have met its absence: it may stop then, or not open.
    pub(crate) fn is_under_its_hands(self) -> bool {
        !matches!(self, Self::Kept | Self::DeletedBefore)
    }

    /// Deletes it while a child that was just started opens the store, if it is to be.
    pub(crate) fn while_opening(self, life: &mut Life, store: &Path, tally: &mut Tally) -> Result<()> {
        let Self::DeletedOpening(after) = self else {
            return Ok(());
        };
        let is_dead = life.ends_within(after)?;
        let deleted = delete(store);
        match deleted {
            _ if is_dead => count(tally, BEFORE, deleted),
            // it came up sooner
            _ if life.is_ready() => count(tally, RUNNING, deleted),
            _ => count(tally, OPENING, deleted),
        }
        Ok(())
    }

    /// Deletes it under the hands of a child that is ready, if it is to be.
    pub(crate) fn while_running(self, life: &mut Life, store: &Path, tally: &mut Tally) -> Result<()> {
        if let Self::DeletedRunning(after) = self {
            let is_dead = life.ends_within(after)?;
            count(tally, if is_dead { BEFORE } else { RUNNING }, delete(store));
        }
        Ok(())
    }

    /// Deletes it while `end` puts an end to the child, if it is to be. `is_dead`: there is no child any more.
    pub(crate) fn while_dying<T>(
        self,
        is_dead: bool,
        store: &Path,
        tally: &mut Tally,
        end: impl FnOnce() -> Result<T>,
    ) -> Result<T> {
        if self != Self::DeletedDying {
            return end();
        }
        let deleting = {
            let store = store.to_path_buf();
            std::thread::spawn(move || delete(&store))
        };
        let ended = end();
        let deleted = deleting.join().expect("deleting does not panic");
        count(tally, if is_dead { BEFORE } else { DYING }, deleted);
        ended
    }

    /// Deletes it before the store is opened again, if it is to be.
    pub(crate) fn before_opening(self, store: &Path, tally: &mut Tally) -> Result<()> {
        let derived = store.join("derived");
        if self == Self::DeletedBefore && derived.exists() {
            std::fs::remove_dir_all(derived).context("delete derived/")?;
            count(tally, BEFORE, Deleted::Whole);
        }
        Ok(())
    }
}

/// How deletions are counted: whole, in part.
const OPENING: [&str; 2] = [
    "derived/ deleted while opening",
    "derived/ deleted in part while opening",
];
const RUNNING: [&str; 2] = [
    "derived/ deleted while running",
    "derived/ deleted in part while running",
];
const DYING: [&str; 2] = [
    "derived/ deleted at the kill",
    "derived/ deleted in part at the kill",
];
const BEFORE: [&str; 2] = [
    "derived/ deleted before opening",
    "derived/ deleted in part before opening",
];

fn count(tally: &mut Tally, [whole, in_part]: [&'static str; 2], deleted: Deleted) {
    match deleted {
        Deleted::Nothing => {}
        Deleted::Whole => tally.count(whole, 1),
        Deleted::InPart => tally.count(in_part, 1),
    }
}

fn delete(store: &Path) -> Deleted {
    let derived = store.join("derived");
    if !derived.exists() {
        return Deleted::Nothing;
    }
    match std::fs::remove_dir_all(derived) {
        Ok(()) => Deleted::Whole,
        Err(_) => Deleted::InPart,
    }
}
