//! A bank account that is never overdrawn, and never forgets: `cargo run --example quickstart`, then run it again.

use dormouse::{
    Aggregate, Command, CommandContext, CommandError, CommandId, Decided, Decision, Dormouse, Event, Handle,
    Store,
};
use serde::{Deserialize, Serialize};

#[derive(Default, Serialize, Deserialize)]
struct Account {
    cents: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Event)]
enum Entry {
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
}

#[derive(Debug, thiserror::Error, Serialize, Deserialize)]
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
            return Err(Overdrawn {
                short: c.cents - self.cents,
            });
        }
        Ok(Decision::event(Entry::Withdrawn { cents: c.cents }).reply(|after| after.cents))
    }
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let bank = Dormouse::builder(open_store()?)
        .aggregate::<Account>()
        .start()
        .await?;
    let account = bank.entity::<Account>("acc-1")?;

    println!(
        "{} cents after a deposit",
        account.execute(Deposit { cents: 700 }).await?
    );
    let payment = CommandId::now();
    match account.execute(Withdraw { cents: 500 }).id(payment).await {
        Ok(left) => println!("{left} cents left"),
        Err(CommandError::Refused(Overdrawn { short })) => println!("refused: {short} cents short"),
        Err(other) => return Err(other.into()),
    }
    // the network hiccuped and the client sends it again: it takes effect once, and gets the first reply
    println!(
        "{} cents left, still",
        account.execute(Withdraw { cents: 500 }).id(payment).await?
    );

    bank.shutdown().await?;
    Ok(())
}

#[cfg(feature = "rocksdb")]
fn open_store() -> anyhow::Result<Store> {
    Ok(Store::open("bank")?)
}

/// Without RocksDB nothing survives the process.
#[cfg(not(feature = "rocksdb"))]
fn open_store() -> anyhow::Result<Store> {
    Ok(Store::in_memory())
}
