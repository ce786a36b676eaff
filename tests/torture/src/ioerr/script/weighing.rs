//! What a child told, and what it left, held to what is promised.

use anyhow::Result;

use super::{FAST_MAX, Script};
use crate::child;
use crate::ioerr::course::Course;
use crate::ioerr::fault::Fault;
use crate::ioerr::injection::injected;
use crate::ioerr::place::Place;
use crate::judge::judge;
use crate::tally::Tally;

impl Script<'_> {
    /// Counts, and holds what was heard to the fault that was met.
    pub(super) fn weigh(
        &mut self,
        course: &Course,
        is_open: bool,
        tally: &mut Tally,
    ) -> Result<&'static str> {
        self.broken.extend(course.broken.iter().cloned());
        tally.count("answered unknown", course.unknown);
        tally.count("answered not done", course.not_done);
        tally.count("stores that stopped", course.ever_stopped.into());
        tally.longest("longest answer, ms", course.longest.as_millis() as u64);
        let fast = course.longest_when_stopped;
        tally.longest("longest answer of a stopped store, ms", fast.as_millis() as u64);
        if fast > FAST_MAX {
            self.breaks("P11", format!("a stopped store took {fast:?} for an answer"));
        }
        // a log that is gone, or a sync that was only claimed, is damage
        let fault = &self.case.fault;
        let may_lose = fault.fails_filesystem() || matches!(fault, Fault::Deleted("store" | "log"));
        if course.said_damaged && !may_lose {
            self.breaks("P5", "a fault of the system is called damage");
        }
        if matches!(self.case.fault, Fault::Stall { .. }) && course.unknown + course.not_done > 0 {
            self.breaks("P11", "commands failed, and the disk was only slow");
        }
        let is_injected = matches!(
            self.case.fault,
            Fault::Running(_) | Fault::Opening { .. } | Fault::Stall { .. }
        );
        let injected = injected(&self.notes)?;
        let goes_on = is_open && !course.ever_stopped && !matches!(self.case.fault, Fault::Stall { .. });
        if injected.hit_log && goes_on {
            self.breaks(
                "P11",
                "a write or a sync of the log failed, and the store did not stop",
            );
        }
        // where it was healed, there was time to tell of it
        let is_told = matches!(self.case.fault, Fault::Running(_)) && self.case.heals;
        if injected.hit_watermark && goes_on && is_told {
            self.breaks(
                "P11",
                "a write or a sync of the watermark failed, and the store did not stop",
            );
        }
        if injected.hit_run && goes_on && self.case.heals {
            self.breaks(
                "P11",
                "a write or a sync of a run failed, and the store did not stop",
            );
        }
        if self.is_killed {
            return Ok("killed");
        }
        Ok(
            match (is_injected && injected.calls == 0, is_open, course.ever_stopped) {
                (true, ..) => "not reached",
                (_, false, _) => "did not open",
                (_, _, true) => "stopped",
                (_, _, false) => "went on",
            },
        )
    }

    /// Opens what is left, and holds it to all that was told.
    pub(super) async fn judge(&mut self, place: &mut Place, course: &Course, tally: &mut Tally) {
        match self.case.fault {
            // nothing is left
            Fault::Deleted("store") => {}
            Fault::Deleted("log") => {
                if child::open(&place.store).await.is_ok() {
                    self.breaks("P5", "the log was deleted, and the store opens with less");
                }
            }
            _ => {
                let violations = judge(&place.store, &mut place.model, &course.heard, tally).await;
                self.broken.extend(violations);
            }
        }
    }
}
