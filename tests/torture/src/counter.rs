//! What is tortured: counters that know every command they ever took.

use std::sync::LazyLock;

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use serde::{Deserialize, Serialize};

use crate::random::Random;

/// Counts the events of its commands.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Counter {
    pub(crate) count: u64,
}

/// One of the events that one command causes: whoever sees one must see all.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize, Event)]
pub(crate) enum Counted {
    /// Part `part` of `parts`, from 1, of the command `number`.
    Added {
        /// The command's number.
        number: u64,
        /// This event's place among the command's.
        part: u8,
        /// Events of the command.
        parts: u8,
        /// Makes sizes differ.
        padding: String,
    },
}

/// Adds `parts` to the count; replies with the count after.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = u64)]
pub(crate) struct Add {
    pub(crate) number: u64,
    pub(crate) parts: u8,
    pub(crate) padding: u16,
}

impl Aggregate for Counter {
    const TYPE: &'static str = "counter";
    type Event = Counted;
    type Error = Never;

    fn apply(&mut self, _: &Counted) {
        self.count += 1;
    }
}

impl Handle<Add> for Counter {
    fn handle(&self, add: Add, _: &CommandContext<'_>) -> Decided<Self, Add> {
        let event = |part| Counted::Added {
            number: add.number,
            part,
            parts: add.parts,
            padding: padding(add.number, add.padding),
        };
        Ok(Decision::events((1..=add.parts).map(event)).reply(|after| after.count))
    }
}

/// Every other command's packs to nothing; the others' letters don't pack, so that batches have many pages.
fn padding(number: u64, length: u16) -> String {
    static NOISE: LazyLock<String> = LazyLock::new(|| {
        let mut random = Random::new(0, 0);
        let mut letter = || char::from(b'a' + random.below(26) as u8);
        (0..NOISE_BYTES).map(|_| letter()).collect()
    });
    let length = usize::from(length);
    if number.is_multiple_of(2) && number & HEAVY == 0 {
        return "x".repeat(length);
    }
    let start = Random::new(number, 0).below((NOISE_BYTES - length) as u64) as usize;
    NOISE[start..start + length].to_owned()
}

/// So much that two commands of a batch seldom share a part of it.
const NOISE_BYTES: usize = 1 << 20;
/// Commands with this bit in their number are large: the log comes to its next write-ahead file soon.
pub(crate) const HEAVY: u64 = 1 << 63;

impl Add {
    /// The command with this number: the number alone decides, so that a retry is the same command.
    pub(crate) fn numbered(number: u64) -> Self {
        let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
        Self {
            number,
            parts: 1 + (mixed % 3) as u8,
            padding: match number & HEAVY {
                // now and then a large one, which the journal moves instead of copying
                0 if mixed.is_multiple_of(97) => 20_000,
                0 => (mixed % 300) as u16,
                _ => 50_000,
            },
        }
    }
}

/// A counter's id.
pub(crate) fn stream_name(stream: u32) -> String {
    format!("c-{stream:06}")
}

/// A counter's number, by its id.
pub(crate) fn stream_number(id: &str) -> Option<u32> {
    id.strip_prefix("c-")?.parse().ok()
}
