//! The child whose disk fails: clients under load that say what they see, rest when they are told to, or once the store
//! has stopped, and go on after a reopening.

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use anyhow::{Context, Result, bail};
use dormouse::{CommandError, CommandId, Dormouse, Health, NotDone, StoreError, Unknown};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use crate::child::{self, Load};
use crate::counter::{Add, Counter, stream_name};
use crate::random::Random;
use crate::wire::{Pipe, Turn, Word};

/// What the parent writes to the child's standard input: one byte each.
pub(crate) mod order {
    /// Come to rest.
    pub(crate) const REST: u8 = b'q';
    /// Reopen the store.
    pub(crate) const REOPEN: u8 = b'r';
    /// Go on: first with what is unknown and with some of what was acknowledged, then with new commands.
    pub(crate) const GO_ON: u8 = b'g';
    /// Shut down.
    pub(crate) const END: u8 = b'e';
}

/// Commands that a client still sends after it saw the store stopped: all must be turned away.
const AFTER_THE_STOP: u32 = 4;
/// Acknowledged commands that a client sends again after a reopening.
const REMEMBERED: usize = 4;
/// One command of so many goes to one of a few counters, so that commits follow each other before they are durable.
const HOT_ONE_IN: u64 = 4;
const HOT_STREAMS: u64 = 4;

struct Subject {
    runtime: Dormouse,
    pipe: Pipe,
    numbers: AtomicU64,
    streams: u64,
    rest: AtomicBool,
}

/// One client, and what it has to send again.
struct Client {
    random: Random,
    unknown: Vec<Sent>,
    acknowledged: Vec<Sent>,
}

#[derive(Debug, Clone, Copy)]
struct Sent {
    number: u64,
    stream: u32,
    id: CommandId,
}

/// How often a command was sent before, and what came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Attempt {
    First,
    AfterUnknown,
    AfterReply,
}

/// Lives until it is told to end, or its standard input does.
pub(crate) async fn run(load: &Load) -> Result<()> {
    let pipe = Pipe::take()?;
    child::say_panics(Pipe::take()?);
    let mut orders = orders()?;
    let runtime = match child::open(&load.store).await {
        Ok(runtime) => runtime,
        Err(error) => {
            pipe.say(Word::Turn(kind(error.downcast_ref())))?;
            return Err(error);
        }
    };
    pipe.say(Word::Ready)?;
    let subject = Arc::new(Subject {
        runtime,
        pipe,
        numbers: AtomicU64::new(load.seed << 24),
        streams: load.streams,
        rest: AtomicBool::new(false),
    });
    let client = |client| Client {
        random: Random::new(load.seed, client),
        unknown: Vec::new(),
        acknowledged: Vec::new(),
    };
    let mut clients: Vec<Client> = (0..load.clients).map(client).collect();
    loop {
        clients = subject.live(clients, &mut orders).await?;
        if !subject.stay(&mut orders).await? {
            return subject.runtime.shutdown().await.context("shut down");
        }
    }
}

impl Subject {
    /// Lets the clients send, until all of them rest.
    async fn live(
        self: &Arc<Self>,
        clients: Vec<Client>,
        orders: &mut UnboundedReceiver<u8>,
    ) -> Result<Vec<Client>> {
        self.rest.store(false, Ordering::Relaxed);
        let sending: Vec<_> = clients
            .into_iter()
            .map(|client| {
                let subject = Arc::clone(self);
                tokio::spawn(async move { subject.send(client).await })
            })
            .collect();
        let mut rested = Vec::new();
        for mut client in sending {
            let client = loop {
                tokio::select! {
                    client = &mut client => break client??,
                    order = orders.recv() => match order {
                        Some(order::REST) => self.rest.store(true, Ordering::Relaxed),
                        _ => bail!("clients that send can only be told to rest"),
                    },
                }
            };
            rested.push(client);
        }
        // the indexer may have failed after the last answer
        if self.is_stopped() {
            self.pipe.say(Word::Turn(Turn::Stopped))?;
        }
        self.pipe.say(Word::Turn(Turn::Resting))?;
        Ok(rested)
    }

    /// Does what it is told until the clients may go on; false if it is to end.
    async fn stay(&self, orders: &mut UnboundedReceiver<u8>) -> Result<bool> {
        loop {
            match orders.recv().await {
                // it came too late: they rest
                Some(order::REST) => {}
                Some(order::GO_ON) => return Ok(true),
                Some(order::REOPEN) => {
                    let turn = match self.runtime.reopen().await {
                        Ok(()) => Turn::Reopened,
                        Err(error) => {
                            eprintln!("not reopened: {error}");
                            kind(Some(&error))
                        }
                    };
                    self.pipe.say(Word::Turn(turn))?;
                }
                _ => return Ok(false),
            }
        }
    }

    fn is_stopped(&self) -> bool {
        matches!(self.runtime.health(), Health::Stopped { .. })
    }

    async fn send(&self, mut client: Client) -> Result<Client> {
        for sent in client.unknown.split_off(0) {
            self.execute(&mut client, sent, Attempt::AfterUnknown).await?;
        }
        for sent in client.acknowledged.split_off(0) {
            self.execute(&mut client, sent, Attempt::AfterReply).await?;
        }
        let mut left = AFTER_THE_STOP;
        while left > 0 && !self.rest.load(Ordering::Relaxed) {
            let sent = self.next(&mut client.random);
            self.pipe.say(Word::Sent {
                number: sent.number,
                stream: sent.stream,
                id: sent.id.as_u128(),
            })?;
            let stopped = self.execute(&mut client, sent, Attempt::First).await?;
            left -= u32::from(stopped);
        }
        Ok(client)
    }

    fn next(&self, random: &mut Random) -> Sent {
        let stream = match random.below(HOT_ONE_IN) {
            0 => random.below(HOT_STREAMS),
            _ => random.below(self.streams),
        } as u32;
        Sent {
            number: self.numbers.fetch_add(1, Ordering::Relaxed),
            stream,
            id: CommandId::now(),
        }
    }

    /// Sends a command and says what came of it; whether the store was seen to have stopped.
    async fn execute(&self, client: &mut Client, sent: Sent, attempt: Attempt) -> Result<bool> {
        let (number, stream) = (sent.number, stream_name(sent.stream));
        let is_retry = attempt != Attempt::First;
        let counter = self.runtime.entity::<Counter>(stream)?;
        let answer = counter.execute(Add::numbered(number)).id(sent.id).receipt().await;
        let failed_write = matches!(answer, Err(CommandError::Unknown(Unknown::WriteFailed { .. })));
        let said = match answer {
            Ok(receipt) => {
                if attempt == Attempt::AfterReply && !receipt.replayed {
                    // its version and reply may be the same again: that would hide what was lost
                    self.pipe.say(Word::Turn(Turn::DoneAgain))?;
                }
                client.acknowledged.push(sent);
                if client.acknowledged.len() > REMEMBERED {
                    client.acknowledged.remove(0);
                }
                let version = receipt.version.get();
                self.pipe.say(Word::Done {
                    number,
                    version,
                    reply: receipt.reply,
                    position: receipt.position,
                })?;
                return Ok(false);
            }
            Err(CommandError::NotDone(why)) if !is_retry || why.settles_earlier_attempts() => {
                note(&why);
                Word::NotDone { number }
            }
            Err(_) => {
                client.unknown.push(sent);
                Word::Unknown { number }
            }
        };
        self.pipe.say(said)?;
        let stopped = self.is_stopped();
        if stopped {
            self.pipe.say(Word::Turn(Turn::Stopped))?;
        } else if failed_write && !is_retry {
            // a retry's may be of a read that failed, which stops nothing
            self.pipe.say(Word::Turn(Turn::NotStopped))?;
        }
        Ok(stopped)
    }
}

/// For whoever looks into the child's standard error.
fn note(why: &NotDone) {
    if !matches!(why, NotDone::Stopped { .. }) {
        eprintln!("{why}");
    }
}

/// Whether it says that the system failed, that the log lost its end, or that the store is damaged otherwise.
fn kind(error: Option<&StoreError>) -> Turn {
    match error {
        Some(StoreError::Engine { .. } | StoreError::NotWritable { .. } | StoreError::Stopped { .. })
        | None => Turn::NotOpened,
        Some(StoreError::LogShorterThanWatermark { .. }) => Turn::LogShorter,
        Some(_) => Turn::Damaged,
    }
}

fn orders() -> Result<UnboundedReceiver<u8>> {
    let (tell, orders) = unbounded_channel();
    std::thread::Builder::new().spawn(move || {
        for order in std::io::stdin().lock().bytes().map_while(Result::ok) {
            if tell.send(order).is_err() {
                return;
            }
        }
    })?;
    Ok(orders)
}
