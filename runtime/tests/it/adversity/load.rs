//! More work than there is room: who is turned away, who waits, and what memory holds.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use dormouse_domain::{Aggregate, CommandContext, Decided, Decision, Handle, Never, NotDone};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};

use super::odd::{Grow, HANG, Odd, OddEvent, Slow, Touch, close, odd_bank, open};
use crate::bank::{Deposit, account, bank_with, not_done, until};

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
            if tokio::time::timeout(HANG, c).await.is_err() {
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
    let r = tokio::time::timeout(HANG, h.execute(Touch { gate: 0 }).into_future()).await;
    assert!(matches!(r, Ok(Ok(()))), "{r:?}");
    assert!(bank.statistics().resident_bytes < 2 << 40);
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
