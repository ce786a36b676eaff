//! A bank account that is never overdrawn and never forgets. Run it twice: `cargo run --example quickstart`
use dormouse::{Aggregate, Command, CommandContext, CommandId, Decided, Decision};
use dormouse::{Dormouse, Event, Handle, Store};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Account(i64);

#[derive(Event)]
enum Entry {
    Booked { cents: i64 },
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
#[error("{0} cents short")]
struct Overdrawn(i64);

/// Pays in, or out if it is negative. Replies with the balance.
#[derive(Serialize, Deserialize, Command)]
#[command(reply = i64)]
struct Book(i64);

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Overdrawn;
    fn apply(&mut self, Entry::Booked { cents }: &Entry) {
        self.0 += cents;
    }
}

impl Handle<Book> for Account {
    fn handle(&self, Book(cents): Book, _: &CommandContext<'_>) -> Decided<Self, Book> {
        match self.0 + cents {
            short @ ..0 => Err(Overdrawn(-short)),
            _ => Ok(Decision::event(Entry::Booked { cents }).reply(|after| after.0)),
        }
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    #[cfg(feature = "rocksdb")]
    let store = Store::open("bank")?;
    #[cfg(not(feature = "rocksdb"))]
    let store = Store::in_memory(); // nothing survives the process
    let bank = Dormouse::builder(store).aggregate::<Account>().start().await?;
    let account = bank.entity::<Account>("acc-1")?;
    println!("{} cents after paying in", account.execute(Book(700)).await?);
    let payment = CommandId::now(); // sent twice, it takes effect once and gets the first reply
    let paid = account.execute(Book(-500)).id(payment).await?;
    let again = account.execute(Book(-500)).id(payment).await?;
    println!("{paid} cents after paying out, {again} after a retry");
    println!("{:?}", account.execute(Book(-99_999)).await);
    Ok(bank.shutdown().await?)
}
