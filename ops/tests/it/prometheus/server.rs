//! A Prometheus process, with a configuration and data of its own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use dormouse_ops::Ops;
use serde_json::Value;
use tempfile::TempDir;

use crate::client::{authority, request, send_raw};

pub(crate) const RULES: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/prometheus/rules.yml");

pub(crate) struct Prometheus {
    process: Child,
    authority: String,
    _directory: TempDir,
}

/// How an alert rule stands.
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) query: String,
    pub(crate) health: String,
    pub(crate) error: String,
    pub(crate) firing: bool,
}

impl Prometheus {
    /// Scrapes `ops` twice a second, as the job `bank`, and evaluates the alert rules as often.
    pub(crate) fn scraping(ops: &Ops) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let configuration = directory.path().join("prometheus.yml");
        let text = format!(
            "global: {{ scrape_interval: 500ms, scrape_timeout: 500ms, evaluation_interval: 500ms }}\n\
             rule_files: [ {RULES:?} ]\n\
             scrape_configs: [ {{ job_name: bank, static_configs: [ {{ targets: [ {:?} ] }} ] }} ]\n",
            authority(ops)
        );
        std::fs::write(&configuration, text).unwrap();
        let authority = free_address();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", configuration.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                directory.path().join("data").display()
            ))
            .arg(format!("--web.listen-address={authority}"))
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self {
            process,
            authority,
            _directory: directory,
        }
    }

    /// The result of an instant query: an array of series with their values. Not, while it is being started.
    pub(crate) fn query(&self, query: &str) -> Result<Value, String> {
        let form = ["Content-Type: application/x-www-form-urlencoded"];
        let body = format!("query={}", percent_encoded(query));
        let answer = self.send("POST /api/v1/query", &form, &body)?;
        Ok(answer["data"]["result"].clone())
    }

    /// All alert rules.
    pub(crate) fn rules(&self) -> Result<Vec<Rule>, String> {
        let answer = self.send("GET /api/v1/rules?type=alert", &[], "")?;
        let groups = answer["data"]["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
        let text = |rule: &Value, key: &str| rule[key].as_str().unwrap_or_default().to_owned();
        Ok(rules
            .map(|rule| Rule {
                name: text(rule, "name"),
                query: text(rule, "query"),
                health: text(rule, "health"),
                error: text(rule, "lastError"),
                firing: rule["state"] == "firing",
            })
            .collect())
    }

    fn send(&self, line: &str, headers: &[&str], body: &str) -> Result<Value, String> {
        if std::net::TcpStream::connect(&self.authority).is_err() {
            return Err("it does not listen yet".into());
        }
        let request = request(&self.authority, line, headers, body);
        let answer = send_raw(&self.authority, request.as_bytes());
        if answer.status == 200 {
            Ok(answer.json())
        } else {
            Err(answer.body)
        }
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Nobody else takes it in the moment until Prometheus does, most likely: it can't be told to choose one itself.
fn free_address() -> String {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .to_string()
}

fn percent_encoded(text: &str) -> String {
    let encode = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(encode).collect()
}
