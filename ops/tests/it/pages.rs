//! What the console's pages say, as they are served: no browser is needed for that.

use std::time::Duration;

use dormouse_ops::Ops;
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use tempfile::TempDir;

use crate::bank::{Account, deposit, start};
use crate::client::{get, open};

#[track_caller]
fn page(ops: &Ops, path: &str) -> String {
    let answer = get(ops, path, &["Accept: text/html"]);
    assert_eq!(answer.status, 200, "{answer:?}");
    answer.body.replace('\u{a0}', " ")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_that_cannot_be_made_says_what_is_missing() {
    let ops = open();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    for path in ["/store", "/jobs"] {
        let page = page(&ops, path);
        assert!(
            page.contains("disabled aria-describedby=\"no-checkpoint\">Checkpoint"),
            "{page}"
        );
        assert!(page.contains("<code>backup_root</code> is not set"), "{page}");
        assert!(!page.contains("/api/v1/checkpoint"), "{page}");
    }

    let backups = TempDir::new().unwrap();
    let builder = Ops::builder().bind("127.0.0.1:0").backup_root(backups.path());
    let ops = builder.start().unwrap();
    ops.attach(&bank);
    let page = page(&ops, "/store");
    assert!(
        page.contains("/api/v1/checkpoint") && !page.contains("no-checkpoint"),
        "{page}"
    );
    let root = backups.path().canonicalize().unwrap();
    assert!(page.contains(&format!("below {}", root.display())), "{page}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_runtime_and_store_run_with_is_shown() {
    let ops = open();
    let options = StoreOptions::default().generation_bytes(8 << 20);
    let store = Store::on_memory(&MemoryDisk::new(), options).unwrap();
    let builder = Dormouse::builder(store).passivate_after(Duration::from_secs(300));
    ops.attach(&builder.start().await.unwrap());
    let overview = page(&ops, "/");
    let set = r#"<dt>passivate_after</dt><dd><span class="chip">set</span> 5 min<small class="soft"> default 2 min</small></dd>"#;
    assert!(overview.contains(set), "{overview}");
    assert!(
        overview.contains("<dt>mailbox</dt><dd>4,096 commands</dd>"),
        "{overview}"
    );
    let store = page(&ops, "/store");
    let set = r#"<dt>generation_bytes</dt><dd><span class="chip">set</span> 8 MiB<small class="soft"> default 64 MiB</small></dd>"#;
    assert!(store.contains(set), "{store}");
    assert!(
        store.contains("<dt>tail_bytes_max</dt><dd>256 MiB</dd>"),
        "{store}"
    );
    assert!(store.contains("none: it is in memory"), "{store}");
}

#[tokio::test(flavor = "multi_thread")]
async fn every_time_says_that_it_is_utc() {
    let ops = open();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    deposit(&bank, "acc-1", 10).await;
    let aggregate = page(&ops, "/aggregate?type=account&id=acc-1");
    assert!(aggregate.contains("newest first, times in UTC"), "{aggregate}");
    assert!(
        aggregate.contains("<span class=\"when\">UTC</span>"),
        "{aggregate}"
    );
    let machine = aggregate.split("<time datetime=\"").nth(1).unwrap();
    let (exact, rest) = machine.split_once("\">").unwrap();
    assert!(exact.len() == 24 && exact.ends_with('Z'), "{exact}");
    let shown = exact.replace('T', " ");
    assert!(rest.starts_with(shown.trim_end_matches('Z')), "{exact} {rest}");

    let compact = crate::client::send(&ops, "POST /api/v1/compact", &["X-Dormouse-Action: 1"], "");
    assert_eq!(compact.status, 202);
    let jobs = page(&ops, "/jobs");
    assert!(
        jobs.contains("Begun, UTC") && jobs.contains("<time datetime=\""),
        "{jobs}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tail_is_shown_as_what_it_is() {
    let ops = open();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    deposit(&bank, "acc-1", 10).await;
    for path in ["/", "/store"] {
        let page = page(&ops, path);
        assert!(!page.contains("ot indexed yet"), "{page}");
        assert!(page.contains("Tail of the log"), "{page}");
    }
    assert!(page(&ops, "/store").contains("a quiet store keeps a tail"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_time_leads_to_the_version_that_was_the_newest_then() {
    let ops = open();
    let disk = MemoryDisk::new();
    let clock = dormouse_domain::Clock::held("2026-01-31T10:00:00.250999Z".parse().unwrap());
    let store = Store::on_memory(&disk, StoreOptions::default().clock(clock.clone())).unwrap();
    let builder = Dormouse::builder(store).arbiters(1).aggregate::<Account>();
    let bank = builder.start().await.unwrap();
    ops.attach(&bank);
    for _ in 0..3 {
        deposit(&bank, "acc-1", 10).await;
        clock.advance(Duration::from_secs(60));
    }
    let at = |time: &str| page(&ops, &format!("/aggregate?type=account&id=acc-1&time={time}"));
    for (time, version, stored) in [
        ("2026-01-31%2010:00:00.250", 1, "10:00:00.250"),
        ("2026-01-31T10:00:00Z", 1, "10:00:00.250"),
        ("2026-01-31%2010:01%20UTC", 2, "10:01:00.250"),
        ("2026-01-31%2010", 3, "10:02:00.250"),
        ("2026-02-01", 3, "10:02:00.250"),
    ] {
        let page = at(time);
        assert!(
            page.contains(&format!("newest version was <b>{version}</b>, stored <time")),
            "{time}: {page}"
        );
        assert!(
            page.contains(&format!(">2026-01-31 {stored}</time> UTC.")),
            "{time}: {page}"
        );
        assert!(
            page.contains(&format!("State at version {version}<")),
            "{time}: {page}"
        );
    }
    let before = at("2026-01-31%2009:59");
    assert!(
        before.contains("At 2026-01-31 09:59 UTC it had no event yet"),
        "{before}"
    );
    assert!(before.contains("State at version 1<"), "{before}");
    let wrong = at("%3Ci%3Eyesterday");
    assert!(wrong.contains("“&lt;i&gt;yesterday” is no time."), "{wrong}");
    assert!(wrong.contains("State at version 3<"), "{wrong}");
    // what is shown of a version is a time that leads to it
    let shown = page(&ops, "/aggregate?type=account&id=acc-1&at=2");
    assert!(
        shown.contains("name=\"time\" value=\"2026-01-31 10:01:00.250\""),
        "{shown}"
    );
}

#[test]
fn before_there_is_a_runtime_a_page_waits_for_it() {
    let ops = open();
    for path in ["/store", "/aggregates", "/aggregate?type=a&id=b"] {
        let answer = get(&ops, path, &["Accept: text/html"]);
        assert_eq!(answer.status, 503, "{answer:?}");
        assert!(answer.body.contains("data-until-open"), "{answer:?}");
    }
    assert!(page(&ops, "/").contains("data-until-open"));
}

#[tokio::test]
async fn a_path_that_leads_nowhere_is_a_page_for_people_and_a_problem_for_programs() {
    let ops = open();
    let page = get(&ops, "/nowhere/a&b", &["Accept: text/html"]);
    assert_eq!(page.status, 404, "{page:?}");
    assert!(
        page.body.contains("there is nothing at /nowhere/a&amp;b"),
        "{page:?}"
    );
    assert!(page.body.contains("aria-label=\"Console\""), "{page:?}");

    for (path, accept) in [
        ("/nowhere", "*/*"),
        ("/api/v1/nowhere", "text/html"),
        ("/health/nowhere", "text/html"),
    ] {
        let problem = get(&ops, path, &[&format!("Accept: {accept}")]);
        assert_eq!(problem.status, 404, "{problem:?}");
        assert_eq!(problem.json()["error"], format!("there is nothing at {path}"));
    }
}
