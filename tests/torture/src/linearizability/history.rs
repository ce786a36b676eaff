//! What clients asked and were told, in the order in which it happened.

use std::collections::{HashMap, HashSet};
use std::fmt;

use parking_lot::Mutex;
use stateright::semantics::{ConsistencyTester, LinearizabilityTester};

use super::specification::{Alone, Asked, Told};
use crate::tally::Tally;

/// How something that was asked ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Told(Told),
    /// It had no effect.
    NotDone,
    /// Nobody knows whether it had one.
    Unknown,
}

#[derive(Debug, Clone)]
enum Moment {
    Asked { call: usize, asked: Asked },
    Ended { call: usize, end: End, said: String },
}

/// Records and judges.
#[derive(Debug, Default)]
pub(crate) struct History {
    moments: Mutex<Vec<Moment>>,
    /// Numbers of the commands that are stored at its end.
    stored: Mutex<HashSet<u64>>,
}

impl History {
    /// Before it is sent. The number is the call's.
    pub(crate) fn asked(&self, asked: Asked) -> usize {
        let mut moments = self.moments.lock();
        let call = moments.len();
        moments.push(Moment::Asked { call, asked });
        call
    }

    /// After its answer came.
    pub(crate) fn ended(&self, call: usize, end: End, said: String) {
        self.moments.lock().push(Moment::Ended { call, end, said });
    }

    /// A command that is stored when all has ended.
    pub(crate) fn stored(&self, number: u64) {
        self.stored.lock().insert(number);
    }

    fn ends(&self) -> HashMap<usize, End> {
        let moments = self.moments.lock();
        let ends = moments.iter().filter_map(|moment| match moment {
            Moment::Ended { call, end, .. } => Some((*call, *end)),
            Moment::Asked { .. } => None,
        });
        ends.collect()
    }

    /// A call that nobody ever answered.
    pub(crate) fn left_open(&self) -> Option<String> {
        let ends = self.ends();
        let moments = self.moments.lock();
        moments.iter().find_map(|moment| match moment {
            Moment::Asked { call, asked } if !ends.contains_key(call) => {
                Some(format!("call {call} is never answered: {asked:?}"))
            }
            _ => None,
        })
    }

    /// What the last call was told if it was told nothing: without a last look nobody knows what is left in the end.
    pub(crate) fn ends_untold(&self) -> Option<String> {
        match self.moments.lock().last() {
            Some(Moment::Ended {
                end: End::Told(_), ..
            }) => None,
            other => Some(format!("a store that is open again does not answer: {other:?}")),
        }
    }

    /// Each call is a thread of its own to the checker, which knows from the order of moments what came before what. What
    /// was not done is left out: it must not be needed to explain anything. What is unknown never returns.
    pub(crate) fn is_linearizable(&self) -> bool {
        let (ends, explaining) = (self.ends(), self.explaining());
        let mut tester = LinearizabilityTester::new(Alone::default());
        for moment in &*self.moments.lock() {
            let recorded = match moment {
                Moment::Asked { call, asked } => match ends.get(call) {
                    Some(End::NotDone) => continue,
                    Some(End::Unknown) if !explaining.contains(call) => continue,
                    _ => tester.on_invoke(*call, *asked),
                },
                Moment::Ended {
                    call,
                    end: End::Told(told),
                    ..
                } => tester.on_return(*call, *told),
                Moment::Ended { .. } => continue,
            };
            recorded.expect("a call is asked once, and ends once");
        }
        tester.is_consistent()
    }

    /// The calls of unknown end that can explain an answer; the checker tries every order of those, so there must be few.
    /// Others add nothing: what is not stored in the end had no effect; what another attempt is told to have done itself
    /// was done by none before; and of several attempts at one command, the first may have taken effect whenever the
    /// others may.
    fn explaining(&self) -> HashSet<usize> {
        let (ends, stored) = (self.ends(), self.stored.lock());
        let moments = self.moments.lock();
        let commands = moments.iter().filter_map(|moment| match moment {
            Moment::Asked {
                call,
                asked: Asked::Execute(command),
            } => Some((*call, command.number)),
            _ => None,
        });
        let commands: Vec<_> = commands.collect();
        let did_itself =
            |end: Option<&End>| matches!(end, Some(End::Told(Told::Replied { replayed: false, .. })));
        let done: HashSet<u64> = commands
            .iter()
            .filter(|(call, _)| did_itself(ends.get(call)))
            .map(|(_, number)| *number)
            .collect();
        let mut firsts = HashSet::new();
        let unknown = commands
            .iter()
            .filter(|(call, _)| ends.get(call) == Some(&End::Unknown));
        let explaining = unknown.filter(|(_, number)| {
            stored.contains(number) && !done.contains(number) && firsts.insert(*number)
        });
        explaining.map(|(call, _)| *call).collect()
    }

    pub(crate) fn count(&self, tally: &mut Tally) {
        for end in self.ends().values() {
            let what = match end {
                End::Told(Told::Replied { replayed: true, .. }) => "replayed",
                End::Told(Told::Replied { .. }) => "replied",
                End::Told(Told::Refused { .. }) => "refused",
                End::Told(Told::Saw(_)) => "queries",
                End::NotDone => "not done",
                End::Unknown => "unknown",
            };
            tally.count(what, 1);
        }
    }
}

impl fmt::Display for History {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for moment in &*self.moments.lock() {
            match moment {
                Moment::Asked { call, asked } => writeln!(f, "{call:>4} asks  {asked:?}")?,
                Moment::Ended { call, end, said } => writeln!(f, "{call:>4} ended {end:?} {said}")?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::simulation::account::{Entry, Move, Planned, Seen};

    fn deposit(number: u64) -> Asked {
        Asked::Execute(Move {
            number,
            cents: 1,
            parts: 1,
            planned: Planned::Nothing,
        })
    }

    fn after(numbers: &[u64]) -> Seen {
        let entry = |number: &u64| Entry::Moved {
            number: *number,
            cents: 1,
            part: 1,
            parts: 1,
            at_ms: 0,
        };
        numbers
            .iter()
            .fold(Seen::default(), |seen, number| seen.after(&entry(number)))
    }

    /// Asks and ends one call after the other; all commands are stored.
    fn of(calls: &[(Asked, End)]) -> History {
        let history = History::default();
        for (asked, _) in calls {
            if let Asked::Execute(command) = asked {
                history.stored(command.number);
            }
        }
        for (asked, end) in calls {
            let call = history.asked(*asked);
            history.ended(call, *end, String::new());
        }
        history
    }

    fn saw(numbers: &[u64]) -> (Asked, End) {
        (Asked::Query, End::Told(Told::Saw(after(numbers))))
    }

    #[test]
    fn what_is_unknown_may_have_happened_or_not_and_then_stays_so() {
        let unknown = (deposit(1), End::Unknown);
        assert!(of(&[unknown, saw(&[])]).is_linearizable());
        let lost = of(&[unknown, saw(&[1])]);
        lost.stored.lock().clear();
        assert!(!lost.is_linearizable(), "what was seen must be there in the end");
        assert!(of(&[unknown, saw(&[1])]).is_linearizable());
        assert!(
            of(&[unknown, saw(&[]), saw(&[1])]).is_linearizable(),
            "it is still on its way"
        );
        assert!(!of(&[unknown, saw(&[1]), saw(&[])]).is_linearizable());
    }

    #[test]
    fn a_history_ends_with_an_answer() {
        let reply = End::Told(Told::Replied {
            after: after(&[1]),
            replayed: false,
        });
        assert!(of(&[(deposit(1), reply), saw(&[1])]).ends_untold().is_none());
        assert!(
            of(&[(deposit(1), reply), (Asked::Query, End::NotDone)])
                .ends_untold()
                .is_some()
        );
    }

    #[test]
    fn what_was_not_done_explains_nothing() {
        let not_done = (deposit(1), End::NotDone);
        assert!(of(&[not_done, saw(&[])]).is_linearizable());
        assert!(!of(&[not_done, saw(&[1])]).is_linearizable());
    }

    #[test]
    fn a_retry_gets_the_first_reply() {
        let reply = |replayed| {
            let after = after(&[1]);
            (deposit(1), End::Told(Told::Replied { after, replayed }))
        };
        assert!(of(&[reply(false), reply(true), saw(&[1])]).is_linearizable());
        assert!(!of(&[reply(false), reply(false)]).is_linearizable());
        assert!(
            !of(&[reply(false), saw(&[])]).is_linearizable(),
            "what was told is seen"
        );
    }
}
