//! The aggregate that the load goes to: an account whose entries are about as large as those of a real ledger.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use serde::{Deserialize, Serialize};

/// An account.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) cents: i64,
    entries: u64,
    last_day: u32,
}

/// What happened to it.
#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum Entry {
    /// What most scenarios store: some 110 bytes of fields.
    Deposited {
        cents: i64,
        counterparty: String,
        reference: String,
        day: u32,
    },
    /// The worst case: bytes that nothing compresses, of any length.
    Attached { document: Vec<u8> },
}

/// Nothing is refused here.
#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
pub(crate) enum Never {}

/// Stores one entry; answers the balance.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(reply = i64)]
pub(crate) struct Deposit {
    pub(crate) cents: i64,
    pub(crate) counterparty: u32,
    pub(crate) invoice: u32,
}

/// Stores one entry of random bytes.
#[derive(Clone, Debug, Serialize, Deserialize, Command)]
#[command(reply = i64)]
pub(crate) struct Attach {
    pub(crate) document: Vec<u8>,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Never;

    fn apply(&mut self, event: &Entry) {
        self.entries += 1;
        if let Entry::Deposited { cents, day, .. } = event {
            self.cents += cents;
            self.last_day = *day;
        }
    }

    fn weight_bytes(&self) -> Option<usize> {
        Some(0)
    }
}

impl Handle<Deposit> for Account {
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

impl Handle<Attach> for Account {
    fn handle(&self, c: Attach, _: &CommandContext<'_>) -> Decided<Self, Attach> {
        let entry = Entry::Attached { document: c.document };
        Ok(Decision::event(entry).reply(|after| after.cents))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse::testing::given;

    #[test]
    fn deposits_add_up_and_documents_change_nothing() {
        let deposit = Deposit {
            cents: 5,
            counterparty: 1,
            invoice: 2,
        };
        given::<Account>([]).when(deposit).then_reply(5);
        let document = vec![1, 2, 3];
        given::<Account>([]).when(Attach { document }).then_reply(0);
    }
}
