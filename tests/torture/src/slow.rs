//! An aggregate that takes its time, weighs something, and tells when it was asked.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use serde::{Deserialize, Serialize};

/// When each command was handled: microseconds since the beginning, 0 if it was not. A handler must not keep notes like
/// these; here they are the point.
#[derive(Debug)]
pub(crate) struct Notes {
    began: Instant,
    handled_us: Vec<AtomicU64>,
}

static NOTES: OnceLock<Notes> = OnceLock::new();

impl Notes {
    /// Begins, with room for so many commands. Once a process.
    pub(crate) fn begin(commands: usize) -> &'static Self {
        NOTES.get_or_init(|| Self {
            began: Instant::now(),
            handled_us: (0..commands).map(|_| AtomicU64::new(0)).collect(),
        })
    }

    /// Numbers of commands are below this.
    pub(crate) fn room(&self) -> u64 {
        self.handled_us.len() as u64
    }

    pub(crate) fn now_us(&self) -> u64 {
        self.began.elapsed().as_micros() as u64
    }

    pub(crate) fn handled_us(&self, number: u64) -> Option<u64> {
        let at = self.handled_us[number as usize].load(Ordering::Acquire);
        (at > 0).then_some(at)
    }

    fn handled(&self, number: u64) {
        self.handled_us[number as usize].store(self.now_us().max(1), Ordering::Release);
    }
}

#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Slow {
    count: u64,
    weight: Vec<u8>,
}

#[derive(Debug, Serialize, Deserialize, Event)]
pub(crate) enum Worked {
    /// A command was done.
    Done {
        /// Its number.
        number: u64,
        /// What the state weighs from here on.
        weight_bytes: u32,
    },
}

/// Takes so long, and replies with the count.
#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = u64)]
pub(crate) struct Work {
    pub(crate) number: u64,
    pub(crate) takes_us: u64,
    pub(crate) weight_bytes: u32,
}

impl Aggregate for Slow {
    const TYPE: &'static str = "slow";
    type Event = Worked;
    type Error = Never;

    fn apply(&mut self, event: &Worked) {
        let Worked::Done { weight_bytes, .. } = event;
        self.count += 1;
        self.weight.resize(*weight_bytes as usize, 7);
    }

    fn weight_bytes(&self) -> Option<usize> {
        Some(self.weight.len())
    }
}

impl Handle<Work> for Slow {
    fn handle(&self, work: Work, _: &CommandContext<'_>) -> Decided<Self, Work> {
        if let Some(notes) = NOTES.get() {
            notes.handled(work.number);
        }
        std::thread::sleep(Duration::from_micros(work.takes_us));
        let done = Worked::Done {
            number: work.number,
            weight_bytes: work.weight_bytes,
        };
        Ok(Decision::event(done).reply(|after| after.count))
    }
}
