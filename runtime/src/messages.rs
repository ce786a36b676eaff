//! What an entity's mailbox holds.

use actix::Message;
use dormouse_domain::{Aggregate, Command, Expected, Metadata, Moment, Position};
use tracing::Span;

use crate::call::{Answer, Failure, Responder};
use crate::entity_core::Identity;
use crate::entries::Charged;
use crate::error::QueryError;
use crate::receipt::Outcome;
use crate::residency::Charge;
use crate::spans::CommandSpans;

/// What a caller asks for beside the command itself.
#[derive(Debug, Default)]
pub(crate) struct Request {
    pub(crate) identity: Option<Identity>,
    pub(crate) expected: Expected,
    /// Most commands carry none: they pay a pointer.
    pub(crate) metadata: Option<Box<Metadata>>,
}

/// A command on its way to its entity. Fields drop in this order: the count goes before the caller is told.
pub(crate) struct Run<A: Aggregate, C: Command> {
    pub(crate) charge: Option<Charge>,
    pub(crate) responder: Responder<Outcome<A, C>>,
    pub(crate) command: C,
    pub(crate) request: Request,
    pub(crate) deadline: Moment,
}

/// A look at the state.
pub(crate) struct Ask<T: Send + 'static, F> {
    pub(crate) charge: Option<Charge>,
    pub(crate) responder: Responder<Seen<T>>,
    pub(crate) look: F,
    pub(crate) deadline: Moment,
}

/// What a query saw, or why it saw nothing.
pub(crate) struct Seen<T>(pub(crate) Result<T, QueryError>);

impl<T: Send + 'static> Answer for Seen<T> {
    fn failed(failure: Failure) -> Self {
        Self(Err(failure.into()))
    }

    fn settle(&mut self, _: Position) {}
}

impl<A: Aggregate, C: Command> Message for Run<A, C> {
    type Result = ();
}

impl<T: Send + 'static, F: Send + 'static> Message for Ask<T, F> {
    type Result = ();
}

impl<A: Aggregate, C: Command> Charged for Run<A, C> {
    fn carry(&mut self, charge: Charge) {
        self.charge = Some(charge);
    }

    fn activation(&self) -> Span {
        let spans = self.responder.call().spans();
        spans.map_or_else(Span::none, CommandSpans::activation)
    }
}

impl<T: Send + 'static, F: Send + 'static> Charged for Ask<T, F> {
    fn carry(&mut self, charge: Charge) {
        self.charge = Some(charge);
    }
}
