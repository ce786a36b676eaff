//! The page with the plots: one file that needs nothing else, to be kept beside the figures or sent to somebody.

mod bars;
mod chart;
mod html;
mod peers;
mod picture;
mod plots;

use std::fmt::Write;

use self::html::{escape, section};
pub(crate) use self::picture::picture;
use crate::goals::{self, Reached};
use crate::noise;
use crate::outcome::Round;
use crate::summary::{Scenario, Summary};
use crate::units::{count, micros};

/// The whole page.
pub(crate) fn page(summary: &Summary, rounds: &[Round]) -> String {
    let mut body = header(summary);
    body += &noise(summary);
    body += &section("Durable commands a second", bars::NOTE, &bars::render(summary));
    let reached = goals::judge(summary);
    if !reached.is_empty() {
        body += &section("Against its goals", GOALS_NOTE, &goals_table(&reached));
    }
    let peers = peers::table(summary);
    if !peers.is_empty() {
        body += &section("Beside cqrs-es and PostgreSQL", peers::NOTE, &peers);
    }
    let plots = plots::all(rounds);
    if !plots.is_empty() {
        body += &section(
            "Plots",
            PLOTS_NOTE,
            &format!("<div class=\"plots\">{plots}</div>"),
        );
    }
    body += &section("All figures", FIGURES_NOTE, &figures_table(summary));
    html::document("Dormouse under load", &body)
}

const GOALS_NOTE: &str = "Shares of limits that were measured in the same round, so that the machine's moods cancel out; \
    medians over the runs.";
const PLOTS_NOTE: &str = "Of the run whose rate is the median of its scenario's.";
const FIGURES_NOTE: &str = "Medians over the runs; below the rate, the least and the most. Fsyncs are synced writes for \
    each acknowledged command. Others: cores that other programs kept busy meanwhile.";

fn header(summary: &Summary) -> String {
    let about = &summary.about;
    let machine = &about.machine;
    let facts = [
        (
            "Measured",
            format!("{}, {} run", &about.date[..about.date.len().min(10)], about.size),
        ),
        (
            "Machine",
            format!(
                "{}, {} cores, {:.0} GiB",
                machine.processor,
                machine.cores,
                machine.memory_mib as f64 / 1_024.0
            ),
        ),
        (
            "System",
            format!("Linux {}, {}", machine.kernel, machine.file_system),
        ),
        ("Durability", about.durability.clone()),
        ("Clients", about.generator.clone()),
        ("Settings", about.settings.clone()),
    ];
    let mut out = String::from(
        "<header><h1>Dormouse under load</h1><p>What it makes of this machine, beside what the machine can do at \
         all, measured in turn.</p></header><dl class=\"facts\">",
    );
    for (name, fact) in facts {
        let _ = write!(out, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&fact));
    }
    out + "</dl>"
}

/// Says so when the figures are worth little.
fn noise(summary: &Summary) -> String {
    let Some(warning) = noise::warning(summary) else {
        return String::new();
    };
    format!(
        "<p class=\"noise\"><b>{}.</b> Every rate is too low, and the limits, which are single threads, suffer more than \
         the program.</p>",
        escape(&warning)
    )
}

fn goals_table(reached: &[Reached]) -> String {
    let mut out = String::from("<table class=\"goals\"><tbody>");
    for reached in reached {
        let (class, word) = if reached.is_met {
            ("met", "met")
        } else {
            ("missed", "missed")
        };
        let _ = write!(
            out,
            "<tr><td>{}</td><td class=\"bullet\"><i class=\"{class}\" style=\"width:{:.1}%\"></i></td>\
             <td class=\"number\">{}</td><td class=\"wanted\">{}</td><td><b class=\"{class}\">{word}</b></td></tr>",
            escape(reached.goal.what),
            reached.goal.share(reached.figure) * 100.0,
            reached.value(),
            reached.goal.wanted()
        );
    }
    out + "</tbody></table>"
}

fn figures_table(summary: &Summary) -> String {
    let mut out = String::from(
        "<div class=\"wide\"><table><thead><tr><th>Scenario</th><th>Runs</th><th>Commands/s</th><th>p50</th><th>p99</th>\
         <th>p99.9</th><th>Fsyncs</th><th>Commits a batch</th><th>Cores</th><th>Others</th><th>More</th></tr></thead><tbody>",
    );
    for name in summary.in_order() {
        out += &figures_row(name, &summary.scenarios[name]);
    }
    out + "</tbody></table></div>"
}

fn figures_row(name: &str, scenario: &Scenario) -> String {
    let figure = |name: &str| scenario.medians.get(name).copied();
    let digits = |name: &str, digits: usize| {
        figure(name).map_or_else(String::new, |value| format!("{value:.digits$}"))
    };
    let rate = scenario.range.get("commands_per_s").copied().unwrap_or_default();
    let latency = |name: &str| micros(figure(name).unwrap_or_default());
    format!(
        "<tr><th>{}</th><td>{}</td><td>{}<small>{} to {}</small></td><td>{}</td><td>{}</td><td>{}</td><td>{}</td>\
         <td>{}</td><td>{}</td><td>{}</td><td class=\"more\">{}</td></tr>",
        escape(name),
        scenario.runs,
        count(rate.median),
        count(rate.min),
        count(rate.max),
        latency("p50_us"),
        latency("p99_us"),
        latency("p999_us"),
        digits("fsyncs_per_command", 4),
        digits("batch_commits", 1),
        digits("cores_used", 2),
        digits("others_cores", 2),
        more(scenario)
    )
}

/// What has no column of its own.
fn more(scenario: &Scenario) -> String {
    const SHOWN: [&str; 14] = [
        "conflicts_per_command",
        "server_cores",
        "activations_per_s",
        "raw_seeks_per_s",
        "bytes_per_resident",
        "written_bytes_per_event",
        "disk_bytes_per_event",
        "write_amplification",
        "drain_s",
        "room_wait_s",
        "activation_us",
        "activations_per_command",
        "resident_mib",
        "reopen_s",
    ];
    let wanted = |name: &str| {
        name.starts_with("ratio_")
            || name.starts_with("events_")
            || name.starts_with("command_")
            || SHOWN.contains(&name)
    };
    let shown: Vec<String> = scenario
        .medians
        .iter()
        .filter(|(name, _)| wanted(name))
        .map(|(name, value)| {
            let digits = if value.abs() < 100.0 { 2 } else { 0 };
            format!(
                "<span>{} <b>{value:.digits$}</b></span>",
                escape(&name.replace('_', " "))
            )
        })
        .collect();
    shown.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arguments::Arguments;
    use crate::latency::Latencies;
    use crate::machine::Machine;
    use crate::outcome::{Outcome, Sample};
    use crate::summary::About;
    use clap::Parser;
    use std::time::Duration;

    #[test]
    fn the_page_needs_nothing_else_and_has_every_plot() {
        let latencies = Latencies::new();
        (1..1_000).for_each(|n| latencies.record(0, Duration::from_micros(n)));
        let mut outcome = Outcome::of(512, 1_000, 1.0, latencies.merged());
        outcome.samples = (1..10)
            .map(|n| Sample {
                at_s: f64::from(n),
                commands_per_s: 1_000.0,
                ..Sample::default()
            })
            .collect();
        outcome.set("others_cores", 1.5);
        let rounds = [Round::from([("spread-512".to_owned(), outcome)])];
        let arguments = Arguments::try_parse_from(["load"]).unwrap();
        let about = About::new(&arguments, Machine::look(".".as_ref()));
        let page = page(&Summary::new(about, &rounds), &rounds);
        for wanted in [
            "<!doctype html>",
            "<svg",
            "spread-512",
            "Latency by percentile",
            "NOISY: other programs kept more than 0.35 cores busy during spread-512 (1.50); throw the run away",
        ] {
            assert!(page.contains(wanted), "{wanted}");
        }
        for foreign in ["http://", "https://", "src=", "@import"] {
            let stray = page.replace("http://www.w3.org/2000/svg", "");
            assert!(!stray.contains(foreign), "{foreign}");
        }
    }
}
