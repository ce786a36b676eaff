//! The store: how far it has come, what it takes, and how it stands.

use actix_web::HttpResponse;
use dormouse_persistence::{FamilyStatistics, LevelStatistics};
use dormouse_runtime::Statistics;
use maud::{Markup, html};

use crate::aside::aside;
use crate::console::acts;
use crate::console::format;
use crate::console::overview::figure;
use crate::console::page::Page;
use crate::console::sample::Sample;
use crate::problem::Problem;

const HERE: &str = "/store";
const TITLE: &str = "Store";

/// A sheet of figures: its title, a note, and lines of a name, a figure and words after it.
type Sheet = (
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str, &'static str)],
);

const SHEETS: &[Sheet] = &[
    (
        "Log",
        "the truth",
        &[
            ("Last durable position", "durable", ""),
            ("Batches written", "batches_total", ""),
            ("Bytes written", "written_total", ""),
            ("Commits a batch, mean", "batch_mean", ""),
            ("Largest batch", "batch_max", "commits"),
            ("Bytes a batch, mean", "batch_bytes", ""),
            ("fsyncs", "syncs_total", ""),
            ("fsync, p50", "sync_p50", ""),
            ("fsync, p99", "sync_p99", ""),
            ("Write-ahead log", "log_wal_bytes", ""),
            ("Tables not moved yet", "log_level0_tables", ""),
        ],
    ),
    (
        "Index",
        "derived, behind the log",
        &[
            ("Last indexed position", "indexed", ""),
            ("Not indexed yet", "unindexed", "events"),
            ("Tail in memory", "tail_bytes", ""),
            ("Runs indexed", "runs_indexed", ""),
            ("Sorted runs of the streams", "stream_runs", ""),
            ("Compactions running", "compactions_running", ""),
            ("Compaction pending", "compaction_pending_bytes", ""),
            ("Block cache, found in it", "cache_hits", ""),
            ("RocksDB held writes up for", "stall", ""),
            ("Writers held for room", "room_wait", ""),
        ],
    ),
    (
        "Health",
        "since it was opened",
        &[
            ("Unknown commits", "unknown_commits", ""),
            ("Commits of stale writers", "stale_commits", ""),
            ("Not done: stopped", "stopped_commits", ""),
            ("Times opened or reopened", "generation", ""),
            ("Panics of domain code", "panics", ""),
            ("Turns over 10 ms", "long_turns", ""),
            ("Activations", "activations_total", ""),
            ("Activations that failed", "activations_failed", ""),
            ("Snapshots written", "snapshots_written", ""),
            ("Snapshots given up", "snapshots_dropped", ""),
            ("Snapshots not readable", "snapshots_unreadable", ""),
            ("Streams open for writing", "open_streams", ""),
        ],
    ),
];

/// A part of memory or disk, and its bytes.
type Part = (&'static str, &'static str, fn(&Statistics) -> u64);

const MEMORY: &[Part] = &[
    ("Aggregates", "resident_bytes", |s| s.resident_bytes as u64),
    ("Tail, not indexed yet", "tail_bytes", |s| s.store.tail_bytes),
    ("Journal's queue", "queue_bytes", |s| s.store.queue_bytes),
    ("Memtables", "memtable_bytes", |s| s.store.engine.memtable_bytes),
    ("Block cache, memtables with it", "cache_bytes", |s| {
        s.store.engine.cache_bytes
    }),
    ("Open tables", "table_reader_bytes", |s| {
        s.store.engine.table_reader_bytes
    }),
];

const DISK: &[Part] = &[
    ("Log's tables", "log_table_bytes", |s| {
        s.store.engine.log_table_bytes
    }),
    ("Write-ahead log", "log_wal_bytes", |s| {
        s.store.engine.log_wal_bytes
    }),
    ("Index", "derived_table_bytes", |s| {
        s.store.engine.derived_table_bytes
    }),
    ("To be freed", "obsolete_bytes", |s| s.store.engine.obsolete_bytes),
];

pub(crate) async fn page(page: Page) -> Result<HttpResponse, Problem> {
    let Some(runtime) = page.runtime() else {
        return Ok(page.opening(HERE, TITLE));
    };
    let statistics = aside(move || runtime.statistics()).await?;
    let content = page
        .attached
        .live
        .latest(|sample| content(&page, sample, &statistics));
    Ok(page.show(HERE, TITLE, &content))
}

fn content(page: &Page, sample: &Sample, statistics: &Statistics) -> Markup {
    let standing = &sample.standing;
    html! {
        div.subject {
            div {
                h1 { (TITLE) }
                p.lead data-standing-line="" data-kind=(standing.kind) {
                    strong { (standing.word) } " " span { (standing.reason) }
                }
            }
            @if page.may_act { div.doing { (acts::of_store(page.base())) } }
        }
        div.columns.even {
            @for (title, note, lines) in SHEETS {
                section.sheet {
                    header { h2 { (title) } span.note { (note) } }
                    dl.facts { @for (name, key, words) in *lines {
                        div { dt { (name) } dd { (figure(sample, key)) @if !words.is_empty() { " " span.soft { (words) } } } }
                    } }
                }
            }
            (bars("Memory", "by part", MEMORY, sample, statistics))
            section.sheet {
                header { h2 { "Disk" } span.note { (figure(sample, "disk_bytes")) " in all files, " (figure(sample, "disk_free_bytes")) " free" } }
                (parts(DISK, sample, statistics))
            }
            (families(&statistics.store.engine.families))
        }
    }
}

/// The tables of each family, by level: 0 is what was indexed last.
fn families(families: &[FamilyStatistics]) -> Markup {
    let has_tables = |level: &LevelStatistics| level.tables > 0;
    html! {
        @if families.iter().any(|family| family.levels.iter().any(has_tables)) {
            section.sheet {
                header { h2 { "Levels" } span.note { "as this page was loaded" } }
                div.scroll { table {
                    thead { tr { th { "Family" } th.num { "Level" } th.num { "Tables" } th.num { "Bytes" } } }
                    tbody {
                        @for family in families {
                            @for (number, level) in family.levels.iter().enumerate().filter(|(_, level)| has_tables(level)) {
                                tr {
                                    td { (family.name) }
                                    td.num { (number) }
                                    td.num { (format::count(level.tables)) }
                                    td.num { (to_the_mib(level.bytes)) }
                                }
                            }
                        }
                    }
                } }
            }
        }
    }
}

/// Sizes of levels are known to the MiB only.
fn to_the_mib(bytes: u64) -> String {
    match bytes {
        0 => "under 1\u{a0}MiB".into(),
        bytes => format::bytes(bytes),
    }
}

fn bars(title: &str, note: &str, of: &[Part], sample: &Sample, statistics: &Statistics) -> Markup {
    html! {
        section.sheet {
            header { h2 { (title) } span.note { (note) } }
            (parts(of, sample, statistics))
        }
    }
}

/// Bars beside each other's size: the longest is the largest part.
fn parts(of: &[Part], sample: &Sample, statistics: &Statistics) -> Markup {
    let most = of
        .iter()
        .map(|(.., bytes)| bytes(statistics))
        .max()
        .unwrap_or(0)
        .max(1);
    html! {
        dl.bars { @for (name, key, bytes) in of {
            div {
                dt { (name) } dd { (figure(sample, key)) }
                svg viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
                    rect width=(format!("{:.1}", 100.0 * bytes(statistics) as f64 / most as f64)) height="4" {}
                }
            }
        } }
    }
}
