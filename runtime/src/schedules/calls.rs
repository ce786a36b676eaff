//! The slot of a call: a caller is always woken, and what it is told when it gives up is certain (P3, P13).

use std::future::poll_fn;
use std::sync::Arc;

use dormouse_domain::{Offset, Position, ShardId};
use dormouse_persistence::sync::atomic::{AtomicBool, Ordering};
use dormouse_persistence::sync::{explore, thread};
use shuttle::future::block_on;

use crate::call::{Answer, Call, Failure, Parked, Responder};

#[derive(Debug, PartialEq)]
enum Said {
    Value(Option<Position>),
    NotDone,
    Unknown,
}

impl Answer for Said {
    fn failed(failure: Failure) -> Self {
        match failure {
            Failure::NotDone(_) => Self::NotDone,
            Failure::Unknown(_) => Self::Unknown,
        }
    }

    fn settle(&mut self, at: Position) {
        if let Self::Value(position) = self {
            *position = Some(at);
        }
    }
}

const AT: Position = Position {
    shard: ShardId::FIRST,
    offset: Offset::new(3),
};

/// The entity's side of one call; it may die between any two steps.
fn handle(responder: Responder<Said>, durable: &AtomicBool, handled: &AtomicBool) {
    if !responder.call().begin() {
        return;
    }
    handled.store(true, Ordering::SeqCst);
    let call = responder.into_call();
    call.park(Said::Value(None));
    durable.store(true, Ordering::SeqCst);
    call.release(Some(AT));
}

#[test]
fn a_caller_is_woken_and_never_before_it_is_durable() {
    explore("a caller is woken and never before it is durable", || {
        let (durable, handled) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let call = Call::<Said>::new();
        let responder = Responder::new(Arc::clone(&call));
        let entity = {
            let (durable, handled) = (Arc::clone(&durable), Arc::clone(&handled));
            thread::spawn(move || handle(responder, &durable, &handled))
        };
        let said = block_on(poll_fn(|context| call.poll_answer(context)));
        assert!(durable.load(Ordering::SeqCst));
        assert_eq!(said, Said::Value(Some(AT)));
        entity.join().unwrap();
    });
}

#[test]
fn a_caller_who_gives_up_is_told_what_is_certain() {
    explore("a caller who gives up is told what is certain", || {
        let (durable, handled) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let call = Call::<Said>::new();
        let responder = Responder::new(Arc::clone(&call));
        let entity = {
            let (durable, handled) = (Arc::clone(&durable), Arc::clone(&handled));
            thread::spawn(move || handle(responder, &durable, &handled))
        };
        let said = call.withdraw();
        if said == Said::Value(Some(AT)) {
            assert!(durable.load(Ordering::SeqCst));
        }
        entity.join().unwrap();
        let handled = handled.load(Ordering::SeqCst);
        assert_eq!(handled, said != Said::NotDone, "{said:?}");
    });
}

/// An entity that dies with the call in hand, or in its mailbox.
#[test]
fn a_caller_of_the_dead_is_woken() {
    explore("a caller of the dead is woken", || {
        for begun in [false, true] {
            let call = Call::<Said>::new();
            let responder = Responder::new(Arc::clone(&call));
            let entity = thread::spawn(move || {
                if begun {
                    responder.call().begin();
                }
                drop(responder);
            });
            let said = block_on(poll_fn(|context| call.poll_answer(context)));
            assert_eq!(said, if begun { Said::Unknown } else { Said::NotDone });
            entity.join().unwrap();
        }
    });
}
