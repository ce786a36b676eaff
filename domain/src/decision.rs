use std::fmt;

use smallvec::{SmallVec, smallvec};

use crate::Aggregate;

/// What a command leads to: events, perhaps more events decided on the state after them, and a reply.
///
/// No event is a valid decision: nothing is stored, and a retry is decided afresh. A decision with one event
/// allocates nothing.
///
/// ```
/// # use dormouse_domain as dormouse;
/// # use dormouse::{Aggregate, Decided, Decision, Command, CommandContext, Event, Handle};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Account { cents: i64 }
/// # #[derive(Event)]
/// # enum Entry { Withdrawn { cents: i64 }, RanLow }
/// # #[derive(Serialize, Deserialize, Command)]
/// # #[command(reply = i64)]
/// # struct Withdraw { cents: i64 }
/// # impl Aggregate for Account {
/// #     const TYPE: &'static str = "account";
/// #     type Event = Entry;
/// #     type Error = dormouse::Never;
/// #     fn apply(&mut self, event: &Entry) {
/// #         if let Entry::Withdrawn { cents } = event { self.cents -= cents }
/// #     }
/// # }
/// impl Handle<Withdraw> for Account {
///     fn handle(&self, command: Withdraw, _: &CommandContext<'_>) -> Decided<Self, Withdraw> {
///         Ok(Decision::event(Entry::Withdrawn { cents: command.cents })
///             .then(|after: &Self| if after.cents < 100 { vec![Entry::RanLow] } else { vec![] })
///             .reply(|after| after.cents))
///     }
/// }
/// ```
pub struct Decision<A: Aggregate, R = ()> {
    pub(crate) events: SmallVec<[A::Event; 1]>,
    pub(crate) then: Vec<Then<A>>,
    pub(crate) reply: Reply<A, R>,
}

/// Decides on more events from the state that the earlier ones led to.
pub(crate) type Then<A> = fn(&A) -> Vec<<A as Aggregate>::Event>;

pub(crate) enum Reply<A, R> {
    Known(R),
    After(fn(&A) -> R),
}

impl<A: Aggregate> Decision<A> {
    /// Nothing happens.
    #[must_use]
    pub fn none() -> Self {
        Self::of(SmallVec::new())
    }

    /// One event happens.
    #[must_use]
    pub fn event(event: A::Event) -> Self {
        Self::of(smallvec![event])
    }

    /// These events happen, in this order, all or none.
    #[must_use]
    pub fn events(events: impl IntoIterator<Item = A::Event>) -> Self {
        Self::of(events.into_iter().collect())
    }

    fn of(events: SmallVec<[A::Event; 1]>) -> Self {
        Self {
            events,
            then: Vec::new(),
            reply: Reply::Known(()),
        }
    }
}

impl<A: Aggregate, R> Decision<A, R> {
    /// One more event happens, after those before.
    #[must_use]
    pub fn and(mut self, event: A::Event) -> Self {
        self.events.push(event);
        self
    }

    /// More events, decided on the state after all those before; they are stored in the same commit. May be repeated.
    /// Write `|after: &Self|`: in the middle of a chain the compiler doesn't know yet whose decision it is.
    #[must_use]
    pub fn then(mut self, decide: fn(&A) -> Vec<A::Event>) -> Self {
        self.then.push(decide);
        self
    }

    /// The reply, computed on the state after all events, those of [`then`](Self::then) too.
    #[must_use]
    pub fn reply<R2>(self, reply: fn(&A) -> R2) -> Decision<A, R2> {
        Decision {
            events: self.events,
            then: self.then,
            reply: Reply::After(reply),
        }
    }

    /// The reply, where it is known already.
    #[must_use]
    pub fn reply_with<R2>(self, reply: R2) -> Decision<A, R2> {
        Decision {
            events: self.events,
            then: self.then,
            reply: Reply::Known(reply),
        }
    }

    /// How many events it has been given, those of [`then`](Self::then) not counted.
    #[must_use]
    pub fn event_count(&self) -> usize {
        self.events.len()
    }
}

impl<A, R> fmt::Debug for Decision<A, R>
where
    A: Aggregate<Event: fmt::Debug>,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decision")
            .field("events", &self.events)
            .field("then", &self.then.len())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use serde::{Deserialize, Serialize};

    use super::*;

    #[derive(Default, Serialize, Deserialize)]
    struct Switch;

    #[derive(Debug, dormouse_domain::Event)]
    enum Switched {
        On,
        Off,
    }

    impl Aggregate for Switch {
        const TYPE: &'static str = "switch";
        type Event = Switched;
        type Error = crate::Never;

        fn apply(&mut self, _: &Switched) {}
    }

    #[test]
    fn one_event_allocates_nothing() {
        let one: Decision<Switch, u8> = Decision::event(Switched::On).reply(|_| 1);
        assert!(!one.events.spilled());
        assert_eq!(one.then.capacity(), 0);
        assert!(
            Decision::<Switch>::event(Switched::On)
                .and(Switched::Off)
                .events
                .spilled()
        );
    }

    #[test]
    fn it_shows_its_events() {
        let decision = Decision::<Switch>::event(Switched::On).then(|_| vec![]);
        assert_eq!(format!("{decision:?}"), "Decision { events: [On], then: 1, .. }");
    }
}
