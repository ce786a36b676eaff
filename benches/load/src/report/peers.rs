//! Side by side with cqrs-es and PostgreSQL.

use std::fmt::Write;

use crate::summary::Summary;
use crate::units::{count, micros};

/// What the table is.
pub(super) const NOTE: &str = "The same deposits to cqrs-es on PostgreSQL, of whose kinds of stores each scenario has the \
    fastest. PostgreSQL is at its defaults, on the same disk, fsync on, \
    reached over a Unix socket by 10 connections; its processes share the cores as Dormouse's threads do.";

/// The scenarios that both were measured with.
const SCENARIOS: [&str; 5] = ["spread-1", "spread-64", "spread-512", "hot-64", "hot-512"];

/// The name of the same scenario on the other side.
fn of_peer(scenario: &str) -> String {
    format!("cqrs-{scenario}")
}

/// Empty unless both sides were measured.
pub(super) fn table(summary: &Summary) -> String {
    let rows: String = SCENARIOS.iter().filter_map(|name| row(summary, name)).collect();
    if rows.is_empty() {
        return rows;
    }
    format!(
        "<div class=\"wide\"><table><thead><tr><th>Scenario</th><th>Commands/s</th><th>cqrs-es</th><th>Times</th>\
         <th>p50</th><th>cqrs-es</th><th>p99</th><th>cqrs-es</th><th>p99.9</th><th style=\"text-align:right\">cqrs-es</th>\
         </tr></thead><tbody>{rows}</tbody></table></div>"
    )
}

fn row(summary: &Summary, name: &str) -> Option<String> {
    let times = summary.median(name, "ratio_cqrs")?;
    let mut row = format!("<tr><th>{name}</th>");
    for (figure, show) in [
        ("commands_per_s", count as fn(f64) -> String),
        ("p50_us", micros),
        ("p99_us", micros),
        ("p999_us", micros),
    ] {
        let ours = show(summary.median(name, figure)?);
        let theirs = show(summary.median(&of_peer(name), figure)?);
        let _ = write!(row, "<td>{ours}</td><td>{theirs}</td>");
        if figure == "commands_per_s" {
            let _ = write!(row, "<td><b>{} ×</b></td>", count(times));
        }
    }
    Some(row + "</tr>")
}
