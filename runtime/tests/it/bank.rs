//! The aggregate that the tests use, and how they start a runtime on it.

use std::time::Duration;

use dormouse_domain::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, NotDone};
use dormouse_persistence::{HeldAppends, MemoryDisk, Store, StoreOptions};
use dormouse_runtime::{Builder, Dormouse, Entity};
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Account {
    pub cents: i64,
    pub entries: u64,
    pub note: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, Event)]
pub(crate) enum Entry {
    Deposited {
        cents: i64,
    },
    Withdrawn {
        cents: i64,
    },
    Noted {
        text: String,
    },
    /// `apply` panics on it.
    Cursed,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{short} cents short")]
pub(crate) struct Overdrawn {
    pub short: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = i64)]
pub(crate) struct Deposit {
    pub cents: i64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = i64)]
pub(crate) struct Withdraw {
    pub cents: i64,
}

/// Decides on `events` events, the last of them on the state after the others.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = u64)]
pub(crate) struct DepositOften {
    pub events: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct Note {
    pub text: String,
}

/// Many large events.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct NoteOften {
    pub times: usize,
    pub bytes: usize,
}

/// No event at all; logs a line.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = String)]
pub(crate) struct Look;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Where {
    Handle,
    Apply,
    /// In `apply`, after another event was applied.
    ApplyLater,
    Reply,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
pub(crate) struct Panic {
    pub place: Where,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Overdrawn;

    fn apply(&mut self, event: &Entry) {
        self.entries += 1;
        match event {
            Entry::Deposited { cents } => self.cents += cents,
            Entry::Withdrawn { cents } => self.cents -= cents,
            Entry::Noted { text } => self.note.clone_from(text),
            Entry::Cursed => panic!("a curse in apply"),
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

impl Handle<DepositOften> for Account {
    fn handle(&self, c: DepositOften, _: &CommandContext<'_>) -> Decided<Self, DepositOften> {
        Ok(
            Decision::events((0..c.events).map(|_| Entry::Deposited { cents: 1 }))
                .reply(|after| after.entries),
        )
    }
}

impl Handle<Note> for Account {
    fn handle(&self, c: Note, _: &CommandContext<'_>) -> Decided<Self, Note> {
        Ok(Decision::event(Entry::Noted { text: c.text }))
    }
}

impl Handle<NoteOften> for Account {
    fn handle(&self, c: NoteOften, _: &CommandContext<'_>) -> Decided<Self, NoteOften> {
        Ok(Decision::events((0..c.times).map(|_| Entry::Noted {
            text: "x".repeat(c.bytes),
        })))
    }
}

impl Handle<Look> for Account {
    fn handle(&self, _: Look, context: &CommandContext<'_>) -> Decided<Self, Look> {
        tracing::debug!("looked");
        let seen = format!(
            "{} at {}, new: {}",
            context.id(),
            context.version(),
            context.is_new()
        );
        Ok(Decision::none().reply_with(seen))
    }
}

impl Handle<Panic> for Account {
    fn handle(&self, c: Panic, _: &CommandContext<'_>) -> Decided<Self, Panic> {
        match c.place {
            Where::Handle => panic!("a curse in handle"),
            Where::Apply => Ok(Decision::event(Entry::Cursed)),
            Where::ApplyLater => Ok(Decision::events([Entry::Deposited { cents: 5 }, Entry::Cursed])),
            Where::Reply => {
                Ok(Decision::event(Entry::Deposited { cents: 5 }).reply(|_| panic!("a curse in reply")))
            }
        }
    }
}

/// A bank on `disk`, with `more` settings.
pub(crate) async fn bank_with(disk: &MemoryDisk, more: impl FnOnce(Builder) -> Builder) -> Dormouse {
    let store = Store::on_memory(disk, StoreOptions::default()).expect("the disk opens");
    let builder = Dormouse::builder(store)
        .aggregate::<Account>()
        .arbiters(2)
        .readers(2);
    more(builder).start().await.expect("the bank starts")
}

pub(crate) async fn bank_on(disk: &MemoryDisk) -> Dormouse {
    bank_with(disk, |builder| builder).await
}

pub(crate) async fn bank() -> Dormouse {
    bank_on(&MemoryDisk::new()).await
}

pub(crate) fn account(bank: &Dormouse, id: &str) -> Entity<Account> {
    bank.entity::<Account>(id).expect("a valid id")
}

/// Waits until `holds`, for what has no event to await. Ends by failing, after a long time.
pub(crate) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    for _ in 0..20_000 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_micros(500)).await;
    }
    panic!("never happened: {what}");
}

/// For how long a call may be waited for that ends by [`end_of_wait`]. Nobody waits so long: the clock is moved on.
pub(crate) const PATIENCE: Duration = Duration::from_secs(3_600);

/// What a call `within` [`PATIENCE`] answers when its wait ends after it was handled, and before the disk has its commit: not
/// a moment earlier, however busy the machine is. For tests on one thread.
pub(crate) async fn end_of_wait<T>(call: impl Future<Output = T>, held: &HeldAppends) -> T {
    let mut call = std::pin::pin!(call);
    tokio::time::pause();
    let sent = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
    assert!(sent.is_pending(), "the disk is held");
    held.wait_for_append();
    tokio::time::advance(PATIENCE).await;
    let answer = call.await;
    tokio::time::resume();
    answer
}

/// The reason of a command that was not done.
pub(crate) fn not_done<T: std::fmt::Debug, E: std::fmt::Debug>(
    outcome: Result<T, dormouse_domain::CommandError<E>>,
) -> NotDone {
    match outcome {
        Err(dormouse_domain::CommandError::NotDone(reason)) => reason,
        other => panic!("expected not done, got {other:?}"),
    }
}
