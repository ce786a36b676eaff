//! Code of the application that panics where it is least expected.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dormouse_domain::{
    Aggregate, Command, CommandContext, CommandId, Decided, Decision, Event, Handle, Never,
};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};

use super::odd::{HANG, Odd, OddEvent, Touch, odd_bank};
use crate::bank::{Deposit, account, not_done, until};

#[derive(Debug, Clone, PartialEq, Serialize)]
struct Brittle(u8);

impl<'de> Deserialize<'de> for Brittle {
    fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
        panic!("a curse in Deserialize")
    }
}

#[derive(Clone, Serialize, Deserialize, Command)]
#[command(reply = Brittle)]
struct Break;

impl Handle<Break> for Odd {
    fn handle(&self, _: Break, _: &CommandContext<'_>) -> Decided<Self, Break> {
        Ok(Decision::event(OddEvent::Touched { gate: 0 }).reply(|_| Brittle(1)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_whose_deserialize_panics_is_unreadable() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let odd = bank.entity::<Odd>("o").unwrap();
    let id = CommandId::now();
    assert_eq!(odd.execute(Break).id(id).await.unwrap(), Brittle(1));
    let r = tokio::time::timeout(HANG, odd.execute(Break).id(id).into_future()).await;
    assert!(r.is_ok(), "hangs (ring)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn so_is_one_that_was_looked_up() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| {
        b.passivate_after(Duration::ZERO)
    })
    .await;
    let odd = bank.entity::<Odd>("o").unwrap();
    let id = CommandId::now();
    assert_eq!(odd.execute(Break).id(id).await.unwrap(), Brittle(1));
    until("evicted", || {
        bank.passivate_idle();
        bank.statistics().residents == 0
    })
    .await;
    let r = tokio::time::timeout(HANG, odd.execute(Break).id(id).into_future()).await;
    let again = tokio::time::timeout(HANG, odd.execute(Touch { gate: 0 }).into_future()).await;
    assert!(matches!(again, Ok(Ok(()))), "{again:?}");
    assert!(r.is_ok(), "hangs (look-up)");
}

struct Grenade;

impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a curse in a result's drop")
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abandoned_answer_whose_drop_panics_harms_nobody() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let acc = account(&bank, "a");
    let held = disk.hold_appends();
    let a = acc.clone();
    let first = tokio::spawn(async move { a.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    let a = acc.clone();
    let query = tokio::spawn(async move {
        let g = a.query(|_| Grenade).await;
        std::mem::forget(g);
    });
    until("parked", || bank.statistics().queries == 1).await;
    query.abort();
    let _ = query.await;
    drop(held);
    assert_eq!(first.await.unwrap(), Ok(1));
    let other = account(&bank, "other");
    let r = tokio::time::timeout(HANG, other.execute(Deposit { cents: 1 }).into_future()).await;
    std::mem::forget(bank);
    assert!(r.is_ok(), "another aggregate hangs for ever (P10)");
}

static ARMED: AtomicBool = AtomicBool::new(false);

#[derive(Clone, Serialize, Deserialize, Command)]
struct Bomb {
    x: u8,
}

impl Drop for Bomb {
    fn drop(&mut self) {
        if ARMED.load(Ordering::SeqCst) && !std::thread::panicking() {
            panic!("a curse in drop")
        }
    }
}

impl Handle<Bomb> for Odd {
    fn handle(&self, c: Bomb, _: &CommandContext<'_>) -> Decided<Self, Bomb> {
        std::mem::forget(c);
        Ok(Decision::none())
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn settlements_never_reach_another_entity() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let v = bank.entity::<Odd>("victim").unwrap();
    let w = bank.entity::<Odd>("witness").unwrap();
    let held = disk.hold_appends();
    let v1 = v.clone();
    let first = tokio::spawn(async move { v1.execute(Touch { gate: 0 }).await });
    held.wait_for_append();
    let bomb = Bomb { x: 1 };
    ARMED.store(true, Ordering::SeqCst);
    let _ = v.execute(bomb).within(Duration::ZERO).await;
    until("its drop panicked", || bank.statistics().panics == 1).await;
    ARMED.store(false, Ordering::SeqCst);
    let w1 = w.clone();
    let second = tokio::spawn(async move { w1.execute(Touch { gate: 0 }).receipt().await });
    until("second is handed over", || bank.statistics().committed == 2).await;
    drop(held);
    let r2 = tokio::time::timeout(HANG, second).await;
    assert_eq!(tokio::time::timeout(HANG, first).await.unwrap().unwrap(), Ok(()));
    let third = tokio::time::timeout(
        HANG,
        account(&bank, "z").execute(Deposit { cents: 1 }).into_future(),
    )
    .await;
    std::mem::forget(bank);
    let receipt = r2.unwrap().unwrap().unwrap();
    assert_eq!(
        receipt.position.unwrap().offset.get(),
        2,
        "witness was told the victim's position"
    );
    assert!(third.is_ok(), "the lane is dead");
}

#[derive(Default, Serialize, Deserialize)]
struct Odd2 {
    n: u64,
}

#[derive(Debug, Clone, Serialize, Deserialize, Event)]
enum Odd2Event {
    #[event(version = 2, upcast(TouchedV1))]
    Touched { gate: u64, more: u64 },
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct TouchedV1 {
    gate: u64,
}

impl From<TouchedV1> for Odd2Event {
    fn from(_: TouchedV1) -> Self {
        panic!("a curse in an upcaster")
    }
}

impl Aggregate for Odd2 {
    const TYPE: &'static str = "odd";
    type Event = Odd2Event;
    type Error = Never;
    fn apply(&mut self, _: &Odd2Event) {
        self.n += 1;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panic_in_an_upcaster_is_named() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    bank.entity::<Odd>("o")
        .unwrap()
        .execute(Touch { gate: 0 })
        .await
        .unwrap();
    bank.shutdown().await.unwrap();
    drop(bank);
    let store = Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let bank = Dormouse::builder(store)
        .aggregate::<Odd2>()
        .start()
        .await
        .unwrap();
    let r = bank.entity::<Odd2>("o").unwrap().query(|s| s.n).await;
    assert!(format!("{r:?}").contains("curse"), "{r:?}");
}

/// A panic in `handle` costs no reload: it had the state by shared reference.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_panicking_handler_does_not_buy_reader_time() {
    let bank = odd_bank(&MemoryDisk::new(), StoreOptions::default(), |b| {
        b.snapshot_every(0)
    })
    .await;
    let acc = account(&bank, "acc");
    acc.execute(Deposit { cents: 1 }).await.unwrap();
    for _ in 0..5 {
        not_done(
            acc.execute(crate::bank::Panic {
                place: crate::bank::Where::Handle,
            })
            .await,
        );
    }
    assert_eq!(bank.statistics().activations, 1);
}
