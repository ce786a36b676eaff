//! Chromium without a window, and waiting for what it shows.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::{Client, ClientBuilder, Locator};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long to wait for anything before a test fails: two busy cores take their time.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(40);

const ARGUMENTS: &[&str] = &[
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// Ends with the test.
pub(crate) struct Browser {
    client: Client,
    driver: Driver,
    session: String,
    _profile: TempDir,
}

impl Browser {
    /// None, loudly, where Chromium or its driver is missing.
    pub(crate) async fn start() -> Option<Self> {
        Self::start_as(1_280, 860, 1.0).await
    }

    /// A phone's: 375 by 812 pixels.
    pub(crate) async fn start_phone() -> Option<Self> {
        Self::start_as(375, 812, 2.0).await
    }

    async fn start_as(width: u32, height: u32, pixel_ratio: f32) -> Option<Self> {
        let Some(driver) = Driver::start() else {
            eprintln!(
                "SKIPPED: no chromedriver. Install it (Debian: chromium chromium-driver) to run the browser tests."
            );
            return None;
        };
        let profile = TempDir::new().unwrap();
        let mut arguments: Vec<String> = ARGUMENTS.iter().map(|&argument| argument.into()).collect();
        arguments.push(format!("--user-data-dir={}", profile.path().display()));
        // a window is never so narrow, what is shown in it may be
        let metrics =
            json!({ "width": width, "height": height, "pixelRatio": pixel_ratio, "mobile": width < 500 });
        let emulated = json!({ "deviceMetrics": metrics });
        let options = json!({ "args": arguments, "mobileEmulation": emulated });
        let wanted = json!({ "goog:chromeOptions": options, "goog:loggingPrefs": { "browser": "ALL" } });
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(wanted.as_object().unwrap().clone())
            .connect(&format!("http://127.0.0.1:{}", driver.port))
            .await
            .expect("chromedriver starts Chromium");
        let session = client
            .session_id()
            .await
            .unwrap()
            .expect("a session was just made");
        Some(Self {
            client,
            driver,
            session,
            _profile: profile,
        })
    }

    pub(crate) async fn open(&self, url: &str) {
        self.client.goto(url).await.unwrap();
    }

    pub(crate) async fn script(&self, body: &str) -> Value {
        self.client
            .execute(body, vec![])
            .await
            .unwrap_or_else(|error| panic!("{body}: {error}"))
    }

    /// Waits until a JavaScript expression is true.
    pub(crate) async fn until(&self, condition: &str) {
        let started = Instant::now();
        let script = format!("return Boolean({condition})");
        // an error is a page on its way: what it is asked about is not there yet
        while self.client.execute(&script, vec![]).await.ok() != Some(Value::Bool(true)) {
            if started.elapsed() > DEADLINE {
                let text = self
                    .client
                    .execute("return document.body.innerText", vec![])
                    .await;
                panic!("in vain: {condition}\n{}", text.unwrap_or_default());
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// Waits until an element that is to be seen has this text.
    pub(crate) async fn until_text(&self, selector: &str, text: &str) {
        let (selector, text) = (json!(selector), json!(text));
        self.until(&format!(
            "[...document.querySelectorAll({selector})].some((one) => one.getClientRects().length && one.innerText.replaceAll('\\u00a0', ' ').includes({text}))"
        ))
        .await;
    }

    /// Waits for an element.
    async fn element(&self, locator: Locator<'_>) -> Element {
        let waiting = self.client.wait().at_most(DEADLINE);
        waiting.for_element(locator).await.unwrap()
    }

    pub(crate) async fn click(&self, selector: &str) {
        let element = self.element(Locator::Css(selector)).await;
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    pub(crate) async fn click_link(&self, text: &str) {
        let element = self.element(Locator::LinkText(text)).await;
        element
            .click()
            .await
            .unwrap_or_else(|error| panic!("{text}: {error}"));
    }

    pub(crate) async fn write(&self, selector: &str, text: &str) {
        let element = self.element(Locator::Css(selector)).await;
        element.send_keys(text).await.unwrap();
    }

    /// Presses keys where the focus is.
    pub(crate) async fn press(&self, keys: &str) {
        self.client
            .active_element()
            .await
            .unwrap()
            .send_keys(keys)
            .await
            .unwrap();
    }

    pub(crate) async fn press_key(&self, key: Key) {
        self.press(&char::from(key).to_string()).await;
    }

    /// What is to be seen, as PNG.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        self.client.screenshot().await.unwrap()
    }

    /// What the browser complained of: broken scripts, and whatever the content-security policy forbade.
    pub(crate) fn complaints(&self) -> Vec<String> {
        let path = format!("/session/{}/se/log", self.session);
        let answer = self.driver.post(&path, &json!({ "type": "browser" }));
        let entries = answer["value"].as_array().expect("a list of entries").clone();
        entries
            .iter()
            .filter(|entry| entry["level"] != "DEBUG")
            .map(|entry| format!("{} {}", entry["level"], entry["message"]))
            .collect()
    }

    /// Ends it; nothing was complained of.
    pub(crate) async fn end(self) {
        self.end_but(&[]).await;
    }

    /// Ends it; nothing was complained of but what a test did on purpose.
    pub(crate) async fn end_but(self, on_purpose: &[&str]) {
        let mut complaints = self.complaints();
        self.client.clone().close().await.unwrap();
        complaints.retain(|complaint| !on_purpose.iter().any(|purpose| complaint.contains(purpose)));
        assert!(complaints.is_empty(), "{complaints:#?}");
    }
}

/// Chromium's driver, on a port of its own choice.
struct Driver {
    process: Child,
    port: u16,
}

impl Driver {
    fn start() -> Option<Self> {
        let process = Command::new("chromedriver")
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn();
        let mut process = process.ok()?;
        let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
        let port = loop {
            let line = lines
                .next()
                .expect("chromedriver tells its port before it ends")
                .unwrap();
            if let Some(port) = line.strip_prefix("ChromeDriver was started successfully on port ") {
                break port.trim_end_matches('.').parse().unwrap();
            }
        };
        // read on, so that it is never held up
        std::thread::spawn(move || lines.for_each(drop));
        Some(Self { process, port })
    }

    /// A command that WebDriver does not define.
    fn post(&self, path: &str, body: &Value) -> Value {
        let body = body.to_string();
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).unwrap();
        write!(
            stream,
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .unwrap();
        // it keeps the connection whatever it is told, so the length says where the answer ends
        let mut answer = BufReader::new(stream);
        let mut length = 0;
        loop {
            let mut line = String::new();
            answer.read_line(&mut line).unwrap();
            match line.trim_end().split_once(':') {
                Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                    length = value.trim().parse().unwrap();
                }
                Some(_) => {}
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        answer.read_exact(&mut body).unwrap();
        serde_json::from_slice(&body).unwrap()
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
