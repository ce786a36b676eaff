//! The aggregate as it would be alone: what the checker compares with.

use stateright::semantics::SequentialSpec;

use crate::simulation::account::{Entry, Move, Seen};

/// Something that a client asked for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Asked {
    /// A command; its number is its id.
    Execute(Move),
    Query,
}

/// What it was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Told {
    Replied { after: Seen, replayed: bool },
    Refused { at: Seen },
    Saw(Seen),
}

/// One account, and what it replied to each command that had an effect.
#[derive(Debug, Clone, Default)]
pub(crate) struct Alone {
    seen: Seen,
    replies: Vec<(u64, Seen)>,
}

impl SequentialSpec for Alone {
    type Op = Asked;
    type Ret = Told;

    fn invoke(&mut self, asked: &Asked) -> Told {
        let Asked::Execute(command) = asked else {
            return Told::Saw(self.seen);
        };
        let known = self.replies.iter().find(|(number, _)| *number == command.number);
        if let Some((_, after)) = known {
            return Told::Replied {
                after: *after,
                replayed: true,
            };
        }
        if self.seen.cents + command.cents < 0 {
            return Told::Refused { at: self.seen };
        }
        for part in 1..=command.parts {
            self.seen = self.seen.after(&Entry::Moved {
                number: command.number,
                cents: if part == 1 { command.cents } else { 0 },
                part,
                parts: command.parts,
                at_ms: 0,
            });
        }
        self.replies.push((command.number, self.seen));
        Told::Replied {
            after: self.seen,
            replayed: false,
        }
    }
}
