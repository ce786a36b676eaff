//! What a caller is told when its command meets a failed commit, a lost index, a new version of the code or a bound of time.

use std::time::Duration;

use dormouse_domain::{Aggregate, CommandError, CommandId, Never, NotDone, Version};
use dormouse_persistence::{AppendFault, MemoryDisk, Store, StoreOptions};
use dormouse_runtime::{Builder, Dormouse};
use serde::{Deserialize, Serialize};

use super::odd::{HANG, Odd, Slow, Touch, close, odd_bank, open};
use super::witness::Witness;
use crate::bank::{Deposit, Withdraw, account, bank_with, not_done, until};

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
    let busy = tokio::spawn(async move { slow.query(|_| ()).within(HANG).await.map_or((), |()| ()) });
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_after_the_arbiter_stopped_leaves_nobody_waiting() {
    let disk = MemoryDisk::new();
    let bank = odd_bank(&disk, StoreOptions::default(), |b| b).await;
    let odd = bank.entity::<Odd>("late").unwrap();
    odd.execute(Touch { gate: 11 }).await.unwrap();
    bank.shutdown().await.unwrap();
    close(11);
    let bank = odd_bank(&disk, StoreOptions::default(), |b| {
        b.aggregate::<Witness>().shutdown_limit(Duration::from_millis(20))
    })
    .await;
    let witness = bank.entity::<Witness>("w").unwrap();
    witness.query(|_| ()).await.unwrap();
    assert!(Witness::lives());
    let odd = bank.entity::<Odd>("late").unwrap();
    let call = tokio::spawn(async move { odd.execute(Touch { gate: 0 }).await });
    until("it is being read", || bank.statistics().in_flight == 1).await;
    let stopping = bank.clone();
    let shutdown = tokio::spawn(async move { stopping.shutdown().await });
    // nobody is passivated before what is in flight has ended: only the arbiter's end takes the witness
    until("the arbiter has stopped", || !Witness::lives()).await;
    open(11);
    let told = tokio::time::timeout(HANG, call).await.expect("it is told");
    assert!(
        matches!(told.unwrap(), Err(CommandError::NotDone(NotDone::ShuttingDown))),
        "and told that nothing happened"
    );
    shutdown.await.unwrap().unwrap_err();
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
    assert_eq!(other.execute(Deposit { cents: 1 }).within(HANG).await, Ok(1));
    bank.shutdown()
        .await
        .expect("what nobody waits for is not waited for");
    open(33);
}
