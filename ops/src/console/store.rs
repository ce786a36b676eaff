//! The store: how far it has come, what it takes, and how it stands.

use actix_web::HttpResponse;
use dormouse_persistence::{FamilyStatistics, LevelStatistics, StoreSettings};
use dormouse_runtime::Statistics;
use maud::{Markup, html};

use crate::aside::aside;
use crate::console::acts;
use crate::console::overview::{figure, figure_of_fault};
use crate::console::page::Page;
use crate::console::sample::Sample;
use crate::console::settings;
use crate::format;
use crate::problem::Problem;

const HERE: &str = "/store";
const TITLE: &str = "Store";

/// Figures that belong together.
struct Sheet {
    title: &'static str,
    note: &'static str,
    lines: &'static [Line],
    /// What is to be known about them.
    about: &'static str,
}

struct Line {
    name: &'static str,
    figure: &'static str,
    /// After the figure.
    words: &'static str,
    /// Whether anything but zero is a fault.
    is_fault: bool,
}

const fn line(name: &'static str, figure: &'static str) -> Line {
    of(name, figure, "")
}

const fn of(name: &'static str, figure: &'static str, words: &'static str) -> Line {
    Line {
        name,
        figure,
        words,
        is_fault: false,
    }
}

const fn fault(name: &'static str, figure: &'static str) -> Line {
    Line {
        is_fault: true,
        ..line(name, figure)
    }
}

const SHEETS: &[Sheet] = &[
    Sheet {
        title: "Log",
        note: "the truth",
        lines: &[
            line("Last durable position", "durable"),
            line("Batches written", "batches_total"),
            line("Bytes written", "written_total"),
            line("Commits a batch, mean", "batch_mean"),
            line("Commits in the largest batch", "batch_max"),
            line("Bytes a batch, mean", "batch_bytes"),
            line("fsyncs", "syncs_total"),
            line("fsync, p50", "sync_p50"),
            line("fsync, p99", "sync_p99"),
            line("Write-ahead log", "log_wal_bytes"),
            line("Tables not moved yet", "log_level0_tables"),
        ],
        about: "",
    },
    Sheet {
        title: "Index",
        note: "derived, behind the log",
        lines: &[
            line("Last indexed position", "indexed"),
            of("Behind it, in the tail", "unindexed", "events"),
            line("Tail in memory", "tail_bytes"),
            line("Runs indexed", "runs_indexed"),
            line("Sorted runs of the streams", "stream_runs"),
            line("Compactions running", "compactions_running"),
            line("Compaction pending", "compaction_pending_bytes"),
            line("Block cache, found in it", "cache_hits"),
            line("RocksDB held writes up for", "stall"),
            line("Writers held for room", "room_wait"),
        ],
        about: "Events are read from the tail until a generation of them is full and is indexed as one run. So a quiet store \
                keeps a tail: nothing waits for it.",
    },
    Sheet {
        title: "Health",
        note: "since it was opened",
        lines: &[
            fault("Unknown commits", "unknown_commits"),
            line("Commits of stale writers", "stale_commits"),
            fault("Not done: stopped", "stopped_commits"),
            line("Times opened or reopened", "generation"),
            fault("Panics of domain code", "panics"),
            line("Turns over 10 ms", "long_turns"),
            line("Activations", "activations_total"),
            fault("Activations that failed", "activations_failed"),
            line("Snapshots written", "snapshots_written"),
            fault("Snapshots given up", "snapshots_dropped"),
            line("Snapshots not readable", "snapshots_unreadable"),
            line("Streams open for writing", "open_streams"),
        ],
        about: "",
    },
];

/// A part of memory or disk, and its bytes.
type Part = (&'static str, &'static str, fn(&Statistics) -> u64);

const MEMORY: &[Part] = &[
    ("Aggregates", "resident_bytes", |s| s.resident_bytes as u64),
    ("Tail of the log", "tail_bytes", |s| s.store.tail_bytes),
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
    let settings = runtime.store().settings();
    let statistics = aside(move || runtime.statistics()).await?;
    let content = page
        .live
        .latest(|sample| content(&page, sample, &statistics, &settings));
    Ok(page.show(HERE, TITLE, &content))
}

fn content(page: &Page, sample: &Sample, statistics: &Statistics, settings: &StoreSettings) -> Markup {
    html! {
        (page.standing_heading(TITLE, &acts::of_store(page)))
        div.columns.even {
            @for sheet in SHEETS { (self::sheet(sheet, sample)) }
            (bars("Memory", "by part", MEMORY, sample, statistics))
            section.sheet {
                header {
                    h2 { "Disk" }
                    span.note {
                        (figure(sample, "disk_bytes")) " in all files"
                        // a store in memory has no disk that could be full
                        @if settings.directory.is_some() { ", " (figure(sample, "disk_free_bytes")) " free" }
                    }
                }
                (parts(DISK, sample, statistics))
            }
            (families(&statistics.store.engine.families))
            (settings::of_store(settings))
        }
    }
}

fn sheet(sheet: &Sheet, sample: &Sample) -> Markup {
    html! {
        section.sheet {
            header { h2 { (sheet.title) } span.note { (sheet.note) } }
            dl.facts { @for line in sheet.lines {
                div {
                    dt { (line.name) }
                    dd {
                        @if line.is_fault { (figure_of_fault(sample, line.figure)) }
                        @else { (figure(sample, line.figure)) }
                        @if !line.words.is_empty() { " " span.soft { (line.words) } }
                    }
                }
            } }
            @if !sheet.about.is_empty() { p.about { (sheet.about) } }
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
