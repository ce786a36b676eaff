//! One command's or query's way back: the slot that its caller awaits.
//!
//! A slot is one allocation, shared by the caller's future and the entity. It replaces a oneshot channel because three
//! things must be decided in it without a race: whether a command whose deadline passed may still be handled, whether
//! an answer that is already known may be shown (P2), and what the caller is told if either side goes away.

use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use dormouse_domain::{CommandError, NotDone, Position, Unknown};

use crate::spans::{CommandSpans, Ended};
use crate::sync::Mutex;

/// Why a call ends without the domain's answer.
#[derive(Debug, Clone)]
pub(crate) enum Failure {
    NotDone(NotDone),
    Unknown(Unknown),
}

impl<E> From<Failure> for CommandError<E> {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::NotDone(reason) => Self::NotDone(reason),
            Failure::Unknown(reason) => Self::Unknown(reason),
        }
    }
}

/// What a slot can hold: it can be made from a failure, and told where its commit came to lie.
pub(crate) trait Answer: Send + 'static {
    fn failed(failure: Failure) -> Self;
    fn settle(&mut self, at: Position);
    /// What the command's span tells of it; a query has none.
    fn ended(&self) -> Option<Ended> {
        None
    }
}

/// An answer in waiting, whatever its type: the entity's parking holds these.
pub(crate) trait Parked: Send + Sync {
    /// Shows the answer; `at` is the position of the call's own last event, if it stored any.
    fn release(&self, at: Option<Position>);
    /// Replaces the answer by a failure.
    fn fail(&self, failure: Failure);
}

enum State<T> {
    /// In a mailbox; nobody looked at it yet.
    Queued(Option<Waker>),
    /// The entity has begun with it: from here on the caller's wait may end as *unknown* only.
    Begun(Option<Waker>),
    /// The answer is known and waits for the disk.
    Parked(T, Option<Waker>),
    Answered(T),
    /// The caller took the answer, withdrew, or went away.
    Closed,
}

/// The shared slot of one call.
pub(crate) struct Call<T> {
    state: Mutex<State<T>>,
    /// In a box: nearly always nobody is interested.
    spans: Option<Box<CommandSpans>>,
}

impl<T: Answer> Call<T> {
    pub(crate) fn new() -> Arc<Self> {
        Self::traced(None)
    }

    /// Of a command, whose spans these are.
    pub(crate) fn traced(spans: Option<Box<CommandSpans>>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State::Queued(None)),
            spans,
        })
    }

    pub(crate) fn spans(&self) -> Option<&CommandSpans> {
        self.spans.as_deref()
    }

    /// Tells the command's span how it ended: the first answer is the one that its caller gets.
    pub(crate) fn trace_end(&self, ended: impl FnOnce() -> Option<Ended>) {
        if let Some(spans) = &self.spans
            && let Some(ended) = ended()
        {
            spans.end(ended);
        }
    }

    /// The entity's claim on a queued call. `false`: the caller withdrew, it must not be handled.
    pub(crate) fn begin(&self) -> bool {
        let mut state = self.state.lock();
        match &mut *state {
            State::Queued(waker) => {
                let waker = waker.take();
                *state = State::Begun(waker);
                true
            }
            State::Begun(_) => true,
            _ => false,
        }
    }

    /// Keeps an answer until [`Parked::release`] shows it.
    pub(crate) fn park(&self, answer: T) {
        let mut state = self.state.lock();
        if let State::Queued(waker) | State::Begun(waker) = &mut *state {
            let waker = waker.take();
            *state = State::Parked(answer, waker);
        }
    }

    /// Shows an answer that has nothing to wait for.
    pub(crate) fn answer(&self, answer: T) {
        self.finish(|_| (answer, None));
    }

    /// The caller's wait. Once ready the slot is closed.
    pub(crate) fn poll_answer(&self, cx: &Context<'_>) -> Poll<T> {
        let mut state = self.state.lock();
        match &mut *state {
            State::Queued(waker) | State::Begun(waker) | State::Parked(_, waker) => {
                match waker {
                    Some(known) if known.will_wake(cx.waker()) => {}
                    _ => *waker = Some(cx.waker().clone()),
                }
                Poll::Pending
            }
            State::Answered(_) => match std::mem::replace(&mut *state, State::Closed) {
                State::Answered(answer) => Poll::Ready(answer),
                _ => unreachable!("the state was matched under its lock"),
            },
            State::Closed => Poll::Pending,
        }
    }

    /// The caller's wait has ended. The answer if it is there; else what surely holds: *not done* if the entity had not
    /// begun (and now never will), *unknown* if it had.
    pub(crate) fn withdraw(&self) -> T {
        let before = std::mem::replace(&mut *self.state.lock(), State::Closed);
        let answer = match before {
            State::Answered(answer) => answer,
            State::Queued(_) => T::failed(Failure::NotDone(NotDone::DeadlinePassed)),
            _ => T::failed(Failure::Unknown(Unknown::WaitEnded)),
        };
        self.trace_end(|| answer.ended());
        answer
    }

    /// Ends the call with what `last` makes of a parked answer, and leaves the caller to take it; nothing if the caller
    /// is gone or has its answer. What is left over is a user's value: dropping it may panic, so it goes last.
    fn finish(&self, last: impl FnOnce(Option<T>) -> (T, Option<T>)) {
        let (waker, _left_over) = {
            let mut state = self.state.lock();
            let (parked, waker) = match std::mem::replace(&mut *state, State::Closed) {
                State::Queued(waker) | State::Begun(waker) => (None, waker),
                State::Parked(answer, waker) => (Some(answer), waker),
                ended => {
                    *state = ended;
                    return;
                }
            };
            let (answer, left_over) = last(parked);
            self.trace_end(|| answer.ended());
            *state = State::Answered(answer);
            (waker, left_over)
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<T: Answer> Parked for Call<T> {
    fn release(&self, at: Option<Position>) {
        self.finish(|parked| {
            let mut answer = parked.unwrap_or_else(|| T::failed(Failure::Unknown(Unknown::Abandoned)));
            if let Some(at) = at {
                answer.settle(at);
            }
            (answer, None)
        });
    }

    fn fail(&self, failure: Failure) {
        self.finish(|parked| (T::failed(failure), parked));
    }
}

/// The entity's end of a call while it is in a mailbox or in hand. Dropped unanswered it says what is certain: a
/// mailbox that goes away never handled the command.
pub(crate) struct Responder<T: Answer> {
    call: Arc<Call<T>>,
    armed: bool,
}

impl<T: Answer> Responder<T> {
    pub(crate) fn new(call: Arc<Call<T>>) -> Self {
        Self { call, armed: true }
    }

    pub(crate) fn call(&self) -> &Call<T> {
        &self.call
    }

    /// Hands the slot over: from here on whoever holds it answers.
    pub(crate) fn into_call(mut self) -> Arc<Call<T>> {
        self.armed = false;
        Arc::clone(&self.call)
    }
}

impl<T: Answer> Drop for Responder<T> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        let begun = matches!(*self.call.state.lock(), State::Begun(_));
        self.call.fail(match begun {
            true => Failure::Unknown(Unknown::Abandoned),
            false if std::thread::panicking() => Failure::NotDone(NotDone::Panicked {
                place: "a value's drop",
                message: "see the log".into(),
            }),
            false => Failure::NotDone(NotDone::ShuttingDown),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_domain::{Offset, ShardId};

    #[derive(Debug, PartialEq)]
    enum Said {
        Value(u32, Option<Position>),
        NotDone,
        Unknown,
    }

    impl Answer for Said {
        fn failed(failure: Failure) -> Self {
            match failure {
                Failure::NotDone(_) => Self::NotDone,
                Failure::Unknown(_) => Self::Unknown,
            }
        }
        fn settle(&mut self, at: Position) {
            if let Self::Value(_, position) = self {
                *position = Some(at);
            }
        }
    }

    fn poll(call: &Call<Said>) -> Poll<Said> {
        call.poll_answer(&Context::from_waker(Waker::noop()))
    }

    #[test]
    fn a_parked_answer_shows_only_when_released() {
        let call = Call::new();
        assert!(call.begin());
        call.park(Said::Value(7, None));
        assert_eq!(poll(&call), Poll::Pending);
        let at = Position {
            shard: ShardId::new(0),
            offset: Offset::new(3),
        };
        call.release(Some(at));
        assert_eq!(poll(&call), Poll::Ready(Said::Value(7, Some(at))));
    }

    #[test]
    fn a_withdrawn_call_is_never_begun() {
        let call = Call::<Said>::new();
        assert_eq!(call.withdraw(), Said::NotDone);
        assert!(!call.begin());
    }

    #[test]
    fn a_wait_that_ends_after_handling_began_is_unknown() {
        let call = Call::new();
        assert!(call.begin());
        call.park(Said::Value(7, None));
        assert_eq!(call.withdraw(), Said::Unknown);
    }

    #[test]
    fn a_responder_dropped_says_what_is_certain() {
        let queued = Call::new();
        drop(Responder::new(Arc::clone(&queued)));
        assert_eq!(poll(&queued), Poll::Ready(Said::NotDone));

        let begun = Call::new();
        begun.begin();
        drop(Responder::new(Arc::clone(&begun)));
        assert_eq!(poll(&begun), Poll::Ready(Said::Unknown));
    }

    #[test]
    fn a_failure_replaces_a_parked_answer() {
        let call = Call::new();
        call.begin();
        call.park(Said::Value(7, None));
        call.fail(Failure::Unknown(Unknown::Abandoned));
        assert_eq!(poll(&call), Poll::Ready(Said::Unknown));
    }
}
