//! A Prometheus process, with a configuration and data of its own.

use std::net::TcpListener;
use std::process::{Child, Command, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::configuration::check;
use crate::client::{request, send_raw};

pub(crate) struct Prometheus {
    process: Child,
    authority: String,
    _directory: TempDir,
}

/// How its only target stands.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) url: String,
    /// `up`, `down`, or `unknown` before the first scrape.
    pub(crate) health: String,
    pub(crate) error: String,
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
    /// With this configuration.
    pub(crate) fn start(configuration: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("prometheus.yml");
        std::fs::write(&file, configuration).unwrap();
        check(&file);
        let authority = free_address();
        let log = std::fs::File::create(directory.path().join("log")).unwrap();
        let process = Command::new("prometheus")
            .arg(format!("--config.file={}", file.display()))
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

    /// What it scrapes.
    pub(crate) fn target(&self) -> Result<Target, String> {
        let answer = self.send("GET /api/v1/targets", &[], "")?;
        let targets = answer["data"]["activeTargets"].as_array();
        let [target] = targets.map_or(&[][..], Vec::as_slice) else {
            return Err(answer.to_string());
        };
        Ok(Target {
            url: text(target, "scrapeUrl"),
            health: text(target, "health"),
            error: text(target, "lastError"),
        })
    }

    /// All alert rules.
    pub(crate) fn rules(&self) -> Result<Vec<Rule>, String> {
        let answer = self.send("GET /api/v1/rules?type=alert", &[], "")?;
        let groups = answer["data"]["groups"].as_array().into_iter().flatten();
        let rules = groups.flat_map(|group| group["rules"].as_array().into_iter().flatten());
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

fn text(of: &Value, key: &str) -> String {
    of[key].as_str().unwrap_or_default().to_owned()
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
