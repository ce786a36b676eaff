//! Reading an aggregate's state.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use dormouse_domain::Aggregate;

use crate::call::{Call, Responder};
use crate::entity::Entity;
use crate::error::QueryError;
use crate::messages::{Ask, Seen};
use crate::sending::Sending;

/// A query about to be sent. Await it.
#[must_use = "a query is sent when it is awaited"]
pub struct Query<'e, A: Aggregate, T, F> {
    entity: &'e Entity<A>,
    look: F,
    within: Option<Duration>,
    seen: std::marker::PhantomData<fn() -> T>,
}

impl<'e, A, T, F> Query<'e, A, T, F>
where
    A: Aggregate,
    T: Send + 'static,
    F: FnOnce(&A) -> T + Send + 'static,
{
    pub(crate) fn new(entity: &'e Entity<A>, look: F) -> Self {
        Self {
            entity,
            look,
            within: None,
            seen: std::marker::PhantomData,
        }
    }

    /// Bounds the wait. Needs a tokio runtime with time enabled around it.
    pub fn within(mut self, limit: Duration) -> Self {
        self.within = Some(limit);
        self
    }
}

impl<'e, A, T, F> IntoFuture for Query<'e, A, T, F>
where
    A: Aggregate,
    T: Send + 'static,
    F: FnOnce(&A) -> T + Send + 'static,
{
    type Output = Result<T, QueryError>;
    type IntoFuture = Querying<'e, A, T, F>;

    fn into_future(self) -> Querying<'e, A, T, F> {
        let Self {
            entity, look, within, ..
        } = self;
        let call = Call::new();
        let options = &entity.directory.shared.options;
        let now = options.clock.monotonic();
        let deadline = now + within.unwrap_or(options.default_deadline);
        let responder = Responder::new(Arc::clone(&call));
        let ask = Ask {
            charge: None,
            responder,
            look,
            deadline,
        };
        Querying(Sending::new(entity, ask, call, now, within, false))
    }
}

/// A query under way.
#[must_use = "futures do nothing unless polled"]
pub struct Querying<'e, A: Aggregate, T: Send + 'static, F>(Sending<'e, A, Ask<T, F>, Seen<T>>);

/// Nothing in it is pinned: the parts that are live in boxes.
impl<A: Aggregate, T: Send + 'static, F> Unpin for Querying<'_, A, T, F> {}

impl<A, T, F> Future for Querying<'_, A, T, F>
where
    A: Aggregate,
    T: Send + 'static,
    F: FnOnce(&A) -> T + Send + 'static,
{
    type Output = Result<T, QueryError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Seen(seen) = ready!(self.0.poll_answer(context));
        Poll::Ready(seen)
    }
}
