use dormouse_domain::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Account;

#[derive(Debug, PartialEq, Event)]
enum Entry {
    Opened,
}

#[derive(Serialize, Deserialize, Command)]
struct Open;

#[derive(Serialize, Deserialize, Command)]
struct Rename;

#[derive(Serialize, Deserialize, Command)]
struct Close;

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Never;

    fn apply(&mut self, _: &Entry) {}
}

impl Handle<Open> for Account {
    fn handle(&self, _: Open, _: &CommandContext<'_>) -> Decided<Self, Open> {
        Ok(Decision::event(Entry::Opened))
    }
}

impl Handle<Rename> for Account {
    fn handle(&self, _: Rename, _: &CommandContext<'_>) -> Decided<Self, Rename> {
        Ok(Decision::none())
    }
}

fn main() {
    dormouse_domain::testing::given::<Account>([]).when(Close);
}
