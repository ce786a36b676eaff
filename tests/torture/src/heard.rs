//! What a parent heard of its child.

use std::collections::HashMap;

use dormouse::Position;

use crate::wire::{Turn, Word};

/// A command of one child, as its parent heard of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Told {
    pub(crate) number: u64,
    pub(crate) stream: u32,
    pub(crate) id: u128,
    pub(crate) answer: Answer,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// None before the child was killed, or *unknown*.
    None,
    Done {
        version: u64,
        reply: u64,
        /// Of its last event.
        position: Option<Position>,
    },
    NotDone,
}

/// What a child's runtime counted up to the last time it told.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Aggregates that were evicted because memory was short, or they were idle.
    pub(crate) evicted: u64,
    pub(crate) snapshots: u64,
    /// Runs that were published.
    pub(crate) runs: u64,
}

/// Hears what a child says.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    pub(crate) ready: bool,
    /// Its disk is gone: what was done or shown since is no promise.
    is_cut: bool,
    pub(crate) commands: HashMap<u64, Told>,
    /// What a follower of the log was shown: the command's id by its commit's offset.
    pub(crate) shown: Vec<(u64, u128)>,
    /// The highest count that a query answered, by counter.
    pub(crate) looked: HashMap<u32, u64>,
    /// What it said of itself, each once, in order.
    pub(crate) turns: Vec<Turn>,
    /// Commands that were answered *unknown*.
    pub(crate) unknown: u64,
    pub(crate) counts: Counts,
}

impl Heard {
    pub(crate) fn word(&mut self, word: Word) {
        let mut answer = |number: u64, answer| {
            if let Some(told) = self.commands.get_mut(&number) {
                told.answer = answer;
            }
        };
        match word {
            Word::Done { .. }
            | Word::Unknown { .. }
            | Word::Shown { .. }
            | Word::Looked { .. }
            | Word::Turn(_)
                if self.is_cut => {}
            Word::Ready => self.ready = true,
            Word::Sent { number, stream, id } => {
                let told = Told {
                    number,
                    stream,
                    id,
                    answer: Answer::None,
                };
                self.commands.insert(number, told);
            }
            Word::Done {
                number,
                version,
                reply,
                position,
            } => {
                let done = Answer::Done {
                    version,
                    reply,
                    position,
                };
                answer(number, done);
            }
            Word::NotDone { number } => answer(number, Answer::NotDone),
            Word::Unknown { .. } => self.unknown += 1,
            Word::Cut => self.is_cut = true,
            Word::Shown { offset, id } => self.shown.push((offset, id)),
            Word::Looked { stream, count } => {
                let highest = self.looked.entry(stream).or_default();
                *highest = count.max(*highest);
            }
            Word::Turn(turn) => {
                if !self.turns.contains(&turn) {
                    self.turns.push(turn);
                }
            }
            Word::Counts { counts, .. } => self.counts = counts,
        }
    }

    pub(crate) fn acknowledged(&self) -> usize {
        let done = |told: &&Told| matches!(told.answer, Answer::Done { .. });
        self.commands.values().filter(done).count()
    }

    pub(crate) fn not_done(&self) -> usize {
        let not_done = |told: &&Told| told.answer == Answer::NotDone;
        self.commands.values().filter(not_done).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_after_another_is_kept_and_what_a_cut_caused_is_not() {
        let mut heard = Heard::default();
        for turn in [Turn::Stopped, Turn::Panicked, Turn::Stopped] {
            heard.word(Word::Turn(turn));
        }
        heard.word(Word::Unknown { number: 1 });
        heard.word(Word::Cut);
        heard.word(Word::Turn(Turn::NotFollowed));
        heard.word(Word::Unknown { number: 2 });
        assert_eq!(heard.turns, [Turn::Stopped, Turn::Panicked]);
        assert_eq!(heard.unknown, 1);
    }
}
