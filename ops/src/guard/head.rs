//! Answers to HEAD.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, MessageBody};
use actix_web::web::Bytes;

/// The body of an answer to HEAD: of the size that the one to GET has, and never sent. Were it left to the server to throw
/// the real one away, it would wait for the end of that, and a stream of events has none.
pub(super) struct Unsent(BodySize);

impl Unsent {
    pub(super) fn of(body: &impl MessageBody) -> Self {
        Self(body.size())
    }
}

impl MessageBody for Unsent {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}
