//! What the worker tells its parent through its standard output: one word of 8 bytes an answered command, and now and
//! then a page of gauges.
//!
//! The word: client (u16), outcome (u8), 0, latency in microseconds (u32), all little-endian. A page: the word with
//! the outcome [`PAGE`] and the page's length in place of the latency, then that many bytes of JSON. Where its console
//! is it says in a word, too. Each client's words
//! come in the order of its share, so the parent only counts them. What is written stays in the pipe when its writer is
//! killed.

use std::fs::File;
use std::io::{ErrorKind, Read, Write};
use std::os::fd::AsFd;
use std::sync::Mutex;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

const WORD_BYTES: usize = 8;
/// In place of an outcome: a page follows.
const PAGE: u8 = 255;
/// In place of an outcome: the console listens, on the port in place of the latency.
const CONSOLE: u8 = 254;

/// How a command was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Outcome {
    /// It took effect.
    Done,
    /// It had taken effect before, without the sender hearing of it; the answer is the first one.
    Replayed,
    Refused(Reason),
}

/// Why a command was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) enum Reason {
    StillInTheAir,
    OnTheGround,
    NotScheduled,
    AlreadyScheduled,
    NotDeparted,
    AlreadyDeparted,
    AlreadyArrived,
    AlreadyCancelled,
}

/// Every outcome; its place is its byte on the wire.
const OUTCOMES: [Outcome; 10] = [
    Outcome::Done,
    Outcome::Replayed,
    Outcome::Refused(Reason::StillInTheAir),
    Outcome::Refused(Reason::OnTheGround),
    Outcome::Refused(Reason::NotScheduled),
    Outcome::Refused(Reason::AlreadyScheduled),
    Outcome::Refused(Reason::NotDeparted),
    Outcome::Refused(Reason::AlreadyDeparted),
    Outcome::Refused(Reason::AlreadyArrived),
    Outcome::Refused(Reason::AlreadyCancelled),
];

/// One command of a client was answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ack {
    pub(crate) client: u16,
    pub(crate) outcome: Outcome,
    pub(crate) latency_us: u32,
}

impl Ack {
    pub(crate) fn write_to(self, out: &mut Vec<u8>) {
        let outcome = OUTCOMES
            .iter()
            .position(|known| *known == self.outcome)
            .expect("OUTCOMES lists every outcome");
        write_word(
            out,
            self.client,
            u8::try_from(outcome).expect("ten outcomes"),
            self.latency_us,
        );
    }
}

fn write_word(out: &mut Vec<u8>, client: u16, tag: u8, number: u32) {
    out.extend_from_slice(&client.to_le_bytes());
    out.extend_from_slice(&[tag, 0]);
    out.extend_from_slice(&number.to_le_bytes());
}

/// What the worker's runtime and store have counted since its start; the parent adds up its workers'.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Gauges {
    /// From the start of the process until the first command was sent, without reading the table.
    pub(crate) opened_ms: u64,
    pub(crate) commits: u64,
    pub(crate) batches: u64,
    pub(crate) syncs: u64,
    pub(crate) sync_micros: u64,
    pub(crate) activations: u64,
    pub(crate) activation_micros: u64,
    pub(crate) events_replayed: u64,
    pub(crate) evictions: u64,
    pub(crate) residents_peak: u64,
    pub(crate) resident_bytes_peak: u64,
    pub(crate) id_look_ups: u64,
    /// The process's, on Linux; so is the next.
    pub(crate) memory_peak_bytes: Option<u64>,
    pub(crate) processor_ms: Option<u64>,
}

fn page(gauges: &Gauges) -> Result<Vec<u8>> {
    let json = serde_json::to_vec(gauges)?;
    let mut out = Vec::with_capacity(WORD_BYTES + json.len());
    write_word(&mut out, 0, PAGE, u32::try_from(json.len())?);
    out.extend_from_slice(&json);
    Ok(out)
}

/// What the parent reads.
pub(crate) enum Message {
    Answered(Ack),
    Page(Box<Gauges>),
    /// The worker's console listens on this port.
    Console(u16),
}

/// Reads messages until the pipe ends. A killed worker may leave half a message: it counts as not sent.
pub(crate) fn read(pipe: impl Read, mut take: impl FnMut(Message) -> Result<()>) -> Result<()> {
    let mut pipe = std::io::BufReader::with_capacity(64 << 10, pipe);
    let mut word = [0; WORD_BYTES];
    while fill(&mut pipe, &mut word)? {
        let [client_low, client_high, tag, _, number @ ..] = word;
        let number = u32::from_le_bytes(number);
        if tag == PAGE {
            let mut json = vec![0; number as usize];
            if fill(&mut pipe, &mut json)? {
                take(Message::Page(serde_json::from_slice(&json)?))?;
            }
            continue;
        }
        if tag == CONSOLE {
            take(Message::Console(u16::try_from(number)?))?;
            continue;
        }
        let Some(&outcome) = OUTCOMES.get(usize::from(tag)) else {
            bail!("the worker sent an unknown outcome: {tag}")
        };
        let client = u16::from_le_bytes([client_low, client_high]);
        take(Message::Answered(Ack {
            client,
            outcome,
            latency_us: number,
        }))?;
    }
    Ok(())
}

fn fill(pipe: &mut impl Read, buffer: &mut [u8]) -> Result<bool> {
    match pipe.read_exact(buffer) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::UnexpectedEof => Ok(false),
        Err(error) => Err(error).context("the worker's pipe can't be read"),
    }
}

/// The worker's end of the pipe, shared by all clients.
pub(crate) struct Pipe(Mutex<File>);

impl Pipe {
    /// Takes this process's standard output.
    pub(crate) fn to_parent() -> Result<Self> {
        let stdout = std::io::stdout()
            .as_fd()
            .try_clone_to_owned()
            .context("standard output is closed")?;
        Ok(Self(Mutex::new(stdout.into())))
    }

    /// Tells the parent where the console is.
    pub(crate) fn tell_console(&self, port: u16) -> Result<()> {
        let mut word = Vec::with_capacity(WORD_BYTES);
        write_word(&mut word, 0, CONSOLE, port.into());
        self.acknowledge(&word)
    }

    /// Hands acknowledgements to the parent: once this returns they arrive, even if this process is killed.
    pub(crate) fn acknowledge(&self, words: &[u8]) -> Result<()> {
        let mut pipe = self
            .0
            .lock()
            .map_err(|_| anyhow::anyhow!("another writer panicked"))?;
        pipe.write_all(words)
            .context("the parent doesn't listen any more")
    }

    pub(crate) fn show(&self, gauges: &Gauges) -> Result<()> {
        self.acknowledge(&page(gauges)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sent() -> (Vec<Ack>, Gauges, Vec<u8>) {
        let acks: Vec<Ack> = OUTCOMES
            .iter()
            .zip(0..)
            .map(|(&outcome, at)| Ack {
                client: at * 1_000,
                outcome,
                latency_us: u32::MAX - u32::from(at),
            })
            .collect();
        let gauges = Gauges {
            commits: 7,
            memory_peak_bytes: Some(1 << 40),
            ..Gauges::default()
        };
        let mut bytes = Vec::new();
        write_word(&mut bytes, 0, CONSOLE, 7070);
        acks[..5].iter().for_each(|ack| ack.write_to(&mut bytes));
        bytes.extend(page(&gauges).unwrap());
        acks[5..].iter().for_each(|ack| ack.write_to(&mut bytes));
        (acks, gauges, bytes)
    }

    fn received(bytes: &[u8]) -> (Vec<Ack>, Option<Gauges>) {
        let (mut acks, mut page) = (Vec::new(), None);
        read(bytes, |message| {
            match message {
                Message::Answered(ack) => acks.push(ack),
                Message::Page(gauges) => page = Some(*gauges),
                Message::Console(port) => assert_eq!(port, 7070),
            }
            Ok(())
        })
        .unwrap();
        (acks, page)
    }

    #[test]
    fn what_is_sent_arrives() {
        let (acks, gauges, bytes) = sent();
        assert_eq!(received(&bytes), (acks, Some(gauges)));
    }

    #[test]
    fn half_a_message_counts_as_not_sent() {
        let (acks, _, bytes) = sent();
        for cut in 0..bytes.len() {
            let (some, _) = received(&bytes[..cut]);
            assert!(some.len() < acks.len() && acks.starts_with(&some), "cut at {cut}");
        }
    }

    #[test]
    fn an_unknown_outcome_is_an_error() {
        assert!(read(&[0, 0, 200, 0, 0, 0, 0, 0][..], |_| Ok(())).is_err());
    }
}
