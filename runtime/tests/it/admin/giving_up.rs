//! Whoever goes away while a long stream is folded for him holds up nobody behind him.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Waker};

use dormouse_domain::{
    Aggregate, AggregateType, Command, CommandContext, Decided, Decision, Event, Handle, Never, StreamId,
};
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use dormouse_runtime::admin::AsOf;
use serde::{Deserialize, Serialize};

use crate::bank::until;

/// Events applied by all `Long`s.
static APPLIED: AtomicU64 = AtomicU64::new(0);
/// While it is closed, an `apply` that has counted its event goes no further.
static CLOSED: AtomicBool = AtomicBool::new(false);

#[derive(Debug, Default, Serialize, Deserialize)]
struct Long;

#[derive(Debug, Serialize, Deserialize, Event)]
enum Lengthened {
    ByOne,
}

#[derive(Debug, Serialize, Deserialize, Command)]
struct Lengthen;

impl Aggregate for Long {
    const TYPE: &'static str = "long";
    type Event = Lengthened;
    type Error = Never;

    fn apply(&mut self, _: &Lengthened) {
        APPLIED.fetch_add(1, Ordering::SeqCst);
        while CLOSED.load(Ordering::SeqCst) {
            std::thread::yield_now();
        }
    }
}

impl Handle<Lengthen> for Long {
    fn handle(&self, _: Lengthen, _: &CommandContext<'_>) -> Decided<Self, Lengthen> {
        Ok(Decision::event(Lengthened::ByOne))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_fold_that_nobody_waits_for_ends_early() {
    let builder = Dormouse::builder(Store::in_memory()).aggregate::<Long>();
    let runtime = builder.snapshot_every(0).start().await.unwrap();
    let long = runtime.entity::<Long>("a").unwrap();
    for _ in 0..100 {
        long.execute(Lengthen).await.unwrap();
    }
    let (admin, stream) = (runtime.admin(), |id: &str| {
        StreamId::new(AggregateType::from_static("long"), id.try_into().unwrap())
    });
    CLOSED.store(true, Ordering::SeqCst);
    let asked = stream("a");
    let mut given_up = Box::pin(admin.state_at(&asked, AsOf::Latest));
    assert!(
        given_up
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
            .is_pending()
    );
    until("it folds", || APPLIED.load(Ordering::SeqCst) == 101).await;
    drop(given_up);
    CLOSED.store(false, Ordering::SeqCst);
    // answered once the thread is done with the one before
    admin.state_at(&stream("b"), AsOf::Latest).await.unwrap();
    assert_eq!(APPLIED.load(Ordering::SeqCst), 101, "it went on for nobody");
    admin.state_at(&asked, AsOf::Latest).await.unwrap();
    assert_eq!(APPLIED.load(Ordering::SeqCst), 201);
}
