//! The caller's side of a message: put it into a mailbox, wait for room if asked to, wait for the answer.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix::prelude::{Actor, Handler, Message};
use dormouse_domain::{Aggregate, Moment, NotDone};
use tokio::time::Sleep;

use crate::actor::EntityActor;
use crate::call::{Answer, Call, Failure};
use crate::entity::Entity;
use crate::entries::Charged;
use crate::metric_names;

/// A message on its way, and then the wait for its answer.
pub(crate) struct Sending<'e, A: Aggregate, M, T> {
    entity: &'e Entity<A>,
    message: Option<M>,
    call: Arc<Call<T>>,
    /// When the caller asked: reading a clock costs more than what it is read for.
    asked: Moment,
    /// Made only for callers that bound their wait: a timer costs more than the rest of a call.
    within: Option<Duration>,
    timer: Option<Pin<Box<Sleep>>>,
    wait_for_room: bool,
    room: Option<Pin<Box<dyn Future<Output = ()> + Send>>>,
}

impl<'e, A: Aggregate, M, T> Sending<'e, A, M, T> {
    pub(crate) fn new(
        entity: &'e Entity<A>,
        message: M,
        call: Arc<Call<T>>,
        asked: Moment,
        within: Option<Duration>,
        wait_for_room: bool,
    ) -> Self {
        Self {
            entity,
            message: Some(message),
            call,
            asked,
            within,
            timer: None,
            wait_for_room,
            room: None,
        }
    }
}

impl<A, M, T> Sending<'_, A, M, T>
where
    A: Aggregate,
    T: Answer,
    M: Charged + Message<Result = ()> + Send + 'static,
    EntityActor<A>: Actor<Context = actix::Context<EntityActor<A>>> + Handler<M>,
{
    /// Ready with the answer, or with what is certain when the caller's time is up.
    pub(crate) fn poll_answer(&mut self, context: &mut Context<'_>) -> Poll<T> {
        if let (Some(within), None) = (self.within, &self.timer) {
            // made before anything is sent: outside a tokio runtime it panics
            self.timer = Some(Box::pin(tokio::time::sleep(within)));
        }
        if let Err(reason) = self.poll_send(context) {
            return Poll::Ready(T::failed(Failure::NotDone(reason)));
        }
        match &self.message {
            None => match self.call.poll_answer(context) {
                Poll::Ready(answer) => Poll::Ready(answer),
                Poll::Pending => self.poll_time_is_up(context),
            },
            Some(_) => self.poll_time_is_up(context),
        }
    }

    fn poll_send(&mut self, context: &mut Context<'_>) -> Result<(), NotDone> {
        while let Some(message) = self.message.take() {
            if let Some(room) = &mut self.room {
                if room.as_mut().poll(context).is_pending() {
                    self.message = Some(message);
                    return Ok(());
                }
                self.room = None;
            }
            match self.entity.directory.send(&self.entity.id, message, self.asked) {
                Ok(()) => return Ok(()),
                Err((NotDone::Overloaded { .. }, Some(back))) if self.wait_for_room => {
                    self.message = Some(back);
                    let gauges = Arc::clone(&self.entity.directory.shared.gauges);
                    self.room = Some(Box::pin(async move { gauges.ended().await }));
                }
                Err((reason, _)) => return Err(self.turned_away(reason)),
            }
        }
        Ok(())
    }

    fn turned_away(&self, reason: NotDone) -> NotDone {
        self.call
            .trace_end(|| T::failed(Failure::NotDone(reason.clone())).ended());
        if let NotDone::Overloaded { bound, .. } = &reason {
            self.entity.directory.shared.counters.overloaded.add(1);
            let bound = metric_names::bound(*bound);
            metrics::counter!(metric_names::OVERLOADED, "bound" => bound).increment(1);
        }
        reason
    }

    fn poll_time_is_up(&mut self, context: &mut Context<'_>) -> Poll<T> {
        let Some(timer) = &mut self.timer else {
            return Poll::Pending;
        };
        ready!(timer.as_mut().poll(context));
        Poll::Ready(self.time_is_up())
    }

    /// The caller waits no longer: what is certain by now.
    pub(crate) fn time_is_up(&mut self) -> T {
        if self.message.is_some() {
            // the call says so before its message is dropped, which would say something else
            let answer = self.call.withdraw();
            self.message = None;
            return answer;
        }
        self.call.withdraw()
    }
}
