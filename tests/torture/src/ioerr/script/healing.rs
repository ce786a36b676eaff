//! The fault is gone: the store is reopened, and goes on.

use super::{ANSWERS_MAX, CALM, Script};
use crate::ioerr::course::Course;
use crate::ioerr::place::Place;
use crate::ioerr::process::{Event, Process};
use crate::ioerr::subject::order;
use crate::tally::Tally;
use crate::wire::Turn;

/// Why a store that does not reopen breaks no promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Excuse {
    /// It misses what was acknowledged over a sync that the failing filesystem only claimed: see [`Course::doubt_since`].
    ClaimedSync,
    /// A file beside the store can't be written either.
    StillBroken,
}

impl Script<'_> {
    /// The fault is gone: a store that stopped is reopened, and goes on.
    pub(super) fn heal(&mut self, process: &mut Process, place: &Place) {
        // twice, because the indexer may meet the fault and tell of it only now
        for _ in 0..2 {
            if process.stopped && !self.reopens(process, place) {
                return;
            }
            process.order(order::GO_ON);
            if !self.rest(process, CALM) {
                return;
            }
            if !process.stopped {
                self.is_healed = true;
                return;
            }
        }
        self.breaks(
            "P11",
            "the fault is gone, the store was reopened, and stopped again",
        );
    }

    /// Has a store reopened whose disk is sound again; whether it was.
    fn reopens(&mut self, process: &mut Process, place: &Place) -> bool {
        match self.reopen(process) {
            Some(Turn::Reopened) => return true,
            Some(Turn::LogShorter) if self.failed_at.is_some() => self.excuse = Some(Excuse::ClaimedSync),
            Some(_) if !place.is_sound() => self.excuse = Some(Excuse::StillBroken),
            Some(turn) => self.breaks(
                "P11",
                format!("the fault is gone, and the store does not reopen: {turn:?}"),
            ),
            None => {}
        }
        false
    }

    /// Has the store reopened; what the child says of it, if it says anything.
    pub(super) fn reopen(&mut self, process: &mut Process) -> Option<Turn> {
        process.order(order::REOPEN);
        match process.next(ANSWERS_MAX) {
            Event::Turn(turn) => return Some(turn),
            Event::Ready => {}
            Event::Gone if self.case.fault.kills() => {}
            Event::Gone => self.breaks("P11", "the child is gone while it reopens its store"),
            Event::Nothing => self.breaks("P11", "reopening does not end"),
        }
        None
    }

    /// What was told as the filesystem failed, and why the store may not have reopened.
    pub(super) fn doubt(&mut self, course: &mut Course, tally: &mut Tally) {
        if let Some(failed_at) = self.failed_at.filter(|_| !self.is_healed) {
            // The ext4 of today's Linux answers a sync that is under way while its journal is aborted with success, though
            // nothing of it is kept: a disk that lies. What came in later is told apart by nobody.
            let doubted = course.doubt_since(failed_at);
            tally.count(
                "acknowledged as the filesystem failed, taken for unknown",
                doubted,
            );
            if self.excuse == Some(Excuse::ClaimedSync) && doubted == 0 {
                self.breaks(
                    "P11",
                    "the log is said to be shorter than what was durable, and nothing was acknowledged since the filesystem failed",
                );
            }
        }
        match self.excuse {
            Some(Excuse::ClaimedSync) => tally.count("not reopened: a sync was only claimed", 1),
            Some(Excuse::StillBroken) => tally.count("not reopened: the filesystem is broken still", 1),
            None => {}
        }
    }
}
