//! A caller: sends one command or query, and waits, until it is answered or waits no longer.

use std::cell::{Cell, RefCell};
use std::future::{IntoFuture, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use dormouse::{CommandError, CommandId, Dormouse, Expected, QueryError, Receipt};

use super::account::{Book, Move, Seen, Short};

/// What a caller was told.
#[derive(Debug, Clone)]
pub(crate) enum Answer {
    Executed(Result<Receipt<Seen>, CommandError<Short>>),
    Queried(Result<Seen, QueryError>),
}

/// What a caller is to do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    #[default]
    Waits,
    /// Its time is up: it asks what is certain.
    GivesUp,
    /// It is gone.
    Leaves,
}

/// Where answers go: the attempt and what it was told.
pub(crate) type Answers = Rc<RefCell<Vec<(usize, Answer)>>>;

/// One attempt's caller, as it and the world share it.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    pub(crate) attempt: usize,
    pub(crate) patience: Rc<Cell<Patience>>,
    pub(crate) answers: Answers,
}

/// A command as it is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Request {
    pub(crate) command: Move,
    pub(crate) id: Option<CommandId>,
    pub(crate) expected: Expected,
    pub(crate) wait_for_room: bool,
}

pub(crate) fn stream_name(stream: usize) -> String {
    format!("a-{stream}")
}

/// Sends a command with its first turn.
pub(crate) async fn execute<A: Book>(runtime: Dormouse, stream: usize, request: Request, caller: Caller) {
    let entity = runtime.entity::<A>(stream_name(stream)).expect("a valid id");
    drop(runtime);
    let mut execute = entity.execute(request.command).expect(request.expected);
    if let Some(id) = request.id {
        execute = execute.id(id);
    }
    if request.wait_for_room {
        execute = execute.wait_for_room();
    }
    let mut executing = execute.receipt().into_future();
    let answer = poll_fn(|context| match caller.patience.get() {
        Patience::Waits => Pin::new(&mut executing).poll(context).map(Some),
        Patience::GivesUp => Poll::Ready(Some(executing.give_up())),
        Patience::Leaves => Poll::Ready(None),
    });
    if let Some(answer) = answer.await {
        caller
            .answers
            .borrow_mut()
            .push((caller.attempt, Answer::Executed(answer)));
    }
}

/// Sends a query with its first turn.
pub(crate) async fn query<A: Book>(runtime: Dormouse, stream: usize, caller: Caller) {
    let entity = runtime.entity::<A>(stream_name(stream)).expect("a valid id");
    drop(runtime);
    let mut querying = entity.query(A::seen).into_future();
    let answer = poll_fn(|context| match caller.patience.get() {
        Patience::Leaves => Poll::Ready(None),
        _ => Pin::new(&mut querying).poll(context).map(Some),
    });
    if let Some(answer) = answer.await {
        caller
            .answers
            .borrow_mut()
            .push((caller.attempt, Answer::Queried(answer)));
    }
}
