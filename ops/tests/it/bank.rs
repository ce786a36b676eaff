//! The aggregate that the tests use, and how they start a runtime on it.

use dormouse_domain::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
use dormouse_persistence::Store;
use dormouse_runtime::{Dormouse, Entity};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub(crate) cents: i64,
    pub(crate) notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum Entry {
    Deposited { cents: i64 },
    Noted { text: String },
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("never")]
pub(crate) struct Never;

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct Deposit {
    pub(crate) cents: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct Note {
    pub(crate) text: String,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Never;

    fn apply(&mut self, event: &Entry) {
        match event {
            Entry::Deposited { cents } => self.cents += cents,
            Entry::Noted { text } => self.notes.push(text.clone()),
        }
    }
}

impl Handle<Deposit> for Account {
    fn handle(&self, command: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
        Ok(Decision::event(Entry::Deposited { cents: command.cents }))
    }
}

impl Handle<Note> for Account {
    fn handle(&self, command: Note, _: &CommandContext<'_>) -> Decided<Self, Note> {
        Ok(Decision::event(Entry::Noted { text: command.text }))
    }
}

pub(crate) async fn start(store: Store) -> Dormouse {
    let builder = Dormouse::builder(store).arbiters(1).aggregate::<Account>();
    builder.start().await.unwrap()
}

pub(crate) fn account(bank: &Dormouse, id: &str) -> Entity<Account> {
    bank.entity::<Account>(id).unwrap()
}

pub(crate) async fn deposit(bank: &Dormouse, id: &str, cents: i64) {
    account(bank, id).execute(Deposit { cents }).await.unwrap();
}
