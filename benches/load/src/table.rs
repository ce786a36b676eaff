//! The table on the terminal.

use std::fmt::Write;

use crate::goals;
use crate::summary::Summary;

/// The order in which scenarios are shown; what is not named here comes last.
pub(crate) const ORDER: [&str; 30] = [
    "l0",
    "raw-put",
    "l1",
    "l2",
    "spread-1",
    "spread-64",
    "spread-512",
    "hot-64",
    "hot-512",
    "ids-512",
    "ids-hot-64",
    "open",
    "metrics-off",
    "mixed",
    "large",
    "tail",
    "zipf",
    "cold",
    "actors",
    "resident",
    "embedded",
    "flights",
    "grow",
    "reopen",
    "cqrs-spread-1",
    "cqrs-spread-64",
    "cqrs-spread-512",
    "cqrs-hot-64",
    "cqrs-hot-512",
    "cqrs-cold",
];

/// Scenario names in the order of the table.
pub(crate) fn in_order(summary: &Summary) -> Vec<&String> {
    let place = |name: &String| {
        ORDER
            .iter()
            .position(|known| known == name)
            .unwrap_or(ORDER.len())
    };
    let mut names: Vec<&String> = summary.scenarios.keys().collect();
    names.sort_by_key(|name| (place(name), (*name).clone()));
    names
}

/// Everything for the terminal.
pub(crate) fn render(summary: &Summary) -> String {
    let mut out = format!(
        "\n  {:<15} {:>11} {:>23} {:>9} {:>9} {:>9} {:>8} {:>7}  ratios\n",
        "", "commands/s", "least to most", "p50", "p99", "p99.9", "fsyncs", "others"
    );
    for name in in_order(summary) {
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

fn ratios(scenario: &crate::summary::Scenario) -> String {
    let shown = scenario
        .medians
        .iter()
        .filter(|(name, _)| name.starts_with("ratio_"));
    let shown: Vec<String> = shown
        .map(|(name, value)| format!("{} {value:.2}", &name["ratio_".len()..]))
        .collect();
    shown.join(", ")
}

/// Thousands apart: `1,658,199`.
pub(crate) fn count(number: f64) -> String {
    let digits = format!("{number:.0}");
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// In the unit that reads best.
pub(crate) fn micros(micros: f64) -> String {
    match micros {
        us if us <= 0.0 => String::new(),
        us if us < 100.0 => format!("{us:.1} µs"),
        us if us < 1e3 => format!("{us:.0} µs"),
        us if us < 1e5 => format!("{:.2} ms", us / 1e3),
        us if us < 1e6 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(count(0.4), "0");
        assert_eq!(count(1_658_198.7), "1,658,199");
        assert_eq!(micros(93.71), "93.7 µs");
        assert_eq!(micros(1_234.0), "1.23 ms");
        assert_eq!(micros(2_500_000.0), "2.50 s");
    }
}
