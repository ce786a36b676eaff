//! The table on the terminal.

use std::fmt::Write;

use crate::goals;
use crate::summary::{Scenario, Summary};
use crate::units::{count, micros};

/// Everything for the terminal.
pub(crate) fn render(summary: &Summary) -> String {
    let mut out = format!(
        "\n  {:<15} {:>11} {:>23} {:>9} {:>9} {:>9} {:>8} {:>7}  ratios\n",
        "", "commands/s", "least to most", "p50", "p99", "p99.9", "fsyncs", "others"
    );
    for name in summary.in_order() {
        let scenario = &summary.scenarios[name];
        let figure = |name: &str| scenario.medians.get(name).copied();
        let rate = scenario.range.get("commands_per_s").copied().unwrap_or_default();
        let _ = writeln!(
            out,
            "  {name:<15} {:>11} {:>23} {:>9} {:>9} {:>9} {:>8} {:>7}  {}",
            count(rate.median),
            format!("{} to {}", count(rate.min), count(rate.max)),
            micros(figure("p50_us").unwrap_or_default()),
            micros(figure("p99_us").unwrap_or_default()),
            micros(figure("p999_us").unwrap_or_default()),
            figure("fsyncs_per_command").map_or_else(String::new, |syncs| format!("{syncs:.4}")),
            figure("others_cores").map_or_else(String::new, |cores| format!("{cores:.2}")),
            ratios(scenario)
        );
    }
    out.push_str("\n  fsyncs: synced writes a command. others: cores that other programs kept busy meanwhile; above a few \
         hundredths,\n  figures are too low, those of single threads (the limits) most. Ratios are medians of the runs' own.\n\n");
    for reached in goals::judge(summary) {
        let mark = if reached.is_met { "yes" } else { "no " };
        let _ = writeln!(
            out,
            "  {mark}  {:<46} {:>10}   {}",
            reached.goal.what,
            reached.value(),
            reached.goal.wanted()
        );
    }
    out
}

fn ratios(scenario: &Scenario) -> String {
    let shown = scenario
        .medians
        .iter()
        .filter(|(name, _)| name.starts_with("ratio_"));
    let shown: Vec<String> = shown
        .map(|(name, value)| format!("{} {value:.2}", &name["ratio_".len()..]))
        .collect();
    shown.join(", ")
}
