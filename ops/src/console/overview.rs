//! What it does and holds, at a glance.

use actix_web::HttpResponse;
use maud::{Markup, html};

use crate::console::page::Page;
use crate::console::sample::Sample;
use crate::console::settings;

/// A number at the top: name, figure, unit, and what stands below it, as text and figures in turn.
struct Tile {
    name: &'static str,
    figure: &'static str,
    unit: &'static str,
    below: &'static [(&'static str, &'static str)],
}

const TILES: &[Tile] = &[
    Tile {
        name: "Commands",
        figure: "commands",
        unit: "/s",
        below: &[("commands_total", "since it started")],
    },
    Tile {
        name: "Events",
        figure: "events",
        unit: "/s",
        below: &[("events_total", "since it started")],
    },
    Tile {
        name: "Commit wait, p99",
        figure: "commit_wait_p99",
        unit: "",
        below: &[("commit_wait_p50", "p50"), ("commit_wait_p999", "p99.9")],
    },
    Tile {
        name: "fsync, p99",
        figure: "sync_p99",
        unit: "",
        below: &[("syncs", "/s"), ("sync_share", "of the time")],
    },
    Tile {
        name: "Aggregates in memory",
        figure: "residents",
        unit: "",
        below: &[("memory_share", "of the budget")],
    },
    Tile {
        name: "In flight",
        figure: "in_flight",
        unit: "",
        below: &[("queue_commits", "queued for the journal")],
    },
];

/// One chart: its series by name, label and colour, drawn in this order.
struct Chart {
    title: &'static str,
    kind: &'static str,
    unit: &'static str,
    series: &'static [(&'static str, &'static str, u8)],
    note: &'static str,
}

const CHARTS: &[Chart] = &[
    Chart {
        title: "Commands a second",
        kind: "stack",
        unit: "count",
        series: &[
            ("committed", "committed", 1),
            ("replied", "no event", 4),
            ("replayed", "replayed", 5),
            ("refused", "refused", 2),
            ("not_done", "not done", 3),
            ("overloaded", "overloaded", 6),
        ],
        note: "by what came of them",
    },
    Chart {
        title: "Commit wait",
        kind: "log",
        unit: "seconds",
        series: &[
            ("commit_wait_p50", "p50", 1),
            ("commit_wait_p99", "p99", 2),
            ("commit_wait_p999", "p99.9", 3),
        ],
        note: "from taken in hand to durable",
    },
    Chart {
        title: "Handling",
        kind: "log",
        unit: "seconds",
        series: &[
            ("handling_p50", "p50", 1),
            ("handling_p99", "p99", 2),
            ("handling_p999", "p99.9", 3),
        ],
        note: "decide, encode, apply",
    },
    Chart {
        title: "fsync",
        kind: "log",
        unit: "seconds",
        series: &[("sync_p50", "p50", 1), ("sync_p99", "p99", 2)],
        note: "one a batch",
    },
    Chart {
        title: "Commits a batch",
        kind: "line",
        unit: "count",
        series: &[("batch_mean", "mean", 1), ("batch_p99", "p99", 2)],
        note: "what one fsync covers",
    },
    Chart {
        title: "Memory of aggregates",
        kind: "limit",
        unit: "bytes",
        series: &[
            ("resident_bytes", "in use", 1),
            ("memory_budget_bytes", "budget", 3),
        ],
        note: "as it is reckoned",
    },
    Chart {
        title: "Activations and evictions a second",
        kind: "line",
        unit: "count",
        series: &[
            ("activations", "woken", 1),
            ("passivated_memory", "evicted for memory", 2),
            ("passivated_idle", "idle", 4),
        ],
        note: "",
    },
    Chart {
        title: "In flight",
        kind: "line",
        unit: "count",
        series: &[
            ("in_flight", "commands and queries", 1),
            ("queue_commits", "commits queued", 2),
        ],
        note: "now",
    },
    Chart {
        title: "Tail of the log",
        kind: "limit",
        unit: "bytes",
        series: &[("tail_bytes", "in memory", 1), ("tail_bytes_max", "bound", 3)],
        note: "indexed a generation at a time",
    },
];

pub(crate) async fn page(page: Page) -> HttpResponse {
    let settings = page.runtime().map(|runtime| runtime.settings());
    let heading = page.standing_heading("Overview", &html! {});
    let content = html! {
        (heading)
        (page.live.latest(now))
        @match &settings {
            Some(settings) => (settings::of_runtime(settings)),
            // the page is loaded anew once there is a runtime
            None => div data-until-open="" {},
        }
    };
    page.show("/", "Overview", &content)
}

fn now(sample: &Sample) -> Markup {
    html! {
        section.tiles aria-label="Now" {
            @for tile in TILES { (self::tile(tile, sample)) }
        }
        section.charts aria-label="The last five minutes" {
            @for chart in CHARTS { (self::chart(chart, sample)) }
        }
    }
}

fn tile(tile: &Tile, sample: &Sample) -> Markup {
    html! {
        div.tile {
            h2 { (tile.name) }
            p.number { (figure(sample, tile.figure)) @if !tile.unit.is_empty() { small { (tile.unit) } } }
            p.below {
                @for (name, words) in tile.below {
                    span { (figure(sample, name)) " " (words) }
                }
            }
        }
    }
}

fn chart(chart: &Chart, sample: &Sample) -> Markup {
    let names: Vec<&str> = chart.series.iter().map(|(name, ..)| *name).collect();
    html! {
        figure.chart data-kind=(chart.kind) data-unit=(chart.unit) data-series=(names.join(" ")) {
            figcaption {
                h2 { (chart.title) }
                @if !chart.note.is_empty() { span.note { (chart.note) } }
            }
            div.plot {}
            ul.legend {
                @for (name, label, colour) in chart.series {
                    li class={ "c" (colour) } { i {} span { (label) } (figure(sample, name)) }
                }
            }
        }
    }
}

/// A figure that is kept up to date.
pub(crate) fn figure(sample: &Sample, name: &str) -> Markup {
    html! { span.live data-live=(name) { (sample.figure(name)) } }
}

/// The same, where anything but zero is a fault: it shows then.
pub(crate) fn figure_of_fault(sample: &Sample, name: &str) -> Markup {
    let text = sample.figure(name);
    html! { span.live.fault[is_fault(text)] data-live=(name) data-fault="" { (text) } }
}

fn is_fault(text: &str) -> bool {
    !matches!(text, "0" | "–")
}
