//! The metrics that docs/metrics.md has, from its tables.

use std::collections::BTreeSet;

use metrics::Unit;

/// A row of a table.
#[derive(Debug)]
pub(super) struct Documented {
    pub(super) name: String,
    /// `counter`, `gauge` or `histogram`, as the facade is told.
    pub(super) kind: &'static str,
    pub(super) unit: Unit,
    pub(super) labels: BTreeSet<String>,
}

/// Those of runtime and store: of the sections that name their files.
pub(super) fn metrics() -> Vec<Documented> {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/metrics.md")).unwrap();
    let sections = page.split("\n## ").filter(|section| {
        let heading = section.lines().next().unwrap_or_default();
        heading.contains("metric_names.rs")
    });
    let metrics: Vec<_> = sections
        .flat_map(|section| section.lines().filter_map(row))
        .collect();
    assert!(metrics.len() > 50, "{} rows were understood", metrics.len());
    metrics
}

fn row(line: &str) -> Option<Documented> {
    let columns: Vec<&str> = line.strip_prefix("| `")?.split('|').map(str::trim).collect();
    let [name, kind, labels, ..] = columns[..] else {
        panic!("a row with fewer columns: {line}");
    };
    let (kind, unit) = kind
        .split_once(", ")
        .unwrap_or_else(|| panic!("kind and unit: {line}"));
    let kind = match (kind, unit) {
        // the facade's counters are whole numbers
        ("counter", "seconds") => "gauge",
        _ => kind,
    };
    Some(Documented {
        name: name.trim_end_matches('`').into(),
        kind: ["counter", "gauge", "histogram"]
            .into_iter()
            .find(|known| *known == kind)
            .unwrap(),
        unit: match unit.split(' ').next() {
            Some("seconds") => Unit::Seconds,
            Some("bytes") => Unit::Bytes,
            _ => Unit::Count,
        },
        labels: labels
            .split(", ")
            .filter(|label| !label.is_empty())
            .map(|label| label.replace('`', ""))
            .collect(),
    })
}
