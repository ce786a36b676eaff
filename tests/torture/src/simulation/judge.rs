//! Holds every answer to the truth: what was sent, what was told of it, what the log has of it.

use dormouse::{Bound, CommandError, CommandId, NotDone, Receipt, Store, Unknown};

use super::account::{Planned, Seen, Short};
use super::client::{Answer, Patience, Request};
use super::truth::{Effect, Truth};
use crate::violation::Violation;

/// How an attempt stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    /// Not answered yet.
    Pending,
    /// Answered *unknown*, or never: whether it took effect only the log can tell.
    Unknown,
    Replied,
    /// It surely had no effect.
    Without,
}

/// A command or a query (which is no command), sent once.
#[derive(Debug, Clone)]
pub(crate) struct Attempt {
    pub(crate) stream: usize,
    /// Which command this is an attempt of; none for a query.
    pub(crate) request: Option<Request>,
    pub(crate) sent_ms: u64,
    pub(crate) deadline_ms: u64,
    pub(crate) patience: Patience,
    pub(crate) standing: Standing,
    /// How often the store had been reopened.
    pub(crate) reopened: u64,
    /// Other attempts to its stream, and in all, that may be in flight beside it when it is sent.
    pub(crate) beside: (usize, usize),
}

/// What the world knows when an answer comes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    pub(crate) ms: u64,
    pub(crate) stopped: bool,
    pub(crate) reopened: u64,
}

/// What is known of all attempts.
#[derive(Debug)]
pub(crate) struct Judge {
    pub(crate) truth: Truth,
    pub(crate) attempts: Vec<Attempt>,
    new: Vec<Effect>,
}

type Judged = Result<(), Violation>;

fn broken(promise: &'static str, what: impl Into<String>) -> Judged {
    Err(Violation::new(promise, what))
}

/// A promise that must hold here.
fn held(holds: bool, promise: &'static str, what: impl FnOnce() -> String) -> Judged {
    if holds { Ok(()) } else { broken(promise, what()) }
}

impl Attempt {
    fn is_of(&self, number: u64) -> bool {
        self.request
            .is_some_and(|request| request.command.number == number)
    }

    fn may_have_effect(&self) -> bool {
        self.standing != Standing::Without
    }

    /// It may have been sent later than one that came after it.
    fn waited_for_room(&self) -> bool {
        self.request.is_some_and(|request| request.wait_for_room)
    }

    fn id(&self) -> Option<CommandId> {
        self.request.and_then(|request| request.id)
    }
}

impl Judge {
    pub(crate) fn new(streams: u64) -> Self {
        Self {
            truth: Truth::new(streams),
            attempts: Vec::new(),
            new: Vec::new(),
        }
    }

    /// What the log gained must be of commands that may have taken effect.
    pub(crate) fn read_on(&mut self, store: &Store) -> Judged {
        if store.durable().get() == self.truth.offset() {
            return Ok(());
        }
        self.new.clear();
        self.truth.read_on(store, &mut self.new)?;
        self.new.iter().try_for_each(|effect| self.may_be(effect))
    }

    fn may_be(&self, effect: &Effect) -> Judged {
        let mut attempts = self.attempts_of(effect.number);
        let possible = attempts.any(|attempt| {
            let in_time = (attempt.sent_ms..=attempt.deadline_ms).contains(&effect.at_ms);
            let same = attempt.stream == effect.stream && attempt.id().map(CommandId::as_u128) == effect.id;
            same && in_time && attempt.may_have_effect()
        });
        held(possible, "P13", || {
            let attempts: Vec<_> = self.attempts_of(effect.number).collect();
            format!("{effect:?} was not done, or too late: {attempts:?}")
        })
    }

    fn attempts_of(&self, number: u64) -> impl Iterator<Item = &Attempt> {
        self.attempts.iter().filter(move |attempt| attempt.is_of(number))
    }

    /// The attempt numbered `at` was told this.
    pub(crate) fn answered(&mut self, at: usize, answer: Answer, now: Now) -> Judged {
        match answer {
            Answer::Executed(Ok(receipt)) => self.replied(at, &receipt),
            Answer::Executed(Err(CommandError::Refused(Short { seen }))) => {
                let wanted = self.request(at).command.cents;
                held(seen.cents + wanted < 0, "P2", || {
                    format!("refused {wanted} of {}", seen.cents)
                })?;
                self.saw(at, seen, "a refusal")?;
                self.settles(at)
            }
            Answer::Executed(Err(CommandError::NotDone(reason))) => {
                self.not_done(at, &reason, now)?;
                if reason.settles_earlier_attempts() {
                    self.settles(at)?;
                }
                self.without_effect(at)
            }
            Answer::Executed(Err(CommandError::Unknown(reason))) => {
                self.attempts[at].standing = Standing::Unknown;
                self.unknown(at, &reason, now)
            }
            Answer::Executed(Err(error)) => broken("P6", format!("attempt {at}: {error:?}")),
            Answer::Queried(Ok(seen)) => {
                self.attempts[at].standing = Standing::Without;
                self.saw(at, seen, "a query")
            }
            Answer::Queried(Err(CommandError::NotDone(reason))) => {
                self.attempts[at].standing = Standing::Without;
                self.not_done(at, &reason, now)
            }
            Answer::Queried(Err(error)) => broken("P2", format!("query {at}: {error:?}")),
        }
    }

    fn request(&self, at: usize) -> Request {
        self.attempts[at]
            .request
            .expect("only a command is answered like that")
    }

    /// A reply: its events are durable, and it is the state right behind them.
    fn replied(&mut self, at: usize, receipt: &Receipt<Seen>) -> Judged {
        let request = self.request(at);
        let (stream, version) = (self.attempts[at].stream, receipt.version.get());
        self.attempts[at].standing = Standing::Replied;
        if request.command.parts == 0 {
            held(!receipt.replayed && receipt.position.is_none(), "P6", || {
                format!("attempt {at} stored nothing, and is answered {receipt:?}")
            })?;
            return self.saw(at, receipt.reply, "a reply");
        }
        let Some(effect) = self.truth.effect(request.command.number) else {
            return broken(
                "P1",
                format!("attempt {at} is answered {receipt:?}, and not durable"),
            );
        };
        let told = (version, receipt.position.map(|position| position.offset.get()));
        held(told == (effect.last, Some(effect.last_offset)), "P1", || {
            format!("attempt {at} is answered {receipt:?}, and did {effect:?}")
        })?;
        let state = self.truth.state(stream, version);
        held(state == Some(receipt.reply), "P8", || {
            format!("attempt {at} is answered {receipt:?}, and the state was {state:?}")
        })?;
        if receipt.replayed {
            return held(request.id.is_some(), "P6", || {
                format!("attempt {at} has no id, and is replayed")
            });
        }
        let in_time =
            effect.at_ms >= self.attempts[at].sent_ms && effect.at_ms <= self.attempts[at].deadline_ms;
        held(in_time, "P6", || {
            format!("attempt {at} is answered as new, and did {effect:?} at another time")
        })?;
        self.in_order(at, version, true)
    }

    /// An answer that shows a state: one that is durable, and not older than it must be.
    fn saw(&mut self, at: usize, seen: Seen, what: &str) -> Judged {
        let stream = self.attempts[at].stream;
        let state = self.truth.state(stream, seen.events);
        let promise = if state.is_none() { "P2" } else { "P8" };
        held(state == Some(seen), promise, || {
            format!("attempt {at}: {what} saw {seen:?}; durable is {state:?} there")
        })?;
        self.in_order(at, seen.events, false)
    }

    fn in_order(&mut self, at: usize, version: u64, is_effect: bool) -> Judged {
        let attempt = &self.attempts[at];
        if attempt.waited_for_room() {
            return Ok(());
        }
        let answered = self.truth.answered(attempt.stream, at as u64, version, is_effect);
        answered.map_err(|violation| {
            Violation::new(violation.promise, format!("attempt {at}: {}", violation.what))
        })
    }

    /// Judged by its id: no attempt that came before had an effect, nor will have.
    fn settles(&mut self, at: usize) -> Judged {
        let number = self.request(at).command.number;
        if self.request(at).id.is_some() {
            let came = |attempt: &&mut Attempt| attempt.is_of(number) && !attempt.waited_for_room();
            for attempt in self.attempts[..at].iter_mut().filter(came) {
                attempt.standing = Standing::Without;
            }
        }
        self.without_effect(at)
    }

    fn without_effect(&mut self, at: usize) -> Judged {
        self.attempts[at].standing = Standing::Without;
        let number = self.request(at).command.number;
        let Some(effect) = self.truth.effect(number) else {
            return Ok(());
        };
        self.may_be(&effect).map_err(|_| {
            Violation::new(
                "P3",
                format!("attempt {at} was not done, nor any other that did {effect:?}"),
            )
        })
    }

    fn unknown(&self, at: usize, reason: &Unknown, now: Now) -> Judged {
        let attempt = &self.attempts[at];
        let possible = match reason {
            Unknown::WriteFailed { .. } => Self::was_stopped(attempt, now),
            Unknown::WaitEnded => attempt.patience == Patience::GivesUp,
            // a retry of a command whose write failed
            Unknown::Abandoned => Self::was_stopped(attempt, now) && attempt.id().is_some(),
            _ => false,
        };
        held(possible, "P3", || {
            format!("attempt {at}: {reason} at {now:?}: {attempt:?}")
        })
    }

    /// Each reason must be true.
    fn not_done(&mut self, at: usize, reason: &NotDone, now: Now) -> Judged {
        let attempt = &self.attempts[at];
        let request = attempt.request;
        let (possible, promise) = match reason {
            NotDone::Overloaded { bound, limit } => {
                let beside = match bound {
                    Bound::Mailbox => attempt.beside.0,
                    _ => attempt.beside.1,
                };
                (beside >= *limit, "P13")
            }
            NotDone::DeadlinePassed => {
                let late = now.ms > attempt.deadline_ms || attempt.patience == Patience::GivesUp;
                (late, "P13")
            }
            NotDone::Stopped { .. } | NotDone::Stale { .. } => (Self::was_stopped(attempt, now), "P3"),
            NotDone::VersionConflict { expected, actual } => {
                let asked = request.map(|request| request.expected);
                let durable = self.truth.head(attempt.stream) >= actual.get();
                let possible = asked == Some(*expected) && !expected.allows(*actual) && durable;
                if possible {
                    self.in_order(at, actual.get(), false)?;
                }
                (possible, "P2")
            }
            NotDone::CommandIdReused { id, first_version } => {
                let first = self.truth.effect_of_id(attempt.stream, id.as_u128());
                let number = request.map(|request| request.command.number);
                let possible = first.is_some_and(|first| {
                    first.first == first_version.get()
                        && Some(first.number) != number
                        && attempt.id() == Some(*id)
                });
                (possible, "P6")
            }
            NotDone::Panicked { place, .. } => {
                let planned = request.map(|request| request.command.planned);
                let possible = match planned {
                    Some(Planned::PanicInHandle) => *place == "handle",
                    Some(Planned::PanicInApply) => *place == "apply",
                    _ => false,
                };
                (possible, "P10")
            }
            NotDone::CommandIdInFuture {
                ahead_ms, limit_ms, ..
            } => (ahead_ms > limit_ms && attempt.id().is_some(), "P6"),
            _ => (false, "P7"),
        };
        held(possible, promise, || {
            format!(
                "attempt {at} is told: {reason:?} at {now:?}: {:?}",
                self.attempts[at]
            )
        })
    }

    /// The store stopped, or was reopened, between sending and answer.
    fn was_stopped(attempt: &Attempt, now: Now) -> bool {
        now.stopped || attempt.reopened < now.reopened
    }

    /// Whoever waited is gone, with the process that would have answered.
    pub(crate) fn crashed(&mut self) {
        for attempt in self
            .attempts
            .iter_mut()
            .filter(|attempt| attempt.standing == Standing::Pending)
        {
            attempt.standing = Standing::Unknown;
        }
    }

    /// Everything is done that was begun: nobody may wait any more (P7).
    pub(crate) fn settled(&self) -> Judged {
        let waits =
            |attempt: &Attempt| attempt.standing == Standing::Pending && attempt.patience == Patience::Waits;
        match self.attempts.iter().position(waits) {
            Some(at) => broken(
                "P7",
                format!("attempt {at} is never answered: {:?}", self.attempts[at]),
            ),
            None => Ok(()),
        }
    }
}
