//! The load harness's account for cqrs-es: the same fields, the same sizes, one event a command.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// An account.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) cents: i64,
    pub(crate) entries: u64,
    last_day: u32,
}

/// What happened to it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Entry {
    /// Some 110 bytes of fields.
    Deposited {
        cents: i64,
        counterparty: String,
        reference: String,
        day: u32,
    },
}

/// Stores one entry.
#[derive(Clone, Debug)]
pub(crate) struct Deposit {
    cents: i64,
    counterparty: u32,
    invoice: u32,
}

/// Nothing is refused here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Never {}

impl Deposit {
    pub(crate) fn random(random: &mut Random) -> Self {
        let bits = random.next();
        Self {
            cents: (bits & 0xffff) as i64,
            counterparty: (bits >> 16) as u32 & 0xff_ffff,
            invoice: (bits >> 40) as u32,
        }
    }

    pub(crate) fn entry(&self) -> Entry {
        const FIRST_DAY: u32 = 20_413;
        Entry::Deposited {
            cents: self.cents,
            counterparty: format!("DE{:020}", u64::from(self.counterparty) * 7_919),
            reference: format!(
                "SEPA transfer, invoice 2026-{:08}, thank you for your order",
                self.invoice
            ),
            day: FIRST_DAY + self.invoice % 365,
        }
    }
}

impl DomainEvent for Entry {
    fn event_type(&self) -> String {
        "Deposited".into()
    }

    fn event_version(&self) -> String {
        "1".into()
    }
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Command = Deposit;
    type Event = Entry;
    type Error = Never;
    type Services = ();

    async fn handle(&mut self, command: Deposit, (): &(), sink: &EventSink<Self>) -> Result<(), Never> {
        // cqrs-es 0.5.0 applies an event here and once more for a snapshot: to this very state it would be counted twice.
        sink.write(command.entry(), &mut self.clone()).await;
        Ok(())
    }

    fn apply(&mut self, event: Entry) {
        let Entry::Deposited { cents, day, .. } = event;
        self.entries += 1;
        self.cents += cents;
        self.last_day = day;
    }
}

/// The account's id, as the load harness writes it.
pub(crate) fn account_id(number: u64) -> String {
    format!("acc-{number:08}")
}
