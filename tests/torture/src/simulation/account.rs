//! What is simulated: an account whose state tells exactly which events it was folded from.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use serde::{Deserialize, Serialize};

/// A state as its readers see it. Two histories of the same sum and length still differ in the digest.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Seen {
    pub(crate) cents: i64,
    /// How many events: the version.
    pub(crate) events: u64,
    pub(crate) digest: u64,
}

/// One of the events of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Event)]
pub(crate) enum Entry {
    /// Money came or went.
    Moved {
        /// The command's number.
        number: u64,
        /// What came, or went if it is negative.
        cents: i64,
        /// This event's place among the command's, from 1.
        part: u8,
        /// Events of the command.
        parts: u8,
        /// When the command was handled, in milliseconds.
        at_ms: u64,
    },
}

/// What a handler was told to do beside its work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Planned {
    Nothing,
    PanicInHandle,
    PanicInApply,
}

/// Moves money in `parts` events, or looks if there are none; replies with the state after.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, Command)]
#[command(reply = Seen)]
pub(crate) struct Move {
    pub(crate) number: u64,
    pub(crate) cents: i64,
    pub(crate) parts: u8,
    pub(crate) planned: Planned,
}

/// More was to go than there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("not enough at {seen:?}")]
pub(crate) struct Short {
    pub(crate) seen: Seen,
}

/// What a planned panic says, so that nobody prints it.
pub(crate) const PLANNED: &str = "planned";
/// In the last event of a command that panics when it is applied.
const PANICS: u8 = u8::MAX;

/// An account, whatever the layout of its state.
pub(crate) trait Book: Aggregate<Event = Entry, Error = Short> + Handle<Move> {
    fn seen(&self) -> Seen;
}

impl Seen {
    pub(crate) fn after(
        self,
        Entry::Moved {
            number, cents, part, ..
        }: &Entry,
    ) -> Self {
        let mixed = (self.digest ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ u64::from(*part);
        Self {
            cents: self.cents + cents,
            events: self.events + 1,
            digest: mixed.rotate_left(23),
        }
    }

    fn decide<A: Book>(self, command: Move, context: &CommandContext<'_>) -> Decided<A, Move> {
        assert!(command.planned != Planned::PanicInHandle, "{PLANNED}");
        if self.cents + command.cents < 0 {
            return Err(Short { seen: self });
        }
        let (number, at_ms) = (command.number, context.now().as_millis());
        let entry = move |part| Entry::Moved {
            number,
            // the first moves all of it
            cents: if part == 1 { command.cents } else { 0 },
            part,
            // the last panics: the others have changed the state by then
            parts: match command.planned {
                Planned::PanicInApply if part == command.parts => PANICS,
                _ => command.parts,
            },
            at_ms,
        };
        Ok(Decision::events((1..=command.parts).map(entry)).reply(A::seen))
    }
}

fn panic_if_planned(Entry::Moved { parts, .. }: &Entry) {
    assert!(*parts != PANICS, "{PLANNED}");
}

/// The account as one program has it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    cents: i64,
    events: u64,
    digest: u64,
}

/// The same account as another program has it: a snapshot of the one can be read as the other, and would be wrong.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct OtherAccount {
    digest: u64,
    cents: i64,
    events: u64,
}

macro_rules! book {
    ($account:ident) => {
        impl Aggregate for $account {
            const TYPE: &'static str = "account";
            type Event = Entry;
            type Error = Short;

            fn apply(&mut self, entry: &Entry) {
                panic_if_planned(entry);
                let Seen {
                    cents,
                    events,
                    digest,
                } = self.seen().after(entry);
                (self.cents, self.events, self.digest) = (cents, events, digest);
            }
        }

        impl Handle<Move> for $account {
            fn handle(&self, command: Move, context: &CommandContext<'_>) -> Decided<Self, Move> {
                self.seen().decide(command, context)
            }
        }

        impl Book for $account {
            fn seen(&self) -> Seen {
                let Self {
                    cents,
                    events,
                    digest,
                } = *self;
                Seen {
                    cents,
                    events,
                    digest,
                }
            }
        }
    };
}

book!(Account);
book!(OtherAccount);
