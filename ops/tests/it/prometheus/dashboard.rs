//! The queries of docs/grafana/dormouse.json, as Grafana would send them.

use serde_json::Value;

/// All of them, with the variables' values in place.
pub(crate) fn queries() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/grafana/dormouse.json");
    let dashboard: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    let mut queries = Vec::new();
    for panel in dashboard["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().into_iter().flatten() {
            assert_eq!(target["datasource"]["uid"], "${datasource}", "{panel}");
            queries.push(substituted(target["expr"].as_str().unwrap()));
        }
    }
    assert!(queries.len() > 80, "{} queries were found", queries.len());
    queries
}

fn substituted(query: &str) -> String {
    let query = query
        .replace("$__rate_interval", "30s")
        .replace("$job", ".+")
        .replace("$instance", ".+");
    assert!(!query.contains('$'), "a variable without a value: {query}");
    query
}
