//! Bugs that an attack on the runtime found, each as the test that found it.

use std::collections::HashSet;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use dormouse_domain::{
    Aggregate, Command, CommandContext, CommandError, CommandId, Decided, Decision, Event, Handle, Never,
    NotDone, Version,
};
use dormouse_persistence::{AppendFault, MemoryDisk, Store, StoreOptions};
use dormouse_runtime::{Builder, Dormouse};
use serde::{Deserialize, Serialize};

use crate::bank::{Account, Deposit, Withdraw, account, bank_with, not_done, until};

static CLOSED: Mutex<Option<HashSet<u64>>> = Mutex::new(None);
fn close(gate: u64) {
    CLOSED.lock().unwrap().get_or_insert_default().insert(gate);
}
fn open(gate: u64) {
    CLOSED.lock().unwrap().get_or_insert_default().remove(&gate);
}
fn closed(gate: u64) -> bool {
    CLOSED.lock().unwrap().as_ref().is_some_and(|c| c.contains(&gate))
}

#[derive(Default, Serialize, Deserialize)]
struct Odd {
    bytes: Vec<u8>,
    n: u64,
}
#[derive(Debug, Clone, Serialize, Deserialize, Event)]
enum OddEvent {
    Touched { gate: u64 },
    Grown { bytes: Vec<u8> },
    Slow { gate: u64 },
}
impl Aggregate for Odd {
    const TYPE: &'static str = "odd";
    type Event = OddEvent;
    type Error = Never;
    fn apply(&mut self, e: &OddEvent) {
        self.n += 1;
        match e {
            OddEvent::Touched { gate } => {
                while closed(*gate) {
                    std::thread::sleep(Duration::from_millis(1));
                }
            }
            OddEvent::Grown { bytes } => self.bytes.extend_from_slice(bytes),
            OddEvent::Slow { gate } => {
                if closed(*gate) {
                    std::thread::sleep(Duration::from_millis(3));
                }
            }
        }
    }
}
#[derive(Clone, Serialize, Deserialize, Command)]
struct Touch {
    gate: u64,
}
impl Handle<Touch> for Odd {
    fn handle(&self, c: Touch, _: &CommandContext<'_>) -> Decided<Self, Touch> {
        Ok(Decision::event(OddEvent::Touched { gate: c.gate }))
    }
}
#[derive(Clone, Serialize, Deserialize, Command)]
struct Grow {
    n: usize,
}
impl Handle<Grow> for Odd {
    fn handle(&self, c: Grow, _: &CommandContext<'_>) -> Decided<Self, Grow> {
        Ok(Decision::event(OddEvent::Grown { bytes: vec![7; c.n] }))
    }
}
#[derive(Clone, Serialize, Deserialize, Command)]
struct Slow {
    gate: u64,
    n: u64,
}
impl Handle<Slow> for Odd {
    fn handle(&self, c: Slow, _: &CommandContext<'_>) -> Decided<Self, Slow> {
        Ok(Decision::events(
            (0..c.n).map(|_| OddEvent::Slow { gate: c.gate }),
        ))
    }
}

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
struct Grenade;
impl Drop for Grenade {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            panic!("a curse in a result's drop")
        }
    }
}

async fn odd_bank(
    disk: &MemoryDisk,
    options: StoreOptions,
    more: impl FnOnce(Builder) -> Builder,
) -> Dormouse {
    let store = Store::on_memory(disk, options).unwrap();
    more(
        Dormouse::builder(store)
            .aggregate::<Account>()
            .aggregate::<Odd>()
            .arbiters(1)
            .readers(1),
    )
    .start()
    .await
    .unwrap()
}
const LONG: Duration = Duration::from_secs(3);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_turned_away_wakes_nobody() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |b| b.in_flight_max(1)).await;
    let held = disk.hold_appends();
    let a = account(&bank, "a");
    let call = tokio::spawn(async move { a.execute(Deposit { cents: 1 }).await });
    until("one", || bank.statistics().in_flight == 1).await;
    for n in 0..1000 {
        let r = not_done(
            account(&bank, &format!("x{n}"))
                .execute(Deposit { cents: 1 })
                .await,
        );
        assert!(matches!(r, NotDone::Overloaded { .. }));
    }
    tokio::time::sleep(Duration::from_millis(500)).await;
    let s = bank.statistics();
    drop(held);
    call.await.unwrap().unwrap();
    assert!(
        s.residents <= 1,
        "residents {} activations {} bytes {}",
        s.residents,
        s.activations,
        s.resident_bytes
    );
}

struct Counted<F>(F, Arc<AtomicUsize>);
impl<F: Future + Unpin> Future for Counted<F> {
    type Output = F::Output;
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<F::Output> {
        self.1.fetch_add(1, Ordering::SeqCst);
        Pin::new(&mut self.0).poll(cx)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn waiting_for_room_does_not_spin() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |b| b.mailbox(1)).await;
    let acc = account(&bank, "a");
    let held = disk.hold_appends();
    let first = acc.clone();
    let first = tokio::spawn(async move { first.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    let polls = Arc::new(AtomicUsize::new(0));
    let waiters: Vec<_> = (0..3)
        .map(|_| {
            let (a, p) = (acc.clone(), polls.clone());
            tokio::spawn(Counted(
                Box::pin(async move { a.execute(Deposit { cents: 1 }).wait_for_room().await }),
                p,
            ))
        })
        .collect();
    // one unrelated refusal sets it off, if anything does
    let _ = acc.execute(Deposit { cents: 1 }).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
    let n = polls.load(Ordering::SeqCst);
    drop(held);
    first.await.unwrap().unwrap();
    for w in waiters {
        w.await.unwrap().unwrap();
    }
    assert!(
        n < 50,
        "3 waiters were polled {n} times in 0.5 s while nothing happened"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reply_whose_deserialize_panics_is_unreadable() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let odd = bank.entity::<Odd>("o").unwrap();
    let id = CommandId::now();
    assert_eq!(odd.execute(Break).id(id).await.unwrap(), Brittle(1));
    let r = tokio::time::timeout(LONG, odd.execute(Break).id(id).into_future()).await;
    assert!(r.is_ok(), "hangs (ring)");
}
use std::future::IntoFuture;
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
    let r = tokio::time::timeout(LONG, odd.execute(Break).id(id).into_future()).await;
    let again = tokio::time::timeout(LONG, odd.execute(Touch { gate: 0 }).into_future()).await;
    assert!(matches!(again, Ok(Ok(()))), "{again:?}");
    assert!(r.is_ok(), "hangs (look-up)");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_budget_holds_again_after_a_burst() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |b| b.memory_budget_bytes(50_000)).await;
    let held = disk.hold_appends();
    let calls: Vec<_> = (0..500)
        .map(|n| {
            let a = account(&bank, &format!("a{n}"));
            tokio::spawn(async move { a.execute(Deposit { cents: 1 }).await })
        })
        .collect();
    until("all committed", || bank.statistics().committed == 500).await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    drop(held);
    for c in calls {
        c.await.unwrap().unwrap();
    }
    until("the budget holds", || bank.statistics().resident_bytes <= 50_000).await;
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
    let r = tokio::time::timeout(LONG, other.execute(Deposit { cents: 1 }).into_future()).await;
    std::mem::forget(bank);
    assert!(r.is_ok(), "another aggregate hangs for ever (P10)");
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
    let r2 = tokio::time::timeout(LONG, second).await;
    assert_eq!(tokio::time::timeout(LONG, first).await.unwrap().unwrap(), Ok(()));
    let third = tokio::time::timeout(
        LONG,
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_after_the_arbiter_stopped_leaves_nobody_waiting() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let odd = bank.entity::<Odd>("late").unwrap();
    odd.execute(Touch { gate: 11 }).await.unwrap();
    bank.shutdown().await.unwrap();
    close(11);
    let limit = Duration::from_millis(20);
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b.shutdown_limit(limit)).await;
    let odd = bank.entity::<Odd>("late").unwrap();
    let call = tokio::spawn(async move { odd.execute(Touch { gate: 0 }).await });
    until("it is being read", || bank.statistics().in_flight == 1).await;
    let stopping = bank.clone();
    let shutdown = tokio::spawn(async move { stopping.shutdown().await });
    // nothing can be seen of an arbiter that has stopped: if this is too early, the test checks less
    tokio::time::sleep(10 * limit).await;
    open(11);
    let told = tokio::time::timeout(LONG, call).await.expect("it is told");
    assert!(
        matches!(told.unwrap(), Err(CommandError::NotDone(NotDone::ShuttingDown))),
        "and told that nothing happened"
    );
    shutdown.await.unwrap().unwrap_err();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_long_stream_wakes_under_load() {
    let disk = MemoryDisk::new();
    let options = StoreOptions::default().generation_bytes(4_000);
    let bank = odd_bank(&disk, options, |b| {
        b.passivate_after(Duration::ZERO).snapshot_every(0)
    })
    .await;
    let odd = bank.entity::<Odd>("long").unwrap();
    odd.execute(Slow { gate: 10, n: 300 }).await.unwrap();
    until("evicted", || {
        bank.passivate_idle();
        bank.statistics().residents == 0
    })
    .await;
    close(10);
    let stop = Arc::new(AtomicBool::new(false));
    // the writer was awake before, so it needs no reader
    let (acc, s) = (account(&bank, "busy"), stop.clone());
    acc.execute(Deposit { cents: 1 }).await.unwrap();
    let writer = tokio::spawn(async move {
        let mut n = 0;
        while !s.load(Ordering::SeqCst) {
            let _ = acc.execute(Deposit { cents: 1 }).await;
            n += 1;
        }
        n
    });
    let r = odd.execute(Touch { gate: 0 }).await;
    open(10);
    stop.store(true, Ordering::SeqCst);
    assert!(writer.await.unwrap() > 0);
    assert!(r.is_ok(), "{r:?}");
}

#[derive(Default, Serialize, Deserialize)]
struct Heavy {
    n: u64,
}
impl Aggregate for Heavy {
    const TYPE: &'static str = "heavy";
    type Event = OddEvent;
    type Error = Never;
    fn apply(&mut self, _: &OddEvent) {
        self.n += 1;
    }
    fn weight_bytes(&self) -> Option<usize> {
        Some(usize::MAX - 500)
    }
}
impl Handle<Touch> for Heavy {
    fn handle(&self, c: Touch, _: &CommandContext<'_>) -> Decided<Self, Touch> {
        Ok(Decision::event(OddEvent::Touched { gate: c.gate }))
    }
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_absurd_weight_is_clamped() {
    let store = Store::on_memory(&MemoryDisk::new(), StoreOptions::default()).unwrap();
    let bank = Dormouse::builder(store)
        .aggregate::<Heavy>()
        .start()
        .await
        .unwrap();
    let h = bank.entity::<Heavy>("h").unwrap();
    let r = tokio::time::timeout(LONG, h.execute(Touch { gate: 0 }).into_future()).await;
    assert!(matches!(r, Ok(Ok(()))), "{r:?}");
    assert!(bank.statistics().resident_bytes < 2 << 40);
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_index_that_points_nowhere_makes_no_command_new() {
    let disk = MemoryDisk::new();
    let options = || StoreOptions::default().generation_bytes(1);
    let bank = odd_bank(&disk, options(), |b| b.passivate_after(Duration::ZERO)).await;
    let acc = account(&bank, "acc");
    let id = CommandId::from_key("k");
    acc.execute(Deposit { cents: 1 }).await.unwrap();
    acc.execute(Deposit { cents: 5 }).id(id).await.unwrap();
    acc.execute(Deposit { cents: 1 }).await.unwrap();
    until("indexed", || {
        let s = bank.statistics().store;
        s.indexed == s.durable
    })
    .await;
    until("evicted", || {
        bank.passivate_idle();
        bank.statistics().residents == 0
    })
    .await;
    disk.edit_rows("commands", |rows| {
        for v in rows.values_mut() {
            *v = 77_u64.to_be_bytes().to_vec();
        }
    });
    let r = acc.execute(Deposit { cents: 5 }).id(id).receipt().await;
    assert!(!matches!(&r, Ok(r) if !r.replayed), "done twice");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_query_shows_what_a_failed_commit_left() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let acc = account(&bank, "acc");
    disk.fail_append(AppendFault::NothingWritten);
    let unknown = acc.execute(Deposit { cents: 1 }).await;
    assert!(matches!(unknown, Err(CommandError::Unknown(_))));
    let q = acc.query(|s| s.cents).await;
    assert!(q.is_err());
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct AccountB {
    cents: i64,
    entries: u64,
    note: String,
}
impl Aggregate for AccountB {
    const TYPE: &'static str = "account";
    const STATE_VERSION: u32 = 2;
    type Event = crate::bank::Entry;
    type Error = Never;
    fn apply(&mut self, e: &crate::bank::Entry) {
        if let crate::bank::Entry::Deposited { cents } = e {
            self.cents += cents * 10;
        }
        self.entries += 1;
    }
}
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_of_another_state_version_is_left_alone() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |b| b.snapshot_every(2)).await;
    for _ in 0..4 {
        account(&bank, "a").execute(Deposit { cents: 1 }).await.unwrap();
    }
    bank.shutdown().await.unwrap();
    assert!(bank.statistics().snapshots_written > 0);
    drop(bank);
    let store = Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let bank = Dormouse::builder(store)
        .aggregate::<AccountB>()
        .start()
        .await
        .unwrap();
    assert_eq!(
        bank.entity::<AccountB>("a").unwrap().query(|s| s.cents).await,
        Ok(40)
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn space_is_always_told() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default().queue_commits_max(6), |b| {
        b.arbiters(2)
    })
    .await;
    for round in 0..200 {
        let calls: Vec<_> = (0..8)
            .map(|n| {
                let a = account(&bank, &format!("a{n}"));
                tokio::spawn(async move { a.execute(Deposit { cents: 1 }).await })
            })
            .collect();
        for c in calls {
            if tokio::time::timeout(LONG, c).await.is_err() {
                let s = bank.statistics();
                std::mem::forget(bank);
                panic!(
                    "round {round}: a command hangs; queue {} of 6, in flight {}",
                    s.store.queue_commits, s.in_flight
                );
            }
        }
    }
}

/// A bank whose only reader thread is busy folding "slow", until `gate` opens.
async fn bank_with_a_busy_reader(
    disk: &MemoryDisk,
    gate: u64,
    more: impl FnOnce(Builder) -> Builder,
) -> Dormouse {
    let before = odd_bank(disk, StoreOptions::default(), |b| b).await;
    before
        .entity::<Odd>("slow")
        .unwrap()
        .execute(Touch { gate })
        .await
        .unwrap();
    before.shutdown().await.unwrap();
    drop(before);
    odd_bank(disk, StoreOptions::default(), |b| more(b.snapshot_every(0))).await
}

async fn keep_the_reader_busy(bank: &Dormouse, gate: u64) -> tokio::task::JoinHandle<()> {
    close(gate);
    let (slow, activations) = (bank.entity::<Odd>("slow").unwrap(), bank.statistics().activations);
    let busy = tokio::spawn(async move { slow.query(|_| ()).within(LONG).await.map_or((), |()| ()) });
    until("it is on its way", || bank.statistics().in_flight == 1).await;
    assert_eq!(bank.statistics().activations, activations);
    busy
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_refusal_after_a_look_up_rests_on_a_commit_that_failed_meanwhile() {
    let disk = MemoryDisk::new();
    let bank = bank_with_a_busy_reader(&disk, 2, |b| b).await;
    let acc = account(&bank, "acc");
    acc.execute(Deposit { cents: 100 }).await.unwrap();
    let busy = keep_the_reader_busy(&bank, 2).await;
    let held = disk.hold_appends();
    let (first, second) = (acc.clone(), acc.clone());
    let withdrawal = tokio::spawn(async move { first.execute(Withdraw { cents: 100 }).await });
    held.wait_for_append();
    let id = CommandId::from_key("k");
    let refusal = tokio::spawn(async move { second.execute(Withdraw { cents: 1 }).id(id).await });
    until("it is looked up", || bank.statistics().id_look_ups == 1).await;
    disk.fail_append(AppendFault::NothingWritten);
    drop(held);
    assert!(matches!(withdrawal.await.unwrap(), Err(CommandError::Unknown(_))));
    open(2);
    assert!(matches!(
        not_done(refusal.await.unwrap()),
        NotDone::Stopped { .. }
    ));
    busy.await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_growing_state_is_weighed_by_its_bytes() {
    let bank = odd_bank(&MemoryDisk::new(), StoreOptions::default(), |b| {
        b.memory_budget_bytes(1 << 20)
    })
    .await;
    for e in 0..4 {
        let odd = bank.entity::<Odd>(format!("o{e}").as_str()).unwrap();
        for _ in 0..8 {
            odd.execute(Grow { n: 50_000 }).await.unwrap();
        }
    }
    until("the budget holds", || bank.statistics().resident_bytes <= 1 << 20).await;
    let statistics = bank.statistics();
    assert!(statistics.resident_bytes_peak > 400_000, "{statistics:?}");
    assert!(
        statistics.passivated_memory > 0,
        "4 states of 400 KB are over a budget of 1 MiB: {statistics:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_retry_that_was_not_judged_settles_nothing() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let acc = account(&bank, "acc");
    let id = CommandId::now();
    disk.fail_append(AppendFault::Written);
    let unknown = acc.execute(Deposit { cents: 1 }).id(id).await;
    assert!(matches!(unknown, Err(CommandError::Unknown(_))));
    let turned_away = not_done(acc.execute(Deposit { cents: 1 }).id(id).await);
    assert!(!turned_away.settles_earlier_attempts(), "{turned_away}");
    bank.reopen().await.unwrap();
    let settled = acc.execute(Deposit { cents: 1 }).id(id).receipt().await.unwrap();
    assert!(settled.replayed && settled.reply == 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn abandoned_reads_of_the_past_hold_up_neither_commands_nor_the_shutdown() {
    let limit = Duration::from_secs(1);
    let bank = odd_bank(&MemoryDisk::new(), StoreOptions::default(), |b| {
        b.shutdown_limit(limit)
    })
    .await;
    let odd = bank.entity::<Odd>("long").unwrap();
    odd.execute(Slow { gate: 33, n: 100 }).await.unwrap();
    close(33);
    for _ in 0..40 {
        let _ = tokio::time::timeout(Duration::from_millis(1), odd.state_at(Version::new(100))).await;
    }
    let other = account(&bank, "other");
    assert_eq!(other.execute(Deposit { cents: 1 }).within(LONG).await, Ok(1));
    bank.shutdown()
        .await
        .expect("what nobody waits for is not waited for");
    open(33);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_deadline_may_pass_while_an_id_is_looked_up_or_a_query_waits() {
    let clock = dormouse_domain::Clock::held(dormouse_domain::Timestamp::from_millis(1));
    let disk = MemoryDisk::new();
    let short = |b: Builder| b.clock(clock.clone()).default_deadline(Duration::from_millis(30));
    let bank = bank_with_a_busy_reader(&disk, 13, short).await;
    let acc = account(&bank, "acc");
    acc.execute(Deposit { cents: 1 }).await.unwrap();
    let busy = keep_the_reader_busy(&bank, 13).await;
    let (looking, asking) = (acc.clone(), acc.clone());
    let id = CommandId::from_key("k");
    let looked = tokio::spawn(async move { looking.execute(Deposit { cents: 1 }).id(id).await });
    until("it is looked up", || bank.statistics().id_look_ups == 1).await;
    let query = tokio::spawn(async move { asking.query(|s| s.cents).await });
    until("it is queued", || bank.statistics().in_flight == 3).await;
    clock.advance(Duration::from_secs(1));
    open(13);
    assert_eq!(not_done(looked.await.unwrap()), NotDone::DeadlinePassed);
    assert_eq!(
        query.await.unwrap(),
        Err(CommandError::NotDone(NotDone::DeadlinePassed))
    );
    busy.await.unwrap();
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
