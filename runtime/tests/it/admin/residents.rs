//! Who is in memory.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use dormouse_domain::{AggregateType, Clock, Timestamp};
use dormouse_persistence::MemoryDisk;
use dormouse_runtime::admin::{ResidentOrder, ResidentsFound, ResidentsWanted, limits};

use crate::bank::{Deposit, Note, account, bank_with, until};

fn ids(found: &ResidentsFound) -> Vec<&str> {
    let streams = found.residents.iter().map(|resident| &resident.stream);
    streams.map(|stream| stream.id.as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn residents_are_found_in_each_order() {
    let clock = Clock::held(Timestamp::from_millis(1));
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.clock(clock.clone())).await;
    for (id, commands, bytes) in [("b", 1, 10_000), ("a", 3, 10), ("c", 2, 100_000)] {
        let account = account(&bank, id);
        for _ in 0..commands {
            let text = "x".repeat(bytes);
            account.execute(Note { text }).await.unwrap();
        }
        clock.advance(Duration::from_secs(1));
    }
    let admin = bank.admin();
    let by = |order| {
        admin.residents(&ResidentsWanted {
            order,
            ..ResidentsWanted::default()
        })
    };
    assert_eq!(ids(&by(ResidentOrder::Hottest)), ["a", "c", "b"]);
    assert_eq!(ids(&by(ResidentOrder::Largest)), ["c", "b", "a"]);
    assert_eq!(ids(&by(ResidentOrder::Oldest)), ["b", "a", "c"]);
    assert_eq!(ids(&by(ResidentOrder::Id)), ["a", "b", "c"]);
    let hottest = &by(ResidentOrder::Hottest).residents[0];
    assert_eq!((hottest.commands, hottest.in_flight), (3, 0));
    assert_eq!(
        (hottest.awake, hottest.idle),
        (Duration::from_secs(2), Duration::from_secs(2))
    );
    assert!(by(ResidentOrder::Largest).residents[0].bytes > 100_000);
    let wanted = |wanted: ResidentsWanted| admin.residents(&wanted);
    let first = wanted(ResidentsWanted {
        limit: 1,
        ..ResidentsWanted::default()
    });
    assert_eq!((ids(&first), first.matching), (vec!["a"], 3));
    let prefixed = wanted(ResidentsWanted {
        id_prefix: "b".into(),
        ..ResidentsWanted::default()
    });
    assert_eq!((ids(&prefixed), prefixed.matching), (vec!["b"], 1));
    let aggregate_type = Some(AggregateType::from_static("ship"));
    let others = wanted(ResidentsWanted {
        aggregate_type,
        ..ResidentsWanted::default()
    });
    assert_eq!(others, ResidentsFound::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_busy_resident_is_told_with_what_is_in_flight() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder).await;
    let caller = account(&bank, "acc-1");
    caller.execute(Deposit { cents: 1 }).await.unwrap();
    let held = disk.hold_appends();
    let calls: Vec<_> = (0..5)
        .map(|_| {
            let caller = caller.clone();
            tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await })
        })
        .collect();
    let resident = || {
        bank.admin()
            .residents(&ResidentsWanted::default())
            .residents
            .remove(0)
    };
    until("five are in flight, and decided", || {
        (resident().in_flight, resident().commands) == (5, 6)
    })
    .await;
    drop(held);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(resident().in_flight, 0);
}

/// Those who stay are always found, whoever comes and goes meanwhile, and nobody is shown twice.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_stays_is_found_while_others_come_and_go() {
    const STAY: usize = 600;
    let bank = bank_with(&MemoryDisk::new(), |builder| {
        builder
            .memory_budget_bytes(STAY * 2_500)
            .passivate_after(Duration::from_secs(3_600))
    })
    .await;
    let stay: Vec<_> = (0..STAY)
        .map(|n| account(&bank, &format!("stay-{n:03}")))
        .collect();
    let use_all = async || {
        for account in &stay {
            account.query(|_| ()).await.unwrap();
        }
    };
    use_all().await;
    use_all().await;
    let stop = Arc::new(AtomicBool::new(false));
    let (passing, stopped) = (bank.clone(), Arc::clone(&stop));
    let guests = tokio::spawn(async move {
        for n in 0.. {
            if stopped.load(Ordering::Relaxed) {
                return n;
            }
            account(&passing, &format!("guest-{n}"))
                .query(|_| ())
                .await
                .unwrap();
        }
        0
    });
    let admin = bank.admin();
    while bank.statistics().passivated_memory < 500 {
        use_all().await;
        let found = admin.residents(&ResidentsWanted {
            id_prefix: "stay-".into(),
            order: ResidentOrder::Id,
            limit: limits::RESIDENTS_MAX,
            ..ResidentsWanted::default()
        });
        let unique: BTreeSet<_> = ids(&found).into_iter().map(str::to_owned).collect();
        assert_eq!(unique.len(), found.residents.len(), "nobody is shown twice");
        // one that is just being tried for eviction is in no queue
        assert!(unique.len() + 2 >= STAY, "{} of {STAY}", unique.len());
    }
    stop.store(true, Ordering::Relaxed);
    assert!(guests.await.unwrap() > 500);
}
