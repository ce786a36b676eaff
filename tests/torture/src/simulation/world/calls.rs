//! What callers of a world do: send commands, again, with others' ids; ask; lose patience.

use std::cell::Cell;
use std::rc::Rc;

use dormouse::{CommandId, Expected, Version};
use dormouse_runtime::simulation::Step;
use uuid::Uuid;

use super::super::account::{Account, Move, OtherAccount, Planned};
use super::super::client::{Caller, Patience, Request, execute, query};
use super::super::judge::{Attempt, Standing};
use super::{BEGIN, DEADLINE, World};

/// One command of so many stores nothing, another one many events, others panic.
const RARE: u64 = 24;
/// The last attempts, which are likely to be in flight or just answered.
const RECENT: usize = 12;

impl World<'_> {
    /// A number, and with it what the command does.
    fn new_command(&mut self, choices: [u64; 4]) -> Move {
        self.numbers += 1;
        let rare = choices[1] % RARE;
        Move {
            number: self.numbers,
            cents: (choices[2] % 150) as i64 - 50,
            parts: match rare {
                0 => 0,
                1 => 40,
                _ => 1 + (choices[2] % 7 / 3) as u8,
            },
            planned: match rare {
                2 => Planned::PanicInHandle,
                3 => Planned::PanicInApply,
                _ => Planned::Nothing,
            },
        }
    }

    pub(super) fn command(&mut self, choices: [u64; 4]) {
        let command = self.new_command(choices);
        let stream = (choices[0] % self.configuration.streams) as usize;
        let id = self.new_id(choices[3]);
        let head = self.judge.truth.head(stream);
        let expected = match choices[3] >> 32 & 15 {
            0 => Expected::Absent,
            1 => Expected::Exists,
            2 => Expected::At(Version::new(head)),
            3 => Expected::At(Version::new(head + 1)),
            _ => Expected::Any,
        };
        let wait_for_room = choices[3] >> 40 & 15 == 0;
        let request = Request {
            command,
            id,
            expected,
            wait_for_room,
        };
        self.send(stream, Some(request));
    }

    /// Time-ordered, mostly of now, at times of a while ago or too far ahead; of a key; or none.
    fn new_id(&self, choice: u64) -> Option<CommandId> {
        let now = self.clock.now().as_millis();
        let ms = match choice % 16 {
            0..7 => now,
            7..9 => now - choice / 16 % (now - BEGIN.as_millis() + 1),
            9 => now + choice / 16 % 100_000,
            10 => now + 600_000,
            11..14 => return Some(CommandId::from_key(&format!("key-{}", self.numbers))),
            _ => return None,
        };
        const VERSION_7: u128 = 0x7 << 76 | 0b10 << 62;
        let id = u128::from(ms) << 80 | VERSION_7 | u128::from(self.numbers);
        Some(CommandId::from(Uuid::from_u128(id)))
    }

    /// Any earlier command that has an id.
    fn earlier(&self, choice: u64) -> Option<(usize, Request)> {
        let attempts = &self.judge.attempts;
        // one of the last as often as any
        let of = match choice % 2 {
            0 => attempts.len().min(RECENT),
            _ => attempts.len(),
        };
        let at = attempts.len() - of + (choice / 2) as usize % of.max(1);
        let attempt = attempts.get(at)?;
        let request = attempt.request.filter(|request| request.id.is_some())?;
        Some((attempt.stream, request))
    }

    pub(super) fn retry(&mut self, choices: [u64; 4]) {
        if let Some((stream, request)) = self.earlier(choices[0]) {
            self.send(stream, Some(request));
        }
    }

    pub(super) fn reuse(&mut self, choices: [u64; 4]) {
        if let Some((stream, earlier)) = self.earlier(choices[0]) {
            let command = self.new_command(choices);
            self.send(stream, Some(Request { command, ..earlier }));
        }
    }

    pub(super) fn send(&mut self, stream: usize, request: Option<Request>) {
        let pending = self
            .callers
            .iter()
            .map(|(at, ..)| *at)
            .chain(self.gone.iter().copied());
        let beside: Vec<_> = pending.map(|at| &self.judge.attempts[at]).collect();
        let of_stream = beside.iter().filter(|attempt| attempt.stream == stream).count();
        let beside = (of_stream, beside.len());
        let now = self.clock.now().as_millis();
        let attempt = self.judge.attempts.len();
        self.judge.attempts.push(Attempt {
            stream,
            request,
            sent_ms: now,
            deadline_ms: now + DEADLINE.as_millis() as u64,
            patience: Patience::Waits,
            standing: Standing::Pending,
            reopened: self.reopened,
            beside,
        });
        let patience = Rc::<Cell<Patience>>::default();
        let caller = Caller {
            attempt,
            patience: Rc::clone(&patience),
            answers: Rc::clone(&self.answers),
        };
        self.say(|| format!("   attempt {attempt}: to {stream}, {request:?}"));
        let (life, runtime) = (self.life(), self.runtime().clone());
        let task = match (request, self.is_other_program) {
            (Some(request), false) => life.spawn(execute::<Account>(runtime, stream, request, caller)),
            (Some(request), true) => life.spawn(execute::<OtherAccount>(runtime, stream, request, caller)),
            (None, false) => life.spawn(query::<Account>(runtime, stream, caller)),
            (None, true) => life.spawn(query::<OtherAccount>(runtime, stream, caller)),
        };
        self.callers.push((attempt, task, patience));
        self.done.sent += 1;
    }

    pub(super) fn lose_patience(&mut self, choice: u64, how: Patience) {
        if self.callers.is_empty() {
            return;
        }
        let place = choice as usize % self.callers.len();
        let (attempt, task, patience) = self.callers[place].clone();
        let is_query = self.judge.attempts[attempt].request.is_none();
        let how = if is_query { Patience::Leaves } else { how };
        patience.set(how);
        self.judge.attempts[attempt].patience = how;
        self.life().wake(task);
        self.life().step(Step::Turn(task));
        self.gone.push(attempt);
        if how == Patience::Leaves {
            self.callers.remove(place);
            self.judge.attempts[attempt].standing = Standing::Unknown;
        }
        self.say(|| format!("   attempt {attempt}: {how:?}"));
    }
}
