//! Paths through the whole runtime, 64 at a time and in step: what each thread does never depends on who is faster.
//!
//! The client sends while the arbiter is held up, the arbiter decides while the disk is held up, and of all answers only
//! the last wakes the client. So wake-ups and batches are the same each time, as they are not where every thread runs as
//! soon as it can.

use std::future::{Future, IntoFuture};
use std::hint::black_box;
use std::pin::Pin;
use std::sync::{Arc, Barrier};
use std::task::{Context, Poll, Waker};

use dormouse::{Builder, CommandId, Entity, Executing, MemoryDisk};
use uuid::Uuid;

use super::Go;
use super::bank::{Bank, WARM_UP, start_on};
use crate::account::{Account, Deposit};

/// What is sent before anything is answered.
const AT_ONCE: u64 = 64;
/// The first command id's time, in milliseconds: the beginning of 2026, so that no id is from the future.
const FIRST_ID_MS: u128 = 1_767_225_600_000;

/// A bank whose threads can be held up.
struct InStep {
    disk: MemoryDisk,
    bank: Bank,
    /// Asked first: its query holds the arbiter up.
    gate: Entity<Account>,
    /// Asked last: it answers when all others have decided.
    last: Entity<Account>,
    /// Where client and arbiter meet: when the arbiter is held up, and when it goes on.
    barrier: Arc<Barrier>,
}

impl InStep {
    /// So many deposits: the first is a segment that the disk holds back, the others gather behind it and are the next.
    async fn deposit(&mut self, at_once: u64, with_id: bool) {
        let accounts: Vec<_> = (0..at_once).map(|_| self.bank.next()).collect();
        let mut deposits = accounts
            .iter()
            .map(|(account, number)| execute(account, *number, with_id));
        let held = self.disk.hold_appends();
        let mut sent = Vec::with_capacity(accounts.len());
        if let Some(first) = deposits.next() {
            sent.push(Sent::send(first));
            held.wait_for_append();
        }
        self.while_held_up(|| sent.extend(deposits.map(Sent::send))).await;
        drop(held);
        // the first account's turn was the last, so what it answers now comes behind all others
        if let Some((first, _)) = accounts.first() {
            first.query(|_| ()).await.expect("an account answers");
        }
        for deposit in sent {
            black_box(deposit.answer().await.expect("an account takes deposits"));
        }
    }

    async fn query(&mut self, at_once: u64) {
        let accounts: Vec<_> = (0..at_once).map(|_| self.bank.next()).collect();
        let mut sent = Vec::with_capacity(accounts.len());
        let queries = accounts
            .iter()
            .map(|(account, _)| account.query(|state| state.cents).into_future());
        self.while_held_up(|| sent.extend(queries.map(Sent::send))).await;
        for query in sent {
            black_box(query.answer().await.expect("an account answers"));
        }
    }

    /// Sends while the arbiter is held up; returns when it has been through all of it.
    async fn while_held_up(&self, send: impl FnOnce()) {
        let barrier = Arc::clone(&self.barrier);
        let hold = self.gate.query(move |_| {
            barrier.wait();
            barrier.wait();
        });
        let hold = Sent::send(hold.into_future());
        self.barrier.wait();
        send();
        let last = Sent::send(self.last.query(|_| ()).into_future());
        self.barrier.wait();
        last.answer().await.expect("the last one answers");
        hold.answer().await.expect("the gate opens");
    }
}

/// A call that was sent, with its answer if that came at once.
struct Sent<F: Future> {
    future: F,
    answer: Option<F::Output>,
}

impl<F: Future + Unpin> Sent<F> {
    /// Its answer wakes nobody until it is asked for.
    fn send(mut future: F) -> Self {
        let nobody = &mut Context::from_waker(Waker::noop());
        let answer = match Pin::new(&mut future).poll(nobody) {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => None,
        };
        Self { future, answer }
    }

    async fn answer(self) -> F::Output {
        match self.answer {
            Some(answer) => answer,
            None => self.future.await,
        }
    }
}

fn execute(account: &Entity<Account>, number: u64, with_id: bool) -> Executing<'_, Account, Deposit> {
    let deposit = account.execute(Deposit::number(number));
    if !with_id {
        return deposit.into_future();
    }
    let id = command_id(number);
    deposit.id(id).correlation(id.as_uuid()).into_future()
}

/// A time-ordered id, the same for the same number: one a millisecond.
fn command_id(number: u64) -> CommandId {
    const VERSION_7: u128 = 0x7 << 76 | 0b10 << 62;
    let ms = FIRST_ID_MS + u128::from(number);
    CommandId::from(Uuid::from_u128(ms << 80 | VERSION_7 | u128::from(number)))
}

/// The path that `step` goes so many times, warmed up.
fn path(step: impl AsyncFnMut(&mut InStep, u64) + 'static) -> Go {
    path_with(|builder| builder, step)
}

/// The same, of a bank with these settings.
fn path_with(
    settings: impl FnOnce(Builder) -> Builder,
    mut step: impl AsyncFnMut(&mut InStep, u64) + 'static,
) -> Go {
    let disk = MemoryDisk::new();
    let (client, bank) = start_on(&disk, settings);
    let named = |id| bank.dormouse.entity(id).expect("a valid id of a known type");
    let mut in_step = InStep {
        gate: named("gate"),
        last: named("last"),
        barrier: Arc::new(Barrier::new(2)),
        disk,
        bank,
    };
    let mut go = move |times: u64| {
        client.block_on(async {
            let mut left = times;
            while left > 0 {
                let at_once = left.min(AT_ONCE);
                step(&mut in_step, at_once).await;
                left -= at_once;
            }
        });
    };
    go(WARM_UP);
    Box::new(go)
}

pub(super) fn query_64() -> Go {
    path(InStep::query)
}

pub(super) fn deposit_64() -> Go {
    deposits_64(|builder| builder)
}

/// [`Path::Deposit64`](crate::Path::Deposit64), of a bank with these settings.
pub fn deposits_64(settings: impl FnOnce(Builder) -> Builder) -> Go {
    path_with(settings, async |bank, at_once| bank.deposit(at_once, false).await)
}

pub(super) fn deposit_id_64() -> Go {
    path(async |bank, at_once| bank.deposit(at_once, true).await)
}
