//! What an operator sees: every documented metric is recorded, and nothing else.

mod documented;
mod seen;

use std::time::Duration;

use dormouse_domain::CommandId;
use dormouse_persistence::{Store, StoreOptions};
use dormouse_runtime::Dormouse;

use self::seen::Seen;
use crate::bank::{Account, Deposit, NoteOften, Panic, Where, Withdraw, account, until};

/// Indexes each batch as a run of its own, and has no room for two: the journal must wait.
fn cramped() -> StoreOptions {
    StoreOptions::default()
        .generation_bytes(1)
        .tail_bytes_max(1)
        .batch_commits_max(1)
}

async fn bank(store: Store) -> Dormouse {
    let builder = Dormouse::builder(store)
        .aggregate::<Account>()
        .snapshot_every(5)
        .recent_ids(1)
        .passivate_after(Duration::from_millis(100));
    builder.start().await.unwrap()
}

/// What provokes each metric once.
async fn load(bank: &Dormouse) {
    let acc = account(bank, "acc-1");
    let id = CommandId::now();
    acc.execute(Deposit { cents: 1 }).id(id).await.unwrap();
    for _ in 0..20 {
        acc.execute(Deposit { cents: 1 })
            .id(CommandId::now())
            .await
            .unwrap();
    }
    acc.execute(Deposit { cents: 1 }).id(id).await.unwrap();
    acc.execute(Withdraw { cents: 1_000 }).await.unwrap_err();
    acc.execute(Panic { place: Where::Handle }).await.unwrap_err();
    // so many turns that it yields once, and its mailbox is looked at
    for _ in 0..64 {
        acc.query(|state| state.cents).await.unwrap();
    }
    until("it is passivated", || bank.statistics().passivated_idle > 0).await;
    acc.execute(Deposit { cents: 1 }).await.unwrap();
    // more at once than it has room for
    let at_once: Vec<_> = (0..10)
        .map(|n| {
            let acc = account(bank, &format!("many-{n}"));
            tokio::spawn(async move { acc.execute(Deposit { cents: 1 }).await })
        })
        .collect();
    for deposit in at_once {
        deposit.await.unwrap().unwrap();
    }
    // larger than what the store has in memory: it is read from RocksDB
    let large = NoteOften {
        times: 20,
        bytes: 50_000,
    };
    account(bank, "acc-2").execute(large).await.unwrap();
    until("it is read from the index", || {
        bank.record_gauges();
        bank.statistics().store.engine.cache_misses > 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_documented_metric_is_recorded() {
    let seen = Seen::install();
    let directory = tempfile::tempdir().unwrap();
    let bank = bank(Store::open_with(directory.path(), cramped()).unwrap()).await;
    load(&bank).await;
    bank.record_gauges();
    check_statistics(&bank);
    bank.shutdown().await.unwrap();

    let documented = documented::metrics();
    for metric in &documented {
        let described = seen.described(&metric.name);
        assert_eq!(
            described,
            Some((metric.kind, metric.unit)),
            "described: {metric:?}"
        );
        assert_eq!(
            seen.labels(&metric.name),
            Some(metric.labels.clone()),
            "recorded: {metric:?}"
        );
    }
    for name in seen.names() {
        assert!(
            documented.iter().any(|metric| metric.name == name),
            "docs/metrics.md has no {name}"
        );
    }
    check_counts(&seen);
}

fn check_counts(seen: &Seen) {
    let command = |command, outcome| {
        [
            ("aggregate", "account"),
            ("command", command),
            ("outcome", outcome),
        ]
    };
    for (name, labels, at_least) in [
        (
            "dormouse_commands_total",
            command("Deposit", "committed").as_slice(),
            22,
        ),
        ("dormouse_commands_total", &command("Deposit", "replayed"), 1),
        ("dormouse_commands_total", &command("Withdraw", "refused"), 1),
        ("dormouse_panics_total", &[], 1),
        ("dormouse_queries_total", &[], 64),
        ("dormouse_events_total", &[], 42),
        ("dormouse_command_id_look_ups_total", &[("outcome", "found")], 1),
        ("dormouse_passivations_total", &[("cause", "idle")], 1),
        ("dormouse_rocksdb_cache_misses_total", &[], 1),
    ] {
        let count = seen.count(name, labels);
        assert!(count >= at_least, "{name} {labels:?}: {count}, not {at_least}");
    }
}

fn check_statistics(bank: &Dormouse) {
    let told = bank.statistics();
    for (name, counted) in [
        ("handling", told.handling.count()),
        ("commit wait", told.commit_wait.count()),
        ("activation", told.activation.count()),
        ("sync", told.store.sync.count()),
        ("batch bytes", told.store.batch_bytes.count()),
    ] {
        assert!(counted > 0, "{name}: {told:?}");
    }
    assert_eq!(told.store.batch_commits.sum(), told.store.commits);
    let engine = &told.store.engine;
    assert!(engine.disk_free_bytes > 0, "{engine:?}");
    let families: Vec<_> = engine.families.iter().map(|family| family.name).collect();
    assert_eq!(families, ["log", "streams", "commands", "snapshots", "meta"]);
    for family in &engine.families[1..3] {
        let tables: u64 = family.levels.iter().map(|level| level.tables).sum();
        assert!(family.table_bytes > 0 && tables > 0, "{family:?}");
    }
}
