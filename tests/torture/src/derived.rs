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
    /// Deleted while the child runs, so long after it was ready.
    DeletedRunning(Duration),
    /// Deleted before the store is opened again.
    DeletedBefore,
}

/// It is deleted, one way and the other, once in so many lives.
const DELETED_ONE_IN: u64 = 10;
/// Deleted while the child runs, it is within so long.
const RUNNING_MAX: Duration = Duration::from_millis(100);

impl Derived {
    pub(crate) fn of(random: &mut Random) -> Self {
        match random.below(DELETED_ONE_IN) {
            0 => Self::DeletedRunning(Duration::from_micros(
                random.below(RUNNING_MAX.as_micros() as u64),
            )),
            1 => Self::DeletedBefore,
            _ => Self::Kept,
        }
    }

    /// Deletes it under the hands of a child that is ready, if it is to be.
    pub(crate) fn while_running(self, life: &mut Life, store: &Path, tally: &mut Tally) -> Result<()> {
        if let Self::DeletedRunning(after) = self {
            life.ends_within(after)?;
            tally.count("derived/ deleted while running", 1);
            // The child makes files meanwhile: what can be deleted is.
            let _ = std::fs::remove_dir_all(store.join("derived"));
        }
        Ok(())
    }

    /// Deletes it before the store is opened again, if it is to be.
    pub(crate) fn before_opening(self, store: &Path, tally: &mut Tally) -> Result<()> {
        let derived = store.join("derived");
        if self == Self::DeletedBefore && derived.exists() {
            tally.count("derived/ deleted before opening", 1);
            std::fs::remove_dir_all(derived).context("delete derived/")?;
        }
        Ok(())
    }
}
