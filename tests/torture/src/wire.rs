//! What the child tells its parent through its standard output: words of 41 bytes, each written by itself, so that a
//! word is in the pipe, whole, before its writer goes on. What is in the pipe stays there when the writer is killed.

use std::fs::File;
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context, Result, bail};
use dormouse::{Offset, Position, ShardId};

use crate::heard::Counts;

const WORD_BYTES: usize = 41;

/// One thing that happened in the child.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Word {
    /// The store is open, clients begin.
    Ready,
    /// A command is about to be sent.
    Sent { number: u64, stream: u32, id: u128 },
    /// It was answered with a reply, and with where its last event is.
    Done {
        number: u64,
        version: u64,
        reply: u64,
        position: Option<Position>,
    },
    /// It was answered: nothing happened.
    NotDone { number: u64 },
    /// It was answered: nobody knows.
    Unknown { number: u64 },
    /// A follower of the log was shown the commit of this command, which begins at this offset.
    Shown { offset: u64, id: u128 },
    /// A query was answered with a counter's count.
    Looked { stream: u32, count: u64 },
    /// Said by the parent: the disk's power is about to be cut.
    Cut,
    /// The child's own state has changed.
    Turn(Turn),
    /// What its runtime has counted since it was opened, and how long the client has waited that waits longest now, for a
    /// command or a query.
    Counts { counts: Counts, oldest_ms: u64 },
}

/// What a child says of itself. One whose disk is sound has nothing to say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// A client saw that the store's health is *stopped*.
    Stopped,
    /// A client was told that a write had failed, and health said that all was well.
    NotStopped,
    /// All clients rest: nothing is in flight.
    Resting,
    /// The store was reopened, in process.
    Reopened,
    /// It was not, or did not open: the system failed.
    NotOpened,
    /// It was not, or did not open: the store is said to be damaged.
    Damaged,
    /// It was not, or did not open: its log ends before what is known to be durable.
    LogShorter,
    /// A thread panicked.
    Panicked,
    /// A follower of the log was told of an error.
    NotFollowed,
    /// A command that was acknowledged was sent again, and done anew.
    DoneAgain,
}

const TURNS: [Turn; 10] = [
    Turn::Stopped,
    Turn::NotStopped,
    Turn::Resting,
    Turn::Reopened,
    Turn::NotOpened,
    Turn::Damaged,
    Turn::LogShorter,
    Turn::Panicked,
    Turn::NotFollowed,
    Turn::DoneAgain,
];

impl Word {
    fn encode(self) -> [u8; WORD_BYTES] {
        let mut bytes = [0; WORD_BYTES];
        let mut put = |at: usize, part: &[u8]| bytes[at..at + part.len()].copy_from_slice(part);
        match self {
            Self::Ready => put(0, &[0]),
            Self::Sent { number, stream, id } => {
                put(0, &[1]);
                put(1, &number.to_le_bytes());
                put(9, &stream.to_le_bytes());
                put(25, &id.to_le_bytes());
            }
            Self::Done {
                number,
                version,
                reply,
                position,
            } => {
                put(0, &[2]);
                put(1, &number.to_le_bytes());
                put(9, &version.to_le_bytes());
                put(17, &reply.to_le_bytes());
                // no event has offset 0: that is none
                let position = position.unwrap_or_default();
                put(25, &position.offset.get().to_le_bytes());
                put(33, &position.shard.get().to_le_bytes());
            }
            Self::NotDone { number } => {
                put(0, &[3]);
                put(1, &number.to_le_bytes());
            }
            Self::Unknown { number } => {
                put(0, &[4]);
                put(1, &number.to_le_bytes());
            }
            Self::Shown { offset, id } => {
                put(0, &[5]);
                put(1, &offset.to_le_bytes());
                put(25, &id.to_le_bytes());
            }
            Self::Looked { stream, count } => {
                put(0, &[6]);
                put(1, &count.to_le_bytes());
                put(9, &stream.to_le_bytes());
            }
            Self::Cut => put(0, &[7]),
            Self::Turn(turn) => put(0, &[8, turn as u8]),
            Self::Counts { counts, oldest_ms } => {
                put(0, &[9]);
                put(1, &counts.evicted.to_le_bytes());
                put(9, &counts.snapshots.to_le_bytes());
                put(17, &counts.runs.to_le_bytes());
                put(25, &oldest_ms.to_le_bytes());
            }
        }
        bytes
    }

    fn decode(bytes: &[u8; WORD_BYTES]) -> Result<Self> {
        let u64_at = |at: usize| u64::from_le_bytes(bytes[at..at + 8].try_into().expect("8 bytes"));
        let stream = u32::from_le_bytes(bytes[9..13].try_into().expect("4 bytes"));
        let id = u128::from_le_bytes(bytes[25..41].try_into().expect("16 bytes"));
        let number = u64_at(1);
        Ok(match bytes[0] {
            0 => Self::Ready,
            1 => Self::Sent { number, stream, id },
            2 => Self::Done {
                number,
                version: u64_at(9),
                reply: u64_at(17),
                position: match u64_at(25) {
                    0 => None,
                    offset => {
                        let shard = u16::from_le_bytes([bytes[33], bytes[34]]);
                        Some(Position::new(ShardId::new(shard), Offset::new(offset)))
                    }
                },
            },
            3 => Self::NotDone { number },
            4 => Self::Unknown { number },
            5 => Self::Shown {
                offset: u64_at(1),
                id,
            },
            6 => Self::Looked {
                stream,
                count: u64_at(1),
            },
            7 => Self::Cut,
            8 => Self::Turn(*TURNS.get(usize::from(bytes[1])).context("a turn that is none")?),
            9 => Self::Counts {
                counts: Counts {
                    evicted: u64_at(1),
                    snapshots: u64_at(9),
                    runs: u64_at(17),
                },
                oldest_ms: u64_at(25),
            },
            tag => bail!("the child says a word that begins with {tag}"),
        })
    }
}

/// The child's end.
#[derive(Debug)]
pub(crate) struct Pipe(File);

impl Pipe {
    /// Talks into this.
    pub(crate) fn new(into: OwnedFd) -> Self {
        Self(File::from(into))
    }

    /// Takes over standard output.
    pub(crate) fn take() -> io::Result<Self> {
        let out = io::stdout().as_fd().try_clone_to_owned()?;
        Ok(Self::new(out))
    }

    /// In the pipe when it returns. A pipe takes so few bytes whole or not at all, whoever else writes.
    pub(crate) fn say(&self, word: Word) -> io::Result<()> {
        (&self.0).write_all(&word.encode())
    }
}

/// Hears words until the child is gone.
pub(crate) fn hear(mut from: impl Read, mut heard: impl FnMut(Word)) -> Result<()> {
    let mut bytes = [0; WORD_BYTES];
    loop {
        match from.read_exact(&mut bytes) {
            Ok(()) => heard(Word::decode(&bytes)?),
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_heard_as_they_were_said() {
        let words = [
            Word::Ready,
            Word::Sent {
                number: 1 << 40,
                stream: 9_999,
                id: u128::MAX - 1,
            },
            Word::Done {
                number: 7,
                version: 8,
                reply: u64::MAX,
                position: Some(Position::new(ShardId::new(300), Offset::new(1 << 60))),
            },
            Word::Done {
                number: 9,
                version: 10,
                reply: 11,
                position: None,
            },
            Word::Counts {
                counts: Counts {
                    evicted: 1,
                    snapshots: 2,
                    runs: 3,
                },
                oldest_ms: 1 << 40,
            },
            Word::NotDone { number: 3 },
            Word::Unknown { number: 4 },
            Word::Shown {
                offset: 1 << 50,
                id: 5,
            },
            Word::Looked {
                stream: 6,
                count: 1 << 40,
            },
            Word::Cut,
        ];
        let words: Vec<_> = words.into_iter().chain(TURNS.map(Word::Turn)).collect();
        let mut said: Vec<u8> = words.iter().flat_map(|word| word.encode()).collect();
        said.extend([1; 5]); // cut off by a kill
        let mut heard = Vec::new();
        hear(&said[..], |word| heard.push(word)).unwrap();
        assert_eq!(heard, words);
    }
}
