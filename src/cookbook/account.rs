// What the cookbook's examples have in common: the account of the tour. Included by each of them.

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Serialize, Deserialize)]
struct Account {
    cents: i64,
}

#[derive(Debug, PartialEq, Event)]
enum Entry {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

#[derive(Debug, PartialEq, thiserror::Error, Serialize, Deserialize)]
#[error("{short} cents short")]
struct Overdrawn {
    short: i64,
}

#[derive(Serialize, Deserialize, Command)]
#[command(reply = i64)]
struct Deposit {
    cents: i64,
}

#[derive(Serialize, Deserialize, Command)]
#[command(reply = i64)]
struct Withdraw {
    cents: i64,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Overdrawn;

    fn apply(&mut self, event: &Entry) {
        match event {
            Entry::Deposited { cents } => self.cents += cents,
            Entry::Withdrawn { cents } => self.cents -= cents,
        }
    }
}

impl Handle<Deposit> for Account {
    fn handle(&self, c: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
        Ok(Decision::event(Entry::Deposited { cents: c.cents }).reply(|after| after.cents))
    }
}

impl Handle<Withdraw> for Account {
    fn handle(&self, c: Withdraw, _: &CommandContext<'_>) -> Decided<Self, Withdraw> {
        if c.cents > self.cents {
            let short = c.cents - self.cents;
            return Err(Overdrawn { short });
        }
        Ok(Decision::event(Entry::Withdrawn { cents: c.cents }).reply(|after| after.cents))
    }
}
