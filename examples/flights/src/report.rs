//! The tables at the end.

use std::fmt::Write;
use std::time::Duration;

use crate::check::Comparison;
use crate::disk::SUSPICIOUSLY_FAST;
use crate::supervise::Replay;
use crate::truth::Refused;
use crate::wire::{Outcome, Reason};

/// Thousands apart: `1,658,199`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}

fn millis(duration: Duration) -> String {
    format!("{:.2} ms", duration.as_secs_f64() * 1e3)
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / (1024.0 * 1024.0))
}

/// Names on the left, values on the right.
fn table(title: &str, rows: &[(&str, String)]) -> String {
    let width = rows
        .iter()
        .map(|(name, _)| name.chars().count())
        .max()
        .unwrap_or(0);
    let mut out = format!("{title}\n");
    for (name, value) in rows {
        let _ = writeln!(out, "  {name:<width$}  {value}");
    }
    out
}

/// How fast it was, and what it took.
pub(crate) fn speed(
    replay: &Replay,
    events: u64,
    sync_time: Duration,
    store_bytes: u64,
    budget_bytes: u64,
) -> String {
    let sum = |of: fn(&crate::wire::Gauges) -> u64| {
        replay
            .workers
            .iter()
            .map(|worker| of(&worker.gauges))
            .sum::<u64>()
    };
    let most =
        |of: fn(&crate::wire::Gauges) -> u64| replay.workers.iter().map(|worker| of(&worker.gauges)).max();
    let latency = |quantile| Duration::from_micros(replay.latencies_us.value_at_quantile(quantile));
    let (commands, commits) = (replay.commands(), sum(|g| g.commits));
    let (batches, syncs) = (sum(|g| g.batches), sum(|g| g.syncs));
    let activations = sum(|g| g.activations);
    let mut rows = vec![
        (
            "commands",
            format!("{} in {:.1} s", count(commands), replay.replaying().as_secs_f64()),
        ),
        (
            "commands a second",
            format!(
                "{}, each answered after its fsync",
                count(replay.commands_per_second() as u64)
            ),
        ),
        (
            "latency",
            format!(
                "p50 {}, p99 {}, max {}",
                millis(latency(0.5)),
                millis(latency(0.99)),
                millis(Duration::from_micros(replay.latencies_us.max()))
            ),
        ),
        ("events", count(events)),
        (
            "batches",
            format!(
                "{}, {:.0} commits each on average",
                count(batches),
                ratio(commits, batches)
            ),
        ),
        (
            "fsyncs",
            format!(
                "{}, {:.4} a commit, {} each on average",
                count(syncs),
                ratio(syncs, commits),
                millis(Duration::from_micros(ratio(sum(|g| g.sync_micros), syncs) as u64))
            ),
        ),
        ("this disk", disk(sync_time)),
        (
            "activations",
            format!(
                "{}, {:.0} µs and {:.1} events read each on average",
                count(activations),
                ratio(sum(|g| g.activation_micros), activations),
                ratio(sum(|g| g.events_replayed), activations)
            ),
        ),
        ("evictions", count(sum(|g| g.evictions))),
        (
            "most resident",
            format!(
                "{} aggregates, {} of {} allowed",
                count(most(|g| g.residents_peak).unwrap_or(0)),
                mebibytes(most(|g| g.resident_bytes_peak).unwrap_or(0)),
                mebibytes(budget_bytes)
            ),
        ),
        ("command ids looked up", count(sum(|g| g.id_look_ups))),
        (
            "store on disk",
            format!(
                "{}, {:.0} bytes an event",
                mebibytes(store_bytes),
                ratio(store_bytes, events)
            ),
        ),
    ];
    if let Some(memory) = replay
        .workers
        .iter()
        .filter_map(|worker| worker.gauges.memory_peak_bytes)
        .max()
    {
        rows.push((
            "most memory",
            format!(
                "{} in the worker, with table, clients and caches",
                mebibytes(memory)
            ),
        ));
    }
    if let Some(used) = replay
        .workers
        .iter()
        .map(|worker| worker.gauges.processor_ms)
        .sum::<Option<u64>>()
    {
        rows.push(("processor time", processors(used, replay)));
    }
    table("Speed", &rows)
}

/// Near all of the cores: they are the limit, not the disk.
fn processors(used_ms: u64, replay: &Replay) -> String {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let alive_ms: u128 = replay
        .workers
        .iter()
        .map(|w| (w.starting + w.replaying).as_millis())
        .sum();
    format!(
        "{:.1} µs a command, {:.0} % of {cores} cores while a worker ran",
        ratio(used_ms * 1_000, replay.commands()),
        used_ms as f64 * 100.0 / (alive_ms as f64 * cores as f64)
    )
}

fn disk(sync_time: Duration) -> String {
    let measured = format!("appends and syncs 4 KiB in {} (median)", millis(sync_time));
    if sync_time < SUSPICIOUSLY_FAST {
        return format!("{measured}: TOO FAST to be durable; is this a RAM disk?");
    }
    measured
}

/// What the kill did.
pub(crate) fn kill(replay: &Replay) -> String {
    let [killed, second] = replay.workers.as_slice() else {
        return String::new();
    };
    let replayed = replay.outcomes.get(&Outcome::Replayed).copied().unwrap_or(0);
    table(
        "The kill",
        &[
            (
                "killed after",
                format!(
                    "{} acknowledged commands, with SIGKILL",
                    count(killed.acknowledged)
                ),
            ),
            ("store opened again in", format!("{} ms", second.gauges.opened_ms)),
            (
                "answers again after",
                format!(
                    "{:.1} s, with starting the process and reading the table",
                    second.starting.as_secs_f64()
                ),
            ),
            (
                "resent and replayed",
                format!(
                    "{}: they had taken effect, but the answer was lost; they got their first reply",
                    count(replayed)
                ),
            ),
        ],
    )
}

/// The refused commands by reason, with what the records tell about them.
pub(crate) fn refusals(replay: &Replay, refused: &Refused) -> String {
    let mut rows: Vec<(u64, String, Vec<String>)> = Vec::new();
    for (outcome, &times) in &replay.outcomes {
        let Outcome::Refused(reason) = outcome else {
            continue;
        };
        rows.push((times, format!("{reason:?}"), explanation(*reason, refused)));
    }
    rows.sort_by_key(|(times, ..)| std::cmp::Reverse(*times));
    let mut out = format!("Refused: {}\n", count(rows.iter().map(|(times, ..)| times).sum()));
    for (times, reason, explanation) in rows {
        let _ = writeln!(out, "  {:>6}  {reason}", count(times));
        for line in explanation {
            let _ = writeln!(out, "          {line}");
        }
    }
    out
}

fn explanation(reason: Reason, refused: &Refused) -> Vec<String> {
    match reason {
        Reason::StillInTheAir => vec![
            format!(
                "{} take-offs: the aircraft's flight before has no arrival in the records (diverted, or lost)",
                count(refused.after_missing_arrival)
            ),
            format!(
                "{} take-offs: the records have one tail number on two flights at once",
                count(refused.on_two_flights)
            ),
        ],
        Reason::OnTheGround => vec![format!(
            "{} landings: of the second of two flights at once, whose take-off was refused",
            count(refused.landed_already)
        )],
        _ => vec!["not expected of these records".into()],
    }
}

/// The table against the store.
pub(crate) fn comparison(comparison: &Comparison) -> String {
    let mut out = format!("{:<32} {:>12} {:>12}\n", "Counted", "in the table", "by Dormouse");
    for line in &comparison.lines {
        let verdict = if line.table == line.ours {
            "equal"
        } else {
            "DIFFERS"
        };
        let _ = writeln!(
            out,
            "  {:<30} {:>12} {:>12}  {verdict}",
            line.what,
            count(line.table),
            count(line.ours)
        );
    }
    for difference in &comparison.differences {
        let _ = writeln!(out, "  DIFFERS {difference}");
    }
    if !comparison.equal() {
        let _ = writeln!(
            out,
            "  {} differences in all",
            count(comparison.differences_count)
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_are_written_in_thousands() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (1_658_199, "1,658,199")] {
            assert_eq!(count(number), text);
        }
    }
}
