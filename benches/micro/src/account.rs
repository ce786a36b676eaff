//! The aggregate that all paths go to: the account of the load harness, whose entries are about as large as a ledger's.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use serde::{Deserialize, Serialize};

/// An account.
#[derive(Clone, Default, Debug, Serialize, Deserialize)]
pub struct Account {
    /// Its balance.
    pub cents: i64,
    entries: u64,
    last_day: u32,
}

/// What happened to it.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
pub enum Entry {
    /// Some 110 bytes of fields.
    Deposited {
        /// How much.
        cents: i64,
        /// Whose money it was.
        counterparty: String,
        /// What it was for.
        reference: String,
        /// Days since 1970.
        day: u32,
    },
}

/// Nothing is refused here.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub enum Never {}

/// Stores one entry; answers the balance.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(reply = i64)]
pub struct Deposit {
    /// How much.
    pub cents: i64,
    /// Whose money it is.
    pub counterparty: u32,
    /// What it is for.
    pub invoice: u32,
}

impl Deposit {
    /// The same deposit for the same number.
    #[must_use]
    pub fn number(number: u64) -> Self {
        let bits = number.wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Self {
            cents: (bits & 0xffff) as i64,
            counterparty: (bits >> 16) as u32 & 0xff_ffff,
            invoice: (bits >> 40) as u32,
        }
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Never;

    fn apply(&mut self, Entry::Deposited { cents, day, .. }: &Entry) {
        self.entries += 1;
        self.cents += cents;
        self.last_day = *day;
    }

    fn weight_bytes(&self) -> Option<usize> {
        Some(0)
    }
}

impl Handle<Deposit> for Account {
    /// Allocates twice: the entry's two strings.
    fn handle(&self, c: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
        const FIRST_DAY: u32 = 20_413;
        let entry = Entry::Deposited {
            cents: c.cents,
            counterparty: format!("DE{:020}", u64::from(c.counterparty) * 7_919),
            reference: format!(
                "SEPA transfer, invoice 2026-{:08}, thank you for your order",
                c.invoice
            ),
            day: FIRST_DAY + c.invoice % 365,
        };
        Ok(Decision::event(entry).reply(|after| after.cents))
    }
}
