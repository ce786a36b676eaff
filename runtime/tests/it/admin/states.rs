//! States, now and in the past.

use std::sync::Arc;
use std::time::Duration;

use dormouse_domain::{
    Aggregate, AggregateType, Clock, Codec, Command, CommandContext, Decided, Decision, Event, Handle, Never,
    StreamId, Timestamp, Version, state_fingerprint,
};
use dormouse_persistence::{MemoryDisk, Snapshot, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use dormouse_runtime::admin::{AdminError, AsOf, limits};
use serde::{Deserialize, Serialize, Serializer};

use super::{deposit, partly_indexed, places, state_json};
use crate::bank::{Account, Deposit, account, bank_on, bank_with, until};
use crate::basics::stream;

fn at(version: u64) -> AsOf {
    AsOf::Version(Version::new(version))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_told_at_every_version() {
    for place in places(|builder| builder.snapshot_every(15)).await {
        let bank = &place.bank;
        deposit(bank, "acc-1", 40).await;
        partly_indexed(bank).await;
        until("snapshots are there", || bank.statistics().snapshots_written == 2).await;
        let (admin, stream) = (bank.admin(), stream("acc-1"));
        for version in 0..=40 {
            let state = admin.state_at(&stream, at(version)).await.unwrap();
            assert_eq!((state.json, state.version.get()), (state_json(version), version));
            assert_eq!((state.head.get(), state.time.is_some()), (40, version > 0));
        }
        let latest = admin.state_at(&stream, AsOf::Latest).await.unwrap();
        assert_eq!((latest.version.get(), latest.json), (40, state_json(40)));
        let beyond = admin.state_at(&stream, at(41)).await.unwrap_err();
        assert_eq!(
            beyond.to_string(),
            "version 41 of account/acc-1 was asked for, but the stream ends at version 40"
        );
        let nobody = admin
            .state_at(&crate::basics::stream("nobody"), AsOf::Latest)
            .await
            .unwrap();
        assert_eq!(
            (nobody.version, nobody.json, nobody.time),
            (Version::NONE, state_json(0), None)
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_is_told_as_of_a_time() {
    let clock = Clock::held(Timestamp::from_millis(1_000));
    let disk = MemoryDisk::new();
    let store = Store::on_memory(&disk, StoreOptions::default().clock(clock.clone())).unwrap();
    let bank = Dormouse::builder(store)
        .aggregate::<Account>()
        .clock(clock.clone())
        .snapshot_every(4)
        .start()
        .await
        .unwrap();
    for cents in 1..=10 {
        account(&bank, "acc-1").execute(Deposit { cents }).await.unwrap();
        clock.advance(Duration::from_millis(1_000));
    }
    until("snapshots are there", || bank.statistics().snapshots_written == 2).await;
    let (admin, stream) = (bank.admin(), stream("acc-1"));
    for (millis, version) in [
        (0, 0),
        (999, 0),
        (1_000, 1),
        (1_999, 1),
        (7_999, 7),
        (8_000, 8),
        (9_500, 9),
        (99_000, 10),
    ] {
        let time = AsOf::Time(Timestamp::from_millis(millis));
        let state = admin.state_at(&stream, time).await.unwrap();
        assert_eq!(
            (state.version.get(), state.json),
            (version, state_json(version)),
            "at {millis} ms"
        );
        let stored = (version > 0).then(|| Timestamp::from_millis(version * 1_000));
        assert_eq!(state.time, stored);
    }
}

/// A doctored snapshot shows where it is used: from its version on, and only with the state's own fingerprint.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_that_is_early_enough_is_gone_on_from() {
    let bank = bank_with(&MemoryDisk::new(), |builder| builder.snapshot_every(0)).await;
    deposit(&bank, "acc-1", 10).await;
    let (admin, stream) = (bank.admin(), stream("acc-1"));
    let events = admin.events(&stream, Version::new(1), 10).await.unwrap().events;
    let doctored = |fingerprint| {
        let mut payload = Vec::new();
        let state = Account {
            note: "doctored".into(),
            ..Account::default()
        };
        let limit = dormouse_domain::SizeLimit {
            field: "state",
            bytes_max: 100,
        };
        Codec::Bincode.encode(&state, &mut payload, limit).unwrap();
        Snapshot {
            version: Version::new(6),
            offset: events[5].position.offset,
            fingerprint,
            codec: Codec::Bincode,
            newest_command: None,
            time: Timestamp::EPOCH,
            payload,
        }
    };
    let is_doctored = async |as_of| {
        admin
            .state_at(&stream, as_of)
            .await
            .unwrap()
            .json
            .contains("doctored")
    };
    bank.store().put_snapshot(&stream, &doctored(7)).unwrap();
    assert!(!is_doctored(AsOf::Latest).await, "of another schema");
    bank.store()
        .put_snapshot(&stream, &doctored(state_fingerprint::<Account>()))
        .unwrap();
    for version in 1..=10 {
        assert_eq!(is_doctored(at(version)).await, version >= 6, "version {version}");
    }
    assert!(is_doctored(AsOf::Latest).await);
    assert!(is_doctored(AsOf::Time(events[9].time)).await);
    let before = Timestamp::from_micros(events[5].time.as_micros() - 1);
    assert!(
        !is_doctored(AsOf::Time(before)).await,
        "its own time does not count"
    );
    let typed = account(&bank, "acc-1");
    assert_eq!(typed.state_at(Version::new(6)).await.unwrap().note, "doctored");
    assert_eq!(typed.state_at(Version::new(5)).await.unwrap().cents, 15);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_domain_can_not_fold_is_told_and_harms_nobody() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let foreign = StreamId::new(AggregateType::from_static("ship"), "a".try_into().unwrap());
    let unknown = bank.admin().state_at(&foreign, AsOf::Latest).await;
    assert!(
        matches!(&unknown, Err(AdminError::UnknownType { known, .. }) if known == &["account"]),
        "{unknown:?}"
    );
    // an event whose `apply` panics: stored by a program that could
    let mut commit = dormouse_persistence::CommitBuilder::new(&stream("cursed"), Version::new(1));
    commit.event(&crate::bank::Entry::Cursed, Codec::Bincode).unwrap();
    let store = bank.store().clone();
    let reached = store
        .read_stream(&stream("cursed"), Version::new(1), &mut |_| {
            std::ops::ControlFlow::Continue(())
        })
        .unwrap();
    let writer = store.open_stream(&stream("cursed"), reached).unwrap();
    let sink = store.register_sink(Arc::new(Ignores));
    store.submit(
        &writer,
        commit.finish().unwrap(),
        dormouse_persistence::Ticket { sink, key: 0 },
    );
    until("it is stored", || store.durable().get() == 1).await;
    let admin = bank.admin();
    let cursed = admin
        .state_at(&stream("cursed"), AsOf::Latest)
        .await
        .unwrap_err()
        .to_string();
    assert!(
        cursed.contains("account/cursed") && cursed.contains("a curse in apply"),
        "{cursed}"
    );
    let snapshot = admin.snapshot(&stream("cursed")).await;
    assert!(matches!(snapshot, Err(AdminError::Domain { .. })), "{snapshot:?}");
    assert_eq!(
        admin.state_at(&stream("cursed"), at(0)).await.unwrap().json,
        state_json(0)
    );
    let events = admin.events(&stream("cursed"), Version::new(1), 1).await.unwrap();
    assert_eq!(events.events[0].name, "Cursed");
    deposit(&bank, "acc-1", 1).await;
}

struct Ignores;

impl dormouse_persistence::SettlementSink for Ignores {
    fn settled(&self, _: Vec<dormouse_persistence::Settled>) {}
}

/// What its state is when it is shown.
#[derive(Debug, Default, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Shown {
    #[default]
    Fine,
    /// A map whose keys are no text.
    NoJson,
    Panics,
    Huge,
}

#[derive(Debug, Default, Deserialize)]
struct Showy(Shown);

impl Serialize for Showy {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            Shown::NoJson if serializer.is_human_readable() => {
                std::collections::BTreeMap::from([((1, 2), 3)]).serialize(serializer)
            }
            Shown::Panics if serializer.is_human_readable() => panic!("a curse in serialize"),
            Shown::Huge if serializer.is_human_readable() => {
                "x".repeat(limits::STATE_JSON_BYTES_MAX).serialize(serializer)
            }
            _ => self.0.serialize(serializer),
        }
    }
}

#[derive(Debug, Serialize, Deserialize, Event)]
enum Changed {
    To { shown: Shown },
}

#[derive(Debug, Serialize, Deserialize, Command)]
struct Change {
    shown: Shown,
}

impl Aggregate for Showy {
    const TYPE: &'static str = "showy";
    type Event = Changed;
    type Error = Never;

    fn apply(&mut self, Changed::To { shown }: &Changed) {
        self.0 = *shown;
    }
}

impl Handle<Change> for Showy {
    fn handle(&self, c: Change, _: &CommandContext<'_>) -> Decided<Self, Change> {
        Ok(Decision::event(Changed::To { shown: c.shown }))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_state_that_is_not_for_json_is_told() {
    let bank = Dormouse::builder(Store::in_memory())
        .aggregate::<Showy>()
        .start()
        .await
        .unwrap();
    let stream = StreamId::new(AggregateType::from_static("showy"), "a".try_into().unwrap());
    let showy = bank.entity::<Showy>("a").unwrap();
    for (shown, says) in [
        (Shown::NoJson, "key must be a string"),
        (Shown::Panics, "a curse in serialize"),
        (Shown::Huge, "the limit is 16777216"),
    ] {
        showy.execute(Change { shown }).await.unwrap();
        let error = bank.admin().state_at(&stream, AsOf::Latest).await.unwrap_err();
        assert!(matches!(error, AdminError::NotJson { .. }), "{error:?}");
        assert!(error.to_string().contains(says), "{error}");
    }
    showy.execute(Change { shown: Shown::Fine }).await.unwrap();
    assert_eq!(
        bank.admin().state_at(&stream, AsOf::Latest).await.unwrap().json,
        r#""Fine""#
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_store_can_still_be_looked_into() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    deposit(&bank, "acc-1", 3).await;
    disk.fail_append(dormouse_persistence::AppendFault::NothingWritten);
    assert!(
        account(&bank, "acc-1")
            .execute(Deposit { cents: 1 })
            .await
            .is_err()
    );
    assert!(matches!(
        bank.readiness(),
        dormouse_runtime::Readiness::Stopped { .. }
    ));
    let state = bank
        .admin()
        .state_at(&stream("acc-1"), AsOf::Latest)
        .await
        .unwrap();
    assert_eq!(state.json, state_json(3));
    let snapshot = bank.admin().snapshot(&stream("acc-1")).await;
    assert!(matches!(snapshot, Err(AdminError::Store(_))), "{snapshot:?}");
}
