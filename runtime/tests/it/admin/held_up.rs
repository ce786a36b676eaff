//! Readings that take long: whoever gives up waiting holds up nobody behind him, and no more than a few wait.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use dormouse_domain::{
    Aggregate, AggregateType, Command, CommandContext, Decided, Decision, Event, Handle, Never, StreamId,
};
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use dormouse_runtime::admin::{AdminError, AsOf, limits};
use serde::{Deserialize, Serialize};

use crate::bank::until;

/// Whoever applies an event counts it, and then waits while its gate is closed.
struct Gate {
    applied: AtomicU64,
    closed: AtomicBool,
}

impl Gate {
    const fn new() -> Self {
        Self {
            applied: AtomicU64::new(0),
            closed: AtomicBool::new(false),
        }
    }

    fn close(&self, closed: bool) {
        self.closed.store(closed, Ordering::SeqCst);
    }

    fn applied(&self) -> u64 {
        self.applied.load(Ordering::SeqCst)
    }
}

/// One a test: they may run in one process.
static GATES: [Gate; 2] = [const { Gate::new() }; 2];

#[derive(Debug, Default, Serialize, Deserialize)]
struct Long;

#[derive(Debug, Serialize, Deserialize, Event)]
enum Lengthened {
    By { gate: usize },
}

#[derive(Debug, Serialize, Deserialize, Command)]
struct Lengthen {
    gate: usize,
}

impl Aggregate for Long {
    const TYPE: &'static str = "long";
    type Event = Lengthened;
    type Error = Never;

    fn apply(&mut self, Lengthened::By { gate }: &Lengthened) {
        GATES[*gate].applied.fetch_add(1, Ordering::SeqCst);
        while GATES[*gate].closed.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }
}

impl Handle<Lengthen> for Long {
    fn handle(&self, c: Lengthen, _: &CommandContext<'_>) -> Decided<Self, Lengthen> {
        Ok(Decision::event(Lengthened::By { gate: c.gate }))
    }
}

fn stream(id: &str) -> StreamId {
    StreamId::new(AggregateType::from_static("long"), id.try_into().unwrap())
}

/// A stream `a` of so many events.
async fn with_long(gate: usize, events: u64) -> Dormouse {
    let builder = Dormouse::builder(Store::in_memory()).aggregate::<Long>();
    let runtime = builder.snapshot_every(0).start().await.unwrap();
    let long = runtime.entity::<Long>("a").unwrap();
    for _ in 0..events {
        long.execute(Lengthen { gate }).await.unwrap();
    }
    runtime
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fold_that_nobody_waits_for_ends_early() {
    let (runtime, gate) = (with_long(0, 100).await, &GATES[0]);
    let (admin, long) = (runtime.admin(), stream("a"));
    gate.close(true);
    let mut given_up = Box::pin(admin.state_at(&long, AsOf::Latest));
    assert!(
        given_up
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    until("it folds", || gate.applied() == 101).await;
    drop(given_up);
    gate.close(false);
    // answered once the thread is done with the one before
    admin.state_at(&stream("b"), AsOf::Latest).await.unwrap();
    assert_eq!(gate.applied(), 101, "it went on for nobody");
    admin.state_at(&long, AsOf::Latest).await.unwrap();
    assert_eq!(gate.applied(), 201);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_many_questions_at_once_are_turned_away() {
    const WAITING_MAX: usize = limits::READS_WAITING_MAX;
    let (runtime, gate) = (with_long(1, 1).await, &GATES[1]);
    let (admin, long) = (runtime.admin(), stream("a"));
    gate.close(true);
    // one is being answered, as many wait as may, and one is too many
    let mut questions: Vec<_> = (0..WAITING_MAX + 2)
        .map(|_| Box::pin(admin.state_at(&long, AsOf::Latest)))
        .collect();
    let mut context = Context::from_waker(Waker::noop());
    assert!(questions[0].as_mut().poll(&mut context).is_pending());
    until("it is being answered", || gate.applied() == 2).await;
    for question in &mut questions[1..=WAITING_MAX] {
        assert!(question.as_mut().poll(&mut context).is_pending());
    }
    let turned_away = questions[WAITING_MAX + 1].as_mut().poll(&mut context);
    assert!(
        matches!(
            turned_away,
            Poll::Ready(Err(AdminError::Busy {
                waiting: WAITING_MAX,
                limit: WAITING_MAX
            }))
        ),
        "{turned_away:?}"
    );
    gate.close(false);
    questions.swap_remove(WAITING_MAX).await.unwrap();
}
