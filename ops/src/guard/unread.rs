//! Bodies of unknown length, which nobody here reads.

use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::Payload;
use actix_web::web::Bytes;

/// An answer that keeps the request's body until it is sent. The server then closes the connection; were the body dropped
/// before, the server would go on reading a chunked one for as long as it comes, only to throw it away.
pub(crate) struct Unread {
    answer: BoxBody,
    _body: Payload,
}

impl Unread {
    pub(crate) fn new(answer: BoxBody, body: Payload) -> Self {
        Self { answer, _body: body }
    }
}

impl MessageBody for Unread {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.answer.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.answer).poll_next(context)
    }
}
