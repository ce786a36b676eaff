//! What an operator sees and does, by name.

use std::time::Duration;

use dormouse_domain::{AggregateType, Clock, Codec, StreamId, Timestamp, Version};
use dormouse_persistence::MemoryDisk;
use dormouse_runtime::Readiness;
use dormouse_runtime::admin::{
    AdminError, AsOf, Passivated, Payload, ResidentOrder, ResidentsFound, ResidentsWanted, limits,
};

use crate::bank::{Deposit, Note, account, bank, bank_with, until};
use crate::basics::stream;

fn json(payload: &Payload) -> &str {
    match payload {
        Payload::Json(text) => text,
        Payload::Raw { reason, .. } => panic!("not JSON: {reason}"),
    }
}

fn ids(found: &ResidentsFound) -> Vec<&str> {
    found
        .residents
        .iter()
        .map(|resident| resident.stream.id.as_str())
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_types_are_told_with_their_events() {
    let bank = bank().await;
    account(&bank, "acc-1")
        .execute(Deposit { cents: 1 })
        .await
        .unwrap();
    let types = bank.admin().aggregate_types();
    let account = &types[0];
    assert_eq!((types.len(), account.name, account.residents), (1, "account", 1));
    assert_eq!((account.state_version, account.codec), (1, Codec::Bincode));
    let names: Vec<_> = account.events.iter().map(|event| event.name).collect();
    assert_eq!(names, ["Deposited", "Withdrawn", "Noted", "Cursed"]);
    assert_eq!(bank.readiness(), Readiness::Ready);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_shown_as_json_page_by_page() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    for cents in 1..=7 {
        account.execute(Deposit { cents }).await.unwrap();
    }
    let (admin, stream) = (bank.admin(), stream("acc-1"));
    let page = admin.events(&stream, Version::new(3), 3).await.unwrap();
    let versions: Vec<_> = page.events.iter().map(|event| event.version.get()).collect();
    assert_eq!(
        (versions, page.head, page.more),
        (vec![3, 4, 5], Version::new(7), true)
    );
    let event = &page.events[0];
    assert_eq!(
        (event.name.as_str(), json(&event.payload)),
        ("Deposited", r#"{"cents":3}"#)
    );
    let last = admin.events(&stream, Version::new(6), 3).await.unwrap();
    assert_eq!((last.events.len(), last.more), (2, false));
    let beyond = admin.events(&stream, Version::new(8), 3).await.unwrap();
    assert_eq!((beyond.events.len(), beyond.more), (0, false));
    for limit in [0, limits::EVENTS_PAGE_MAX + 1] {
        let refused = admin.events(&stream, Version::new(1), limit).await.unwrap_err();
        let says = refused.to_string();
        assert!(
            says.contains("limit") && says.contains(&limit.to_string()) && says.contains("500"),
            "{says}"
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_told_at_every_version() {
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.snapshot_every(5)).await;
    let account = account(&bank, "acc-1");
    for cents in 1..=12 {
        account.execute(Deposit { cents }).await.unwrap();
    }
    until("a snapshot is there", || bank.statistics().snapshots_written == 2).await;
    let (admin, stream) = (bank.admin(), stream("acc-1"));
    for version in 0..=12_i64 {
        let wanted = AsOf::Version(Version::new(version as u64));
        let state = admin.state_at(&stream, wanted).await.unwrap();
        let cents: i64 = (1..=version).sum();
        let json = format!(r#"{{"cents":{cents},"entries":{version},"note":""}}"#);
        assert_eq!((state.json, state.version.get()), (json, version as u64));
        assert_eq!((state.head.get(), state.time.is_some()), (12, version > 0));
    }
    let latest = admin.state_at(&stream, AsOf::Latest).await.unwrap();
    assert_eq!(latest.version, Version::new(12));
    let beyond = admin.state_at(&stream, AsOf::Version(Version::new(13))).await;
    assert!(
        matches!(beyond, Err(AdminError::NoSuchVersion { version, head, .. }) if (version.get(), head.get()) == (13, 12))
    );
    let foreign = StreamId::new(AggregateType::from_static("ship"), stream.id.clone());
    let says = admin
        .state_at(&foreign, AsOf::Latest)
        .await
        .unwrap_err()
        .to_string();
    assert!(says.contains("ship") && says.contains("account"), "{says}");
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
    let order = |order| {
        admin.residents(&ResidentsWanted {
            order,
            ..ResidentsWanted::default()
        })
    };
    assert_eq!(ids(&order(ResidentOrder::Hottest)), ["a", "c", "b"]);
    assert_eq!(ids(&order(ResidentOrder::Largest)), ["c", "b", "a"]);
    assert_eq!(ids(&order(ResidentOrder::Oldest)), ["b", "a", "c"]);
    assert_eq!(ids(&order(ResidentOrder::Id)), ["a", "b", "c"]);
    let hottest = &order(ResidentOrder::Hottest).residents[0];
    assert_eq!((hottest.commands, hottest.in_flight), (3, 0));
    assert_eq!(hottest.awake, Duration::from_secs(2));
    let first = admin.residents(&ResidentsWanted {
        limit: 1,
        ..ResidentsWanted::default()
    });
    assert_eq!((ids(&first), first.matching), (vec!["a"], 3));
    let prefixed = admin.residents(&ResidentsWanted {
        id_prefix: "b".into(),
        ..ResidentsWanted::default()
    });
    assert_eq!(ids(&prefixed), ["b"]);
    let others = admin.residents(&ResidentsWanted {
        aggregate_type: Some(AggregateType::from_static("ship")),
        ..ResidentsWanted::default()
    });
    assert_eq!(others, ResidentsFound::default());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_aggregate_is_passivated_and_a_busy_one_is_not() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder).await;
    let (admin, stream, account) = (bank.admin(), stream("acc-1"), account(&bank, "acc-1"));
    assert_eq!(admin.passivate(&stream).await.unwrap(), Passivated::NotResident);
    account.execute(Deposit { cents: 7 }).await.unwrap();
    let held = disk.hold_appends();
    let caller = account.clone();
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    assert_eq!(admin.passivate(&stream).await.unwrap(), Passivated::Busy);
    drop(held);
    assert_eq!(call.await.unwrap(), Ok(8));
    assert_eq!(admin.passivate(&stream).await.unwrap(), Passivated::Done);
    assert_eq!(
        (bank.statistics().residents, bank.statistics().passivated_operator),
        (0, 1)
    );
    assert_eq!(account.execute(Deposit { cents: 1 }).await, Ok(9));
}
