//! Rates side by side: the limits in grey, the program in colour.

use std::fmt::Write;

use super::html::escape;
use crate::summary::Summary;
use crate::units::count;

/// What the bars are.
pub(super) const NOTE: &str = "Bars are medians, lines run from the least to the most of all runs. Grey are limits: l1 \
    writes the program's own log segments to RocksDB from one thread, l2 the same events as one row each in the same \
    synced batches, raw-put one record at a time; l0 is a bare fdatasync. Orange, if measured, is cqrs-es with PostgreSQL.";

const LIMITS: [&str; 4] = ["l0", "raw-put", "l1", "l2"];
/// What is no rate of commands.
const LEFT_OUT: [&str; 5] = ["cold", "actors", "resident", "reopen", "cqrs-cold"];

/// Whose rate it is: the class of its bar.
fn kind(name: &str) -> &'static str {
    match name {
        limit if LIMITS.contains(&limit) => "limit",
        peer if peer.starts_with("cqrs-") => "peer",
        _ => "program",
    }
}

/// All scenarios that are rates.
pub(super) fn render(summary: &Summary) -> String {
    let shown: Vec<&String> = summary
        .in_order()
        .into_iter()
        .filter(|name| !LEFT_OUT.contains(&name.as_str()))
        .collect();
    let rate = |name: &str| {
        summary.scenarios[name]
            .range
            .get("commands_per_s")
            .copied()
            .unwrap_or_default()
    };
    let most = shown.iter().map(|name| rate(name).max).fold(1.0, f64::max);
    let mut out = String::from("<div class=\"bars\">");
    let mut before = "limit";
    for name in shown {
        let kind = kind(name);
        if kind != before {
            out.push_str("<div class=\"gap\"></div>");
        }
        before = kind;
        let rate = rate(name);
        let share = |value: f64| value / most * 100.0;
        let _ = write!(
            out,
            "<div class=\"name\">{}</div><div class=\"track\"><i class=\"{}\" style=\"width:{:.2}%\"></i>\
             <u style=\"left:{:.2}%;width:{:.2}%\"></u></div><div class=\"rate\">{}</div>",
            escape(name),
            kind,
            share(rate.median),
            share(rate.min),
            share(rate.max - rate.min),
            count(rate.median)
        );
    }
    out + "</div>"
}
