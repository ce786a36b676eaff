//! The configurations of Prometheus that docs/operations.md shows, with places of the test's in them.

use std::path::Path;
use std::process::Command;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/operations.md");
pub(crate) const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/prometheus/rules.yml");
/// Often enough for a test; the page leaves Prometheus its default of a minute.
const TWICE_A_SECOND: &str =
    "global: { scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }\n";

/// Of a service on the same machine.
pub(crate) fn plain(target: &str) -> String {
    shown(0, [("127.0.0.1:7070", target)])
}

/// Of a service elsewhere, with TLS and a token.
pub(crate) fn secured(target: &str, authority: &Path, token: &Path) -> String {
    let file = |path: &Path| path.to_str().unwrap().to_owned();
    let places = [
        ("bank.example.com:7070", target),
        ("/etc/prometheus/bank-ca.pem", &file(authority)),
        ("/etc/prometheus/bank-metrics-token", &file(token)),
    ];
    shown(1, places)
}

fn shown<const N: usize>(number: usize, places: [(&str, &str); N]) -> String {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let all: Vec<_> = page.split("```yaml\n# prometheus.yml").skip(1).collect();
    assert_eq!(all.len(), 2, "configurations on the page");
    let (text, _) = all[number].split_once("```").unwrap();
    // without the rest of its first comment
    let (_, text) = text.split_once('\n').unwrap();
    let places = places.into_iter().chain([("rules.yml", RULES)]);
    places.fold(TWICE_A_SECOND.to_owned() + text, |text, (on_page, here)| {
        assert!(text.contains(on_page), "no {on_page} in {text}");
        text.replace(on_page, here)
    })
}

/// Has `promtool` look at the configuration in a file, and at the files that it names.
pub(crate) fn check(file: &Path) {
    let told = Command::new("promtool")
        .args(["check", "config"])
        .arg(file)
        .output()
        .unwrap();
    let text = [told.stdout, told.stderr].concat();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&text));
}
