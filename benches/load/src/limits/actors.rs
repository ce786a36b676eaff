//! Bare actix actors with the same state: what an actor costs before anything is added to it.

use std::sync::mpsc;
use std::time::Instant;

use actix::prelude::{Actor, Addr, Context, Handler, Message, System};
use anyhow::Result;

use crate::account::Account;
use crate::bank::account_id;
use crate::outcome::Outcome;
use crate::process::Usage;

struct Bare {
    _id: String,
    state: Account,
}

impl Actor for Bare {
    type Context = Context<Self>;
}

struct Add(i64);

impl Message for Add {
    type Result = i64;
}

impl Handler<Add> for Bare {
    type Result = i64;

    fn handle(&mut self, message: Add, _: &mut Context<Self>) -> i64 {
        self.state.cents += message.0;
        self.state.cents
    }
}

/// Starts `count` of them on one arbiter, sends each one message at a time, and weighs them.
pub(crate) fn run(count: u64) -> Result<Outcome> {
    let (tell, told) = mpsc::channel();
    std::thread::spawn(move || {
        System::new().block_on(async move {
            let before = Usage::now().resident_bytes;
            let started = Instant::now();
            let mut actors: Vec<Addr<Bare>> = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
            for number in 0..count {
                let actor = Bare {
                    _id: account_id(number),
                    state: Account::default(),
                };
                actors.push(actor.start());
                actors.last().expect("just pushed").send(Add(1)).await.ok();
            }
            let took = started.elapsed().as_secs_f64();
            let grown = Usage::now().resident_bytes.saturating_sub(before);
            let _ = tell.send((took, grown));
            System::current().stop();
        });
    });
    let (took, grown) = told.recv()?;
    let mut outcome = Outcome::of(1, count, took, crate::latency::Latencies::new().merged());
    outcome.set("bytes_per_resident", grown as f64 / count as f64);
    Ok(outcome)
}
