//! What a child's lives must come to, taken together: a sweep in which nothing was going on shows nothing.

use crate::heard::Heard;
use crate::tally::Tally;
use crate::violation::Violation;

const ACKNOWLEDGED: &str = "acknowledged";
const READY: &str = "lives that came up";
const EVICTED: &str = "evicted";
const SNAPSHOTS: &str = "snapshots written";
const RUNS: &str = "runs published";

/// Of so many lives that came up, in one at least a command is answered: most last a tenth of a second or more.
const READY_ENOUGH: u64 = 20;
/// Where so many commands were acknowledged, aggregates were evicted, snapshots written and runs published: each happens
/// every few hundred.
const ACKNOWLEDGED_ENOUGH: u64 = 10_000;

/// Counts what went on in one life.
pub(crate) fn count(heard: &Heard, tally: &mut Tally) {
    tally.count(READY, heard.ready.into());
    tally.count(EVICTED, heard.counts.evicted);
    tally.count(SNAPSHOTS, heard.counts.snapshots);
    tally.count(RUNS, heard.counts.runs);
    tally.count("answered not done", heard.not_done() as u64);
    tally.count("answered unknown", heard.unknown);
}

/// Holds the whole to it.
pub(crate) fn hold(tally: &Tally) -> Vec<Violation> {
    let mut broken = Vec::new();
    let (ready, acknowledged) = (tally.counted(READY), tally.counted(ACKNOWLEDGED));
    if ready >= READY_ENOUGH && acknowledged == 0 {
        let what = format!("no command was acknowledged in {ready} lives");
        broken.push(Violation::new("P11", what));
    }
    if acknowledged >= ACKNOWLEDGED_ENOUGH {
        for what in [EVICTED, SNAPSHOTS, RUNS] {
            if tally.counted(what) == 0 {
                let what = format!("{what}: none, with {acknowledged} commands acknowledged");
                broken.push(Violation::new("harness", what));
            }
        }
    }
    broken
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::Counts;

    #[test]
    fn a_sweep_in_which_nothing_goes_on_is_not_green() {
        let mut tally = Tally::new("kill", 0);
        assert!(hold(&tally).is_empty(), "one that was short shows nothing");
        let mut heard = Heard::default();
        heard.ready = true;
        (0..READY_ENOUGH).for_each(|_| count(&heard, &mut tally));
        assert_eq!(hold(&tally).len(), 1, "nobody was answered");
        tally.count(ACKNOWLEDGED, ACKNOWLEDGED_ENOUGH);
        assert_eq!(hold(&tally).len(), 3, "nothing went on");
        heard.counts = Counts {
            evicted: 1,
            snapshots: 1,
            runs: 0,
        };
        count(&heard, &mut tally);
        assert_eq!(hold(&tally).len(), 1, "no run");
    }
}
