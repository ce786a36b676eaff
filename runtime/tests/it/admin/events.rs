//! Events: decoded page by page, raw where they can't be, found by position and by id.

use dormouse_domain::{
    AggregateType, Codec, CommandId, EventId, Offset, Position, SchemaVersion, ShardId, StreamId, Version,
};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use dormouse_runtime::admin::{AdminError, EventRecord, Payload, limits};
use uuid::Uuid;

use super::{deposit, partly_indexed, places};
use crate::bank::{Account, Deposit, Note, NoteOften, account, bank, bank_on};
use crate::basics::stream;
use crate::evolution::AccountV2;

fn json(event: &EventRecord) -> &str {
    match &event.payload {
        Payload::Json(text) => text,
        Payload::Raw { reason, .. } => panic!("not JSON: {reason}"),
    }
}

fn raw(event: &EventRecord) -> (&[u8], &str) {
    match &event.payload {
        Payload::Raw { bytes, reason } => (bytes, reason),
        Payload::Json(text) => panic!("not raw: {text}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn registered_types_are_told_with_their_events() {
    let bank = bank().await;
    deposit(&bank, "acc-1", 1).await;
    let types = bank.admin().aggregate_types();
    let account = &types[0];
    assert_eq!((types.len(), account.name, account.residents), (1, "account", 1));
    assert_eq!((account.state_version, account.codec), (1, Codec::Bincode));
    let names: Vec<_> = account.events.iter().map(|event| event.name).collect();
    assert_eq!(names, ["Deposited", "Withdrawn", "Noted", "Cursed"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_shown_as_json_page_by_page() {
    for place in places(|builder| builder).await {
        let bank = &place.bank;
        deposit(bank, "acc-1", 40).await;
        partly_indexed(bank).await;
        let (admin, stream) = (bank.admin(), stream("acc-1"));
        let mut from = Version::new(0);
        let mut seen = Vec::new();
        loop {
            let page = admin.events(&stream, from, 7).await.unwrap();
            assert_eq!((page.head, page.more), (Version::new(40), seen.len() + 7 < 40));
            assert!(page.events.len() == 7 || !page.more);
            seen.extend(page.events);
            from = seen.last().unwrap().version.next();
            if !page.more {
                break;
            }
        }
        for (event, n) in seen.iter().zip(1..) {
            assert_eq!((event.version.get(), event.name.as_str()), (n, "Deposited"));
            assert_eq!(json(event), format!(r#"{{"cents":{n}}}"#));
            assert_eq!(event.commit, (event.version, event.version));
            assert_eq!((event.system, event.command), (false, None));
        }
        assert_eq!(seen.len(), 40);
        let beyond = admin.events(&stream, Version::new(41), 7).await.unwrap();
        assert_eq!(
            (beyond.events.len(), beyond.head.get(), beyond.more),
            (0, 40, false)
        );
        let unknown = admin
            .events(&crate::basics::stream("nobody"), Version::new(1), 7)
            .await;
        assert_eq!(unknown.unwrap().head, Version::NONE);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_begins_inside_a_commit_and_ends_inside_one() {
    let bank = bank().await;
    let often = NoteOften { times: 10, bytes: 1 };
    account(&bank, "acc-1").execute(often).await.unwrap();
    let page = bank
        .admin()
        .events(&stream("acc-1"), Version::new(4), 3)
        .await
        .unwrap();
    let versions: Vec<_> = page.events.iter().map(|event| event.version.get()).collect();
    assert_eq!((versions, page.more), (vec![4, 5, 6], true));
    assert_eq!(page.events[0].commit, (Version::new(1), Version::new(10)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_tells_of_its_command() {
    let bank = bank().await;
    let (id, cause) = (CommandId::now(), Uuid::from_u128(7));
    let account = account(&bank, "acc-1");
    let deposit = account.execute(Deposit { cents: 5 }).id(id);
    let receipt = deposit.caused_by(cause).receipt().await.unwrap();
    let page = bank
        .admin()
        .events(&stream("acc-1"), Version::new(1), 1)
        .await
        .unwrap();
    let event = &page.events[0];
    let command = event.command.unwrap();
    assert_eq!((command.id, command.name), (id, Some("Deposit")));
    assert_eq!(command.schema, SchemaVersion::FIRST);
    assert_eq!(event.metadata.causation, Some(cause));
    assert_eq!((Some(event.position), event.bytes), (receipt.position, 1));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_is_bounded_in_events_and_in_bytes() {
    let bank = bank().await;
    let large = account(&bank, "large");
    for _ in 0..12 {
        let text = "x".repeat(1_000_000);
        large.execute(Note { text }).await.unwrap();
    }
    let admin = bank.admin();
    let page = admin
        .events(&stream("large"), Version::new(1), 500)
        .await
        .unwrap();
    let bytes: usize = page.events.iter().map(|event| event.payload.len()).sum();
    assert!(page.more && bytes >= limits::EVENTS_PAGE_BYTES_MAX, "{bytes}");
    assert!(bytes < limits::EVENTS_PAGE_BYTES_MAX + 1_100_000, "{bytes}");
    for limit in [0, limits::EVENTS_PAGE_MAX + 1] {
        let refused = admin.events(&stream("large"), Version::new(1), limit).await;
        assert_eq!(
            refused.unwrap_err().to_string(),
            format!("limit is {limit}; it takes 1 to 500")
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_events_are_shown_as_they_are_read_today_and_unknown_ones_raw() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    deposit(&bank, "acc-1", 1).await;
    let note = Note { text: "hello".into() };
    account(&bank, "acc-1").execute(note).await.unwrap();
    bank.shutdown().await.unwrap();
    drop(bank);

    let store = Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let later = Dormouse::builder(store)
        .aggregate::<AccountV2>()
        .start()
        .await
        .unwrap();
    let page = later
        .admin()
        .events(&stream("acc-1"), Version::new(1), 9)
        .await
        .unwrap();
    assert_eq!(json(&page.events[0]), r#"{"cents":1,"currency":"EUR"}"#);
    let (bytes, reason) = raw(&page.events[1]);
    assert!(reason.contains("Noted") && bytes.ends_with(b"hello"), "{reason}");
    later.shutdown().await.unwrap();
    drop(later);

    let store = Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let nobody = Dormouse::builder(store).start().await.unwrap();
    let page = nobody
        .admin()
        .events(&stream("acc-1"), Version::new(1), 9)
        .await
        .unwrap();
    assert!(raw(&page.events[0]).1.contains("not registered"));
    assert_eq!(page.head, Version::new(2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_event_is_found_by_its_position_and_by_its_id() {
    for place in places(|builder| builder).await {
        let bank = &place.bank;
        for id in ["a", "b", "c"] {
            deposit(bank, id, 10).await;
        }
        partly_indexed(bank).await;
        let admin = bank.admin();
        for id in ["a", "b", "c"] {
            for event in admin
                .events(&stream(id), Version::new(1), 50)
                .await
                .unwrap()
                .events
            {
                let found = admin.event_at(event.position).await.unwrap().unwrap();
                assert_eq!((&found.stream, found.version), (&stream(id), event.version));
                assert_eq!(
                    (found.id, found.name, found.time),
                    (event.id, event.name, event.time)
                );
                let by_id = admin.event_by_id(event.id).await.unwrap().unwrap();
                assert_eq!((by_id.stream, by_id.version), (stream(id), event.version));
                let another =
                    EventId::derive(event.time.plus(std::time::Duration::from_secs(1)), event.position);
                assert_eq!(
                    admin.event_by_id(another).await.unwrap(),
                    None,
                    "of another store"
                );
            }
        }
        let position = |shard, offset| Position::new(ShardId::new(shard), Offset::new(offset));
        for nowhere in [
            position(0, 0),
            position(0, 31),
            position(0, u64::MAX),
            position(1, 1),
        ] {
            assert_eq!(admin.event_at(nowhere).await.unwrap(), None, "{nowhere}");
        }
    }
}

/// A commit that is on its way is not shown (P2).
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_what_is_durable_is_shown() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    deposit(&bank, "acc-1", 1).await;
    let held = disk.hold_appends();
    let caller = account(&bank, "acc-1");
    let call = tokio::spawn(async move { caller.execute(Deposit { cents: 1 }).await });
    held.wait_for_append();
    let (admin, stream) = (bank.admin(), stream("acc-1"));
    let page = admin.events(&stream, Version::new(1), 9).await.unwrap();
    assert_eq!((page.events.len(), page.head.get(), page.more), (1, 1, false));
    let state = admin
        .state_at(&stream, dormouse_runtime::admin::AsOf::Latest)
        .await
        .unwrap();
    assert_eq!((state.version.get(), state.json), (1, super::state_json(1)));
    drop(held);
    call.await.unwrap().unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_shutdown_nothing_is_read() {
    let bank = bank().await;
    let admin = bank.admin();
    bank.shutdown().await.unwrap();
    let closed = admin.events(&stream("a"), Version::new(1), 1).await;
    assert!(matches!(closed, Err(AdminError::ShuttingDown)), "{closed:?}");
    let foreign = StreamId::new(AggregateType::from_static("ship"), "a".try_into().unwrap());
    let unknown = admin.passivate(&foreign).await.unwrap_err().to_string();
    assert_eq!(
        unknown,
        format!(
            "aggregate type \"ship\" is not registered; this program knows {}",
            <Account as dormouse_domain::Aggregate>::TYPE
        )
    );
}
