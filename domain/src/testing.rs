//! Tests of aggregates in the form *given* events, *when* a command, *then* events, a reply or a refusal.
//!
//! ```
//! # use dormouse_domain as dormouse;
//! # use dormouse::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle};
//! # use serde::{Deserialize, Serialize};
//! # #[derive(Default, Serialize, Deserialize)]
//! # struct Account { cents: i64 }
//! # #[derive(Debug, PartialEq, Event)]
//! # enum Entry { Deposited { cents: i64 }, Withdrawn { cents: i64 } }
//! # #[derive(Debug, PartialEq, Serialize, Deserialize)]
//! # struct Overdrawn { short: i64 }
//! # impl std::fmt::Display for Overdrawn {
//! #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result { write!(f, "{} cents short", self.short) }
//! # }
//! # impl std::error::Error for Overdrawn {}
//! # #[derive(Serialize, Deserialize, Command)]
//! # #[command(reply = i64)]
//! # struct Withdraw { cents: i64 }
//! # impl Aggregate for Account {
//! #     const TYPE: &'static str = "account";
//! #     type Event = Entry;
//! #     type Error = Overdrawn;
//! #     fn apply(&mut self, event: &Entry) {
//! #         match event {
//! #             Entry::Deposited { cents } => self.cents += cents,
//! #             Entry::Withdrawn { cents } => self.cents -= cents,
//! #         }
//! #     }
//! # }
//! # impl Handle<Withdraw> for Account {
//! #     fn handle(&self, command: Withdraw, _: &CommandContext<'_>) -> Decided<Self, Withdraw> {
//! #         let short = command.cents - self.cents;
//! #         if short > 0 { return Err(Overdrawn { short }) }
//! #         Ok(Decision::event(Entry::Withdrawn { cents: command.cents }).reply(|after| after.cents))
//! #     }
//! # }
//! use dormouse::testing::given;
//!
//! given::<Account>([Entry::Deposited { cents: 800 }])
//!     .when(Withdraw { cents: 500 })
//!     .then_events([Entry::Withdrawn { cents: 500 }])
//!     .then_reply(300);
//!
//! given::<Account>([Entry::Deposited { cents: 800 }])
//!     .when(Withdraw { cents: 900 })
//!     .then_refused(Overdrawn { short: 100 });
//! ```
//!
//! Beside what the test says, each run checks what the runtime relies on, and panics when it does not hold:
//!
//! - every event, the command, the reply or refusal and the state survive the aggregate's codec. Under the other codec
//!   they may be refused, but not come back changed. Events are compared by `PartialEq`, the others by the bytes they
//!   are written as once more; what serde skips in them is not seen, except in a state by
//!   [`then_state`](Outcome::then_state);
//! - events and reply are within their [limits](crate::limits);
//! - the state that the runtime would activate, folded from the stored events, is the one that the command left.

mod lossless;
mod outcome;
mod stored;

use std::fmt;

use crate::{
    Aggregate, AggregateId, AggregateType, Command, CommandContext, CommandId, Handle, Metadata, Timestamp,
    Version, fold,
};
use stored::Stored;

pub use outcome::Outcome;

/// An aggregate that has these events already; none for a new one.
///
/// # Panics
/// When an event does not survive the codecs.
#[track_caller]
pub fn given<A>(events: impl IntoIterator<Item = A::Event>) -> Given<A>
where
    A: Aggregate<Event: fmt::Debug + PartialEq>,
{
    let mut stored = Stored::default();
    events.into_iter().for_each(|event| stored.push(&event));
    let version = Version::NONE.plus(stored.len());
    Given::new(stored.fold_into(A::default()), A::default(), stored, version)
}

/// An aggregate in this state, which has had one event; [`version`](Given::version) changes that.
///
/// # Panics
/// When the state does not survive the codecs.
#[track_caller]
pub fn given_state<A>(state: A) -> Given<A>
where
    A: Aggregate<Event: fmt::Debug + PartialEq>,
{
    let snapshot = lossless::check("the state", A::CODEC, &state);
    Given::new(state, snapshot, Stored::default(), Version::new(1))
}

/// An aggregate before a command; made by [`given`] or [`given_state`].
#[must_use = "nothing is tested before `when`"]
pub struct Given<A: Aggregate> {
    state: A,
    /// What the runtime would fold `stored` into.
    snapshot: A,
    stored: Stored<A>,
    version: Version,
    id: AggregateId,
    now: Timestamp,
    command_id: Option<CommandId>,
    metadata: Metadata,
}

impl<A: Aggregate<Event: fmt::Debug + PartialEq>> Given<A> {
    #[track_caller]
    fn new(state: A, snapshot: A, stored: Stored<A>, version: Version) -> Self {
        if let Err(error) = AggregateType::new(A::TYPE) {
            panic!("Aggregate::TYPE can't be stored: {error}");
        }
        let id = AggregateId::try_from("test").expect("a valid id");
        let (now, command_id, metadata) = (Timestamp::EPOCH, None, Metadata::default());
        Self {
            state,
            snapshot,
            stored,
            version,
            id,
            now,
            command_id,
            metadata,
        }
    }

    /// The time at which the command is handled; the Unix epoch if not said.
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// The aggregate's id; `test` if not said.
    ///
    /// # Panics
    /// When it is no valid id.
    #[track_caller]
    pub fn id(self, id: &str) -> Self {
        match AggregateId::try_from(id) {
            Ok(id) => Self { id, ..self },
            Err(error) => panic!("{error}"),
        }
    }

    /// The version that the handler sees; the number of given events if not said.
    pub fn version(self, version: Version) -> Self {
        Self { version, ..self }
    }

    /// The command's id; none if not said.
    pub fn command_id(self, id: CommandId) -> Self {
        Self {
            command_id: Some(id),
            ..self
        }
    }

    /// The command's metadata; empty if not said.
    pub fn metadata(self, metadata: Metadata) -> Self {
        Self { metadata, ..self }
    }

    /// Handles the command and takes the decision into the state, as the runtime does.
    ///
    /// # Panics
    /// When something that must be stored does not survive the codecs or is over its limit, or when the state that
    /// the stored events lead to is another than the command left.
    #[track_caller]
    #[must_use = "say what is expected: then_events, then_no_events, then_reply, then_refused"]
    pub fn when<C: Command>(mut self, command: C) -> Outcome<A, C>
    where
        A: Handle<C>,
    {
        lossless::check(&format!("command {}", C::NAME), A::CODEC, &command);
        if let Err(error) = command.fingerprint() {
            panic!("the fingerprint of command {} failed: it {error}", C::NAME);
        }
        let context = CommandContext::new(&self.id, self.version, self.now, self.command_id, &self.metadata);
        let given = self.stored.len();
        let decided = self.state.handle(command, &context).map(|decision| {
            let record = |event: &A::Event| {
                self.stored.push(event);
                Ok::<_, crate::Never>(())
            };
            fold(&mut self.state, decision, record).unwrap_or_else(|never| match never.error {})
        });
        match &decided {
            Ok(reply) => lossless::check_reply(A::CODEC, reply),
            Err(refusal) => drop(lossless::check("the refusal", A::CODEC, refusal)),
        }
        let events = self.stored.decode_from(given);
        self.compare_with_activation();
        Outcome::new(decided.map(|reply| (events, reply)), self.state)
    }

    /// Folds what is stored, as an activation does, and compares.
    #[track_caller]
    fn compare_with_activation(&mut self) {
        lossless::check("the state", A::CODEC, &self.state);
        let activated = self.stored.fold_into(std::mem::take(&mut self.snapshot));
        lossless::compare(
            "the state folded from the stored events",
            A::CODEC,
            &self.state,
            &activated,
        );
    }
}
