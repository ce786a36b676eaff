//! What an operator sees.

use std::collections::HashSet;

use dormouse_persistence::MemoryDisk;
use metrics_util::debugging::DebuggingRecorder;

use crate::bank::{Deposit, Withdraw, account, bank_with, until};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_commits_and_aggregates_are_recorded() {
    let recorder = DebuggingRecorder::new();
    let seen = recorder.snapshotter();
    recorder.install().expect("no other test installs one");
    let quick = std::time::Duration::from_millis(100);
    let bank = bank_with(&MemoryDisk::new(), |builder| {
        builder.snapshot_every(5).passivate_after(quick)
    })
    .await;
    for _ in 0..100 {
        account(&bank, "acc-1")
            .execute(Deposit { cents: 1 })
            .await
            .unwrap();
    }
    account(&bank, "acc-1")
        .execute(Withdraw { cents: 1_000 })
        .await
        .unwrap_err();
    until("it is passivated", || bank.statistics().passivated_idle > 0).await;
    account(&bank, "acc-1")
        .execute(Deposit { cents: 1 })
        .await
        .unwrap();
    let told = bank.statistics();
    for (name, count, least) in [
        ("handling", told.handling.count(), 1),
        ("commit wait", told.commit_wait.count(), told.store.batches),
        ("activation", told.activation.count(), 1),
        ("sync", told.store.sync.count(), told.store.batches),
        ("batch bytes", told.store.batch_bytes.count(), told.store.batches),
        (
            "batch commits",
            told.store.batch_commits.count(),
            told.store.batches,
        ),
    ] {
        assert!(count >= least && count > 0, "{name}: {told:?}");
    }
    assert_eq!(told.store.batch_commits.sum(), told.store.commits);
    bank.shutdown().await.unwrap();

    let mut names = HashSet::new();
    let mut outcomes = HashSet::new();
    for (key, ..) in seen.snapshot().into_vec() {
        let key = key.key();
        names.insert(key.name().to_owned());
        if key.name() == "dormouse_commands_total" {
            let labels: Vec<String> = key
                .labels()
                .map(|label| format!("{}={}", label.key(), label.value()))
                .collect();
            outcomes.insert(labels.join(" "));
        }
    }
    for name in [
        "dormouse_commands_total",
        "dormouse_command_handling_seconds",
        "dormouse_commit_wait_seconds",
        "dormouse_mailbox_depth",
        "dormouse_residents",
        "dormouse_resident_bytes",
        "dormouse_activations_total",
        "dormouse_activation_seconds",
        "dormouse_activation_events",
        "dormouse_passivations_total",
        "dormouse_snapshots_written_total",
        "dormouse_journal_batch_commits",
        "dormouse_journal_batch_bytes",
        "dormouse_journal_sync_seconds",
        "dormouse_tail_bytes",
    ] {
        assert!(
            names.contains(name),
            "{name} was not recorded; what was: {names:?}"
        );
    }
    assert!(
        outcomes.contains("aggregate=account command=Deposit outcome=committed"),
        "{outcomes:?}"
    );
    assert!(
        outcomes.contains("aggregate=account command=Withdraw outcome=refused"),
        "{outcomes:?}"
    );
}
