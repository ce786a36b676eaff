//! What runtime and store run with: each option by the name that it has in the program, and whether it was set.

use std::time::Duration;

use crate::format;
use dormouse_persistence::StoreSettings;
use dormouse_runtime::RuntimeSettings;
use maud::{Markup, html};

/// An option's value, with its unit.
#[derive(Clone, Debug, PartialEq)]
enum Value {
    Bytes(usize),
    Time(Duration),
    /// How many, of what.
    Count(usize, &'static str),
}

type Rows = Vec<(&'static str, Value)>;

pub(crate) fn of_runtime(settings: &RuntimeSettings) -> Markup {
    let (here, defaults) = (runtime(settings), runtime(&RuntimeSettings::default()));
    html! {
        section.sheet #settings {
            header { h2 { "Options of the runtime" } (legend(&here, &defaults)) }
            dl.options { (rows(&here, &defaults)) }
        }
    }
}

pub(crate) fn of_store(settings: &StoreSettings) -> Markup {
    let (here, defaults) = (store(settings), store(&StoreSettings::default()));
    html! {
        section.sheet #settings {
            header { h2 { "Options" } (legend(&here, &defaults)) }
            dl.options {
                div {
                    dt { "directory" }
                    @match &settings.directory {
                        Some(directory) => dd.long { (directory.display()) },
                        None => dd { "none: it is in memory" },
                    }
                }
                (rows(&here, &defaults))
            }
        }
    }
}

fn legend(rows: &Rows, defaults: &Rows) -> Markup {
    html! {
        span.note {
            @if rows == defaults { "all at their defaults" }
            @else { "at their defaults, but for those " span.chip { "set" } }
        }
    }
}

fn rows(rows: &Rows, defaults: &Rows) -> Markup {
    html! {
        @for ((name, value), (_, default)) in rows.iter().zip(defaults) {
            div {
                dt { (name) }
                dd {
                    @if value != default { span.chip { "set" } " " }
                    (text(value))
                    @if value != default { small.soft { " default " (text(default)) } }
                }
            }
        }
    }
}

fn text(value: &Value) -> String {
    match value {
        Value::Bytes(bytes) => bytes_as_set(*bytes),
        Value::Time(time) => time_as_set(*time),
        Value::Count(count, "") => format::count(*count as u64),
        Value::Count(count, of) => format!("{} {of}", format::count(*count as u64)),
    }
}

/// What people set is round: `64 MiB`, not `64.0 MiB`.
fn bytes_as_set(bytes: usize) -> String {
    let units = [(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    match units
        .iter()
        .find(|(unit, _)| bytes > 0 && bytes.is_multiple_of(*unit))
    {
        Some((unit, name)) => format!("{} {name}", bytes / unit),
        None => format::bytes(bytes as u64),
    }
}

/// `2 min`, `30 s`, `100 ms`.
fn time_as_set(time: Duration) -> String {
    let units = [(60_000, "min"), (1_000, "s"), (1, "ms")];
    let ms = time.as_millis();
    let is_whole = time == Duration::from_millis(ms.try_into().unwrap_or(u64::MAX));
    match units
        .iter()
        .find(|(unit, _)| is_whole && ms > 0 && ms.is_multiple_of(*unit))
    {
        Some((unit, name)) => format!("{} {name}", ms / unit),
        None => format::duration(time),
    }
}

fn runtime(settings: &RuntimeSettings) -> Rows {
    vec![
        ("arbiters", Value::Count(settings.arbiters, "threads")),
        ("readers", Value::Count(settings.readers, "threads")),
        ("mailbox", Value::Count(settings.mailbox, "commands")),
        ("in_flight_max", Value::Count(settings.in_flight_max, "commands")),
        ("memory_budget_bytes", Value::Bytes(settings.memory_budget_bytes)),
        ("passivate_after", Value::Time(settings.passivate_after)),
        (
            "snapshot_every",
            Value::Count(settings.snapshot_every as usize, "events"),
        ),
        ("recent_ids", Value::Count(settings.recent_ids, "ids")),
        ("default_deadline", Value::Time(settings.default_deadline)),
        ("shutdown_limit", Value::Time(settings.shutdown_limit)),
    ]
}

fn store(settings: &StoreSettings) -> Rows {
    vec![
        ("shard", Value::Count(settings.shard.get().into(), "")),
        ("batch_bytes_max", Value::Bytes(settings.batch_bytes_max)),
        (
            "batch_commits_max",
            Value::Count(settings.batch_commits_max, "commits"),
        ),
        ("generation_bytes", Value::Bytes(settings.generation_bytes)),
        ("tail_bytes_max", Value::Bytes(settings.tail_bytes_max)),
        ("queue_bytes_max", Value::Bytes(settings.queue_bytes_max)),
        (
            "queue_commits_max",
            Value::Count(settings.queue_commits_max, "commits"),
        ),
        ("cache_bytes", Value::Bytes(settings.cache_bytes)),
        (
            "watermark_every_ms",
            Value::Time(Duration::from_millis(settings.watermark_every_ms)),
        ),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_round_is_shown_round() {
        let shown = |value: Value| text(&value).replace('\u{a0}', " ");
        assert_eq!(shown(Value::Bytes(512 << 20)), "512 MiB");
        assert_eq!(shown(Value::Bytes(1_500)), "1.46 KiB");
        assert_eq!(shown(Value::Bytes(0)), "0 B");
        let time = |ms| shown(Value::Time(Duration::from_millis(ms)));
        assert_eq!(
            [time(120_000), time(30_000), time(1_500), time(0)],
            ["2 min", "30 s", "1500 ms", "0 ms"]
        );
        assert_eq!(shown(Value::Time(Duration::from_micros(1_500))), "1.50 ms");
        assert_eq!(shown(Value::Count(65_536, "commits")), "65,536 commits");
    }

    #[test]
    fn what_was_set_says_so_and_names_the_default() {
        let shown = |settings: &StoreSettings| of_store(settings).into_string().replace('\u{a0}', " ");
        let default = StoreSettings::default();
        assert!(!shown(&default).contains("default 128 MiB"));
        let mut set = default;
        set.cache_bytes = 64 << 20;
        set.directory = Some("/var/lib/<bank>".into());
        let shown = shown(&set);
        assert!(
            shown.contains("64 MiB<small class=\"soft\"> default 128 MiB"),
            "{shown}"
        );
        assert!(shown.contains("/var/lib/&lt;bank&gt;"), "{shown}");
    }
}
