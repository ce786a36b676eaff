//! An aggregate of two programs that keep the same numbers in swapped fields: a snapshot of one decodes for the other,
//! and is wrong.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use serde::{Deserialize, Serialize};

/// As program 1 or 2 has it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sum<const PROGRAM: u32> {
    first: u64,
    second: u64,
}

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) enum Summed {
    /// The count grows by one, the total by the amount.
    Added {
        /// How much.
        amount: u64,
    },
}

/// Replies with count and total after it.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = (u64, u64))]
pub(crate) struct AddAmount {
    pub(crate) amount: u64,
}

impl<const PROGRAM: u32> Sum<PROGRAM> {
    fn count_and_total(&self) -> (u64, u64) {
        match PROGRAM {
            1 => (self.first, self.second),
            _ => (self.second, self.first),
        }
    }
}

impl<const PROGRAM: u32> Aggregate for Sum<PROGRAM> {
    const TYPE: &'static str = "sum";
    const STATE_VERSION: u32 = PROGRAM;
    type Event = Summed;
    type Error = Never;

    fn apply(&mut self, event: &Summed) {
        let Summed::Added { amount } = event;
        let (count, total) = self.count_and_total();
        let (count, total) = (count + 1, total + amount);
        (self.first, self.second) = match PROGRAM {
            1 => (count, total),
            _ => (total, count),
        };
    }
}

impl<const PROGRAM: u32> Handle<AddAmount> for Sum<PROGRAM> {
    fn handle(&self, add: AddAmount, _: &CommandContext<'_>) -> Decided<Self, AddAmount> {
        let added = Summed::Added { amount: add.amount };
        Ok(Decision::event(added).reply(Self::count_and_total))
    }
}
