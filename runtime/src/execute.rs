//! Sending a command: a builder that awaits.

use std::fmt;
use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use dormouse_domain::{
    Aggregate, Command, CommandError, CommandId, Expected, Handle, Metadata, NotDone, TraceContext,
};
use uuid::Uuid;

use crate::call::{Call, Responder};
use crate::entity::Entity;
use crate::entity_core::Identity;
use crate::messages::{Request, Run};
use crate::receipt::{Outcome, Receipt};
use crate::sending::Sending;
use crate::spans::{CommandSpans, Named};

/// A command about to be sent. Await it for its reply, or [`receipt`](Self::receipt) for more.
///
/// Dropping the future before its reply leaves the command to its fate: once handed over it goes on.
///
/// ```
/// # use dormouse_domain::{Aggregate, Command, CommandContext, CommandId, Decided, Decision, Event, Handle, Never};
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Default, Serialize, Deserialize)]
/// # struct Account { cents: i64 }
/// # #[derive(Event)]
/// # enum Entry { Deposited { cents: i64 } }
/// # #[derive(Serialize, Deserialize, Command)]
/// # #[command(reply = i64)]
/// # struct Deposit { cents: i64 }
/// # impl Aggregate for Account {
/// #     const TYPE: &'static str = "account";
/// #     type Event = Entry;
/// #     type Error = Never;
/// #     fn apply(&mut self, Entry::Deposited { cents }: &Entry) { self.cents += cents }
/// # }
/// # impl Handle<Deposit> for Account {
/// #     fn handle(&self, c: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
/// #         Ok(Decision::event(Entry::Deposited { cents: c.cents }).reply(|after| after.cents))
/// #     }
/// # }
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let store = dormouse_persistence::Store::in_memory();
/// # let bank = dormouse_runtime::Dormouse::builder(store).aggregate::<Account>().start().await?;
/// # let account = bank.entity::<Account>("acc-1")?;
/// # let (payment, two_seconds) = (CommandId::now(), Duration::from_secs(2));
/// let cents = account.execute(Deposit { cents: 500 }).id(payment).within(two_seconds).await?;
/// # assert_eq!(cents, 500);
/// # Ok(())
/// # }
/// ```
#[must_use = "a command is sent when it is awaited"]
pub struct Execute<'e, A: Aggregate, C> {
    entity: &'e Entity<A>,
    command: C,
    id: Option<CommandId>,
    expected: Expected,
    within: Option<Duration>,
    wait_for_room: bool,
    metadata: Option<Box<Metadata>>,
}

impl<'e, A: Handle<C>, C: Command> Execute<'e, A, C> {
    pub(crate) fn new(entity: &'e Entity<A>, command: C) -> Self {
        let expected = Expected::Any;
        Self {
            entity,
            command,
            id: None,
            expected,
            within: None,
            wait_for_room: false,
            metadata: None,
        }
    }

    /// Makes the command take effect once, however often it is sent with this id: a retry gets the first reply, across
    /// evictions and restarts. The same id with another command is answered *not done*.
    ///
    /// Time-ordered ids ([`CommandId::now`]) are cheapest: they need no look-up.
    pub fn id(mut self, id: CommandId) -> Self {
        self.id = Some(id);
        self
    }

    /// Bounds the wait for the reply. A command that was not handled by then never is, and is *not done*; one that was
    /// is *unknown*. Without it the reply is awaited however long it takes, and only the handling is bounded, by the
    /// runtime's default deadline. Needs a tokio runtime with time enabled around it.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }

    /// Waits for room in a full mailbox or runtime, as long as [`within`](Self::within) allows, where the answer would
    /// be *overloaded*.
    pub fn wait_for_room(mut self) -> Self {
        self.wait_for_room = true;
        self
    }

    /// Makes the command *not done* if the stream is not as expected when it is handled.
    pub fn expect(mut self, expected: Expected) -> Self {
        self.expected = expected;
        self
    }

    /// The conversation this command belongs to; stored with its events.
    pub fn correlation(mut self, correlation: Uuid) -> Self {
        self.metadata_mut().correlation = Some(correlation);
        self
    }

    /// The event or command that led to this one; stored with its events.
    pub fn caused_by(mut self, cause: Uuid) -> Self {
        self.metadata_mut().causation = Some(cause);
        self
    }

    /// The trace this command is part of; stored with its events, so that a follower of the log can go on with it. Where the
    /// runtime [knows of spans](crate::Builder::traces), the command's own span is a child of it, and the one that is stored.
    ///
    /// Without it, the trace of the span is taken that the command is sent in, if it is sampled.
    pub fn trace(mut self, trace: TraceContext) -> Self {
        self.metadata_mut().trace = Some(trace);
        self
    }

    /// A header to store with the command's events. Bounds: the module [`limits`](dormouse_domain::limits).
    pub fn header(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.metadata_mut().headers.push((key.into(), value.into()));
        self
    }

    /// Asks for version and position beside the reply. Last in the chain.
    pub fn receipt(self) -> ExecuteReceipt<'e, A, C> {
        ExecuteReceipt(self)
    }

    fn metadata_mut(&mut self) -> &mut Metadata {
        self.metadata.get_or_insert_default()
    }

    fn send(self) -> ExecutingReceipt<'e, A, C> {
        let Self {
            entity,
            command,
            id,
            expected,
            within,
            wait_for_room,
            metadata,
        } = self;
        let mut request = match prepare(&command, id, expected, metadata) {
            Ok(request) => request,
            Err(reason) => return ExecutingReceipt(Progress::TurnedAway(Some(reason))),
        };
        let options = &entity.directory.shared.options;
        let named = Named {
            aggregate_type: A::TYPE,
            id: &entity.id,
            command: C::NAME,
            command_id: id,
        };
        let propagation = options.propagation.as_ref().map(|propagation| &*propagation.0);
        let spans = CommandSpans::begin(&named, propagation, &mut request.metadata);
        let call = Call::traced(spans);
        let now = options.clock.monotonic();
        let deadline = now + within.unwrap_or(options.default_deadline);
        let responder = Responder::new(call.clone());
        let run = Run {
            charge: None,
            responder,
            command,
            request,
            deadline,
        };
        ExecutingReceipt(Progress::Sent(Sending::new(
            entity,
            run,
            call,
            now,
            within,
            wait_for_room,
        )))
    }
}

/// What can be checked and computed on the caller's thread is.
fn prepare<C: Command>(
    command: &C,
    id: Option<CommandId>,
    expected: Expected,
    metadata: Option<Box<Metadata>>,
) -> Result<Request, NotDone> {
    if let Some(metadata) = &metadata {
        metadata.validate().map_err(NotDone::InvalidMetadata)?;
    }
    let identity = match id {
        None => None,
        Some(id) => {
            let fingerprint = command
                .fingerprint()
                .map_err(|error| NotDone::from_codec("command", error))?;
            Some(Identity { id, fingerprint })
        }
    };
    Ok(Request {
        identity,
        expected,
        metadata,
    })
}

impl<A: Aggregate, C> fmt::Debug for Execute<'_, A, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Execute")
            .field("entity", self.entity)
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl<'e, A: Handle<C>, C: Command> IntoFuture for Execute<'e, A, C> {
    type Output = Result<C::Reply, CommandError<A::Error>>;
    type IntoFuture = Executing<'e, A, C>;

    fn into_future(self) -> Executing<'e, A, C> {
        Executing(self.send())
    }
}

/// An [`Execute`] whose result is a [`Receipt`].
#[must_use = "a command is sent when it is awaited"]
pub struct ExecuteReceipt<'e, A: Aggregate, C>(Execute<'e, A, C>);

impl<'e, A: Handle<C>, C: Command> IntoFuture for ExecuteReceipt<'e, A, C> {
    type Output = Result<Receipt<C::Reply>, CommandError<A::Error>>;
    type IntoFuture = ExecutingReceipt<'e, A, C>;

    fn into_future(self) -> ExecutingReceipt<'e, A, C> {
        self.0.send()
    }
}

enum Progress<'e, A: Handle<C>, C: Command> {
    TurnedAway(Option<NotDone>),
    Sent(Sending<'e, A, Run<A, C>, Outcome<A, C>>),
}

/// A command under way, to its receipt.
#[must_use = "futures do nothing unless polled"]
pub struct ExecutingReceipt<'e, A: Handle<C>, C: Command>(Progress<'e, A, C>);

/// Nothing in it is pinned: the parts that are live in boxes.
impl<A: Handle<C>, C: Command> Unpin for ExecutingReceipt<'_, A, C> {}

impl<A: Handle<C>, C: Command> Future for ExecutingReceipt<'_, A, C> {
    type Output = Result<Receipt<C::Reply>, CommandError<A::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            Progress::TurnedAway(reason) => {
                let reason = reason
                    .take()
                    .expect("a future is not polled again after it was ready");
                Poll::Ready(Err(CommandError::NotDone(reason)))
            }
            Progress::Sent(sending) => sending.poll_answer(context),
        }
    }
}

#[cfg(feature = "simulation")]
impl<A: Handle<C>, C: Command> ExecutingReceipt<'_, A, C> {
    /// Ends the wait now, as [`Execute::within`] does when its time is up.
    ///
    /// # Errors
    /// As the future: what is certain by now.
    #[doc(hidden)]
    pub fn give_up(&mut self) -> Result<Receipt<C::Reply>, CommandError<A::Error>> {
        match &mut self.0 {
            Progress::TurnedAway(reason) => Err(CommandError::NotDone(
                reason
                    .take()
                    .expect("a future is not asked again after it was ready"),
            )),
            Progress::Sent(sending) => sending.time_is_up(),
        }
    }
}

/// A command under way, to its reply.
#[must_use = "futures do nothing unless polled"]
pub struct Executing<'e, A: Handle<C>, C: Command>(ExecutingReceipt<'e, A, C>);

impl<A: Handle<C>, C: Command> Future for Executing<'_, A, C> {
    type Output = Result<C::Reply, CommandError<A::Error>>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = ready!(Pin::new(&mut self.0).poll(context));
        Poll::Ready(outcome.map(|receipt| receipt.reply))
    }
}
