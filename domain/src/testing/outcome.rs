use std::fmt::{Debug, Write};

use super::lossless;
use crate::{Aggregate, Command, Event};

/// The events and the reply, or the refusal.
type Done<A, C> = Result<(Vec<<A as Aggregate>::Event>, <C as Command>::Reply), <A as Aggregate>::Error>;

/// What a command led to. Each check panics with what was expected and what came, and returns the outcome for the
/// next one.
pub struct Outcome<A: Aggregate, C: Command> {
    result: Done<A, C>,
    state: A,
}

impl<A: Aggregate, C: Command> Outcome<A, C> {
    pub(super) fn new(result: Done<A, C>, state: A) -> Self {
        Self { result, state }
    }

    /// The state after the command.
    pub fn state(&self) -> &A {
        &self.state
    }

    /// The events of the command; none if it was refused.
    pub fn events(&self) -> &[A::Event] {
        self.result.as_ref().map_or(&[], |(events, _)| events)
    }

    /// It was done, with exactly these events in this order.
    #[track_caller]
    pub fn then_events(self, expected: impl IntoIterator<Item = A::Event>) -> Self
    where
        A::Event: Debug + PartialEq,
    {
        let (actual, _) = self.done("events");
        let expected: Vec<A::Event> = expected.into_iter().collect();
        if let Some(difference) = difference(&expected, actual) {
            panic!("the events are not those expected (- expected, + came):\n{difference}");
        }
        self
    }

    /// It was done, without an event.
    #[track_caller]
    pub fn then_no_events(self) -> Self
    where
        A::Event: Debug + PartialEq,
    {
        self.then_events([])
    }

    /// It was done, with this reply.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // reads as the command's own reply does
    pub fn then_reply(self, expected: C::Reply) -> Self
    where
        C::Reply: Debug + PartialEq,
    {
        let (_, actual) = self.done("a reply");
        assert!(
            *actual == expected,
            "the reply is not the one expected:\n- {expected:?}\n+ {actual:?}"
        );
        self
    }

    /// It was refused, for this reason.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // reads as the handler's own refusal does
    pub fn then_refused(self, expected: A::Error) -> Self
    where
        A::Error: PartialEq,
    {
        let actual = self.refused();
        assert!(
            *actual == expected,
            "the refusal is not the one expected:\n- {expected:?}\n+ {actual:?}"
        );
        self
    }

    /// It was refused, for a reason of which this is true.
    #[track_caller]
    pub fn then_refused_with(self, is_expected: impl FnOnce(&A::Error) -> bool) -> Self {
        let actual = self.refused();
        assert!(is_expected(actual), "the refusal is not as expected: {actual:?}");
        self
    }

    /// This is the state after the command, and a snapshot of it comes back equal.
    #[track_caller]
    #[allow(clippy::needless_pass_by_value)] // reads as a literal
    pub fn then_state(self, expected: A) -> Self
    where
        A: Debug + PartialEq,
    {
        let actual = &self.state;
        assert!(
            *actual == expected,
            "the state is not the one expected:\n- {expected:?}\n+ {actual:?}"
        );
        let read = lossless::check("the state", A::CODEC, actual);
        assert!(
            read == expected,
            "the state does not survive {}:\n- {expected:?}\n+ {read:?}\n{}",
            A::CODEC,
            lossless::USUAL_CAUSE
        );
        self
    }

    #[track_caller]
    fn done(&self, expected: &str) -> &(Vec<A::Event>, C::Reply) {
        match &self.result {
            Ok(done) => done,
            Err(refusal) => {
                panic!(
                    "expected {expected}, but command {} was refused: {refusal} ({refusal:?})",
                    C::NAME
                )
            }
        }
    }

    #[track_caller]
    fn refused(&self) -> &A::Error {
        match &self.result {
            Err(refusal) => refusal,
            Ok((events, _)) => {
                let names: Vec<String> = events
                    .iter()
                    .map(|event| event.event_type().to_string())
                    .collect();
                panic!(
                    "expected a refusal, but command {} was done, with {} events: {}",
                    C::NAME,
                    names.len(),
                    names.join(", ")
                )
            }
        }
    }
}

/// The two lists line by line; `None` if they are equal.
fn difference<E: Debug + PartialEq>(expected: &[E], actual: &[E]) -> Option<String> {
    if expected == actual {
        return None;
    }
    let mut text = String::new();
    let mut line = |mark, index, event: &E| {
        writeln!(text, "{mark} {index}: {event:?}").expect("writing to a string can't fail");
    };
    for index in 0..expected.len().max(actual.len()) {
        match (expected.get(index), actual.get(index)) {
            (Some(expected), Some(actual)) if expected == actual => line(' ', index, actual),
            (expected, actual) => {
                expected.into_iter().for_each(|event| line('-', index, event));
                actual.into_iter().for_each(|event| line('+', index, event));
            }
        }
    }
    Some(text)
}
