//! What the parent hears from a child whose disk fails, and holds it to while it hears.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::heard::{Answer, Heard};
use crate::violation::Violation;
use crate::wire::{Turn, Word};

/// One command's way so far.
#[derive(Debug, Clone, Copy)]
struct Sent {
    at: Instant,
    /// The store had been seen stopped before it was sent.
    when_stopped: bool,
}

/// The words of one child, in order.
#[derive(Debug, Default)]
pub(crate) struct Course {
    pub(crate) heard: Heard,
    pub(crate) broken: Vec<Violation>,
    /// Whether the store was ever seen stopped.
    pub(crate) ever_stopped: bool,
    /// An opening failed, and said that the store is damaged.
    pub(crate) said_damaged: bool,
    pub(crate) unknown: u64,
    pub(crate) not_done: u64,
    /// The longest that a client of a stopped store waited for its answer.
    pub(crate) longest_when_stopped: Duration,
    pub(crate) longest: Duration,
    stopped: bool,
    sent: HashMap<u64, Sent>,
    /// When each was acknowledged first.
    acknowledged: HashMap<u64, Instant>,
}

impl Course {
    pub(crate) fn word(&mut self, word: Word) {
        match word {
            Word::Ready => {}
            Word::Sent { number, .. } => {
                let sent = Sent {
                    at: Instant::now(),
                    when_stopped: self.stopped,
                };
                self.sent.insert(number, sent);
            }
            Word::Done {
                number,
                version,
                reply,
                ..
            } => self.done(number, (version, reply)),
            Word::NotDone { number } => {
                self.not_done += 1;
                self.answered(number);
            }
            Word::Unknown { number } => {
                self.unknown += 1;
                if self.answered(number).is_some_and(|sent| sent.when_stopped) {
                    self.broken(
                        "P11",
                        format!("command {number}, sent to a stopped store, is unknown"),
                    );
                }
            }
            Word::Turn(turn) => self.turn(turn),
            // nobody cuts the power, follows, asks or counts here
            Word::Shown { .. } | Word::Looked { .. } | Word::Cut | Word::Counts { .. } => {}
        }
        self.heard.word(word);
    }

    fn done(&mut self, number: u64, told: (u64, u64)) {
        if self.answered(number).is_some_and(|sent| sent.when_stopped) {
            self.broken(
                "P11",
                format!("command {number}, sent to a stopped store, is acknowledged"),
            );
        }
        self.acknowledged.entry(number).or_insert_with(Instant::now);
        let before = self.heard.commands.get(&number).map(|told| told.answer);
        if let Some(Answer::Done { version, reply, .. }) = before
            && (version, reply) != told
        {
            self.broken(
                "P6",
                format!(
                    "command {number} sent again: acknowledged as {:?} before, as {told:?} now",
                    (version, reply)
                ),
            );
        }
    }

    /// Its first answer has come.
    fn answered(&mut self, number: u64) -> Option<Sent> {
        let sent = self.sent.remove(&number)?;
        let took = sent.at.elapsed();
        let longest = if sent.when_stopped {
            &mut self.longest_when_stopped
        } else {
            &mut self.longest
        };
        *longest = took.max(*longest);
        Some(sent)
    }

    /// Takes what was acknowledged since then for unknown; how much that is.
    pub(crate) fn doubt_since(&mut self, instant: Instant) -> u64 {
        let mut doubted = 0;
        for (number, at) in &self.acknowledged {
            if *at >= instant
                && let Some(told) = self.heard.commands.get_mut(number)
            {
                told.answer = Answer::None;
                doubted += 1;
            }
        }
        doubted
    }

    fn turn(&mut self, turn: Turn) {
        match turn {
            Turn::Stopped => (self.stopped, self.ever_stopped) = (true, true),
            Turn::Reopened => self.stopped = false,
            Turn::NotStopped => self.broken("P11", "a write failed, and health says that all is well"),
            Turn::Damaged | Turn::LogShorter => self.said_damaged = true,
            Turn::Panicked => self.broken("P11", "a thread panicked"),
            Turn::DoneAgain => self.broken(
                "P1",
                "a command that was acknowledged was done anew when sent again",
            ),
            Turn::Resting if !self.sent.is_empty() => {
                let left = self.sent.len();
                self.broken(
                    "P11",
                    format!("all clients rest, and {left} commands were not answered"),
                );
            }
            // nobody follows here
            Turn::Resting | Turn::NotOpened | Turn::NotFollowed => {}
        }
    }

    fn broken(&mut self, promise: &'static str, what: impl Into<String>) {
        self.broken.push(Violation::new(promise, what));
    }
}
