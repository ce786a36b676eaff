//! What the log keeps of who did what.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::{Duration, Instant};

use dormouse_domain::{Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never};
use dormouse_ops::{Ops, Scope};
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};
use socket2::SockRef;
use tempfile::TempDir;

use crate::bank::{deposit, start};
use crate::client::{authority, connect, open, request, send};
use crate::tokens::{ACT, READ, bearer, file};

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What all tests of this process log.
fn log() -> &'static Log {
    static LOG: OnceLock<Log> = OnceLock::new();
    LOG.get_or_init(|| {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone());
        tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
        log
    })
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_something_is_in_the_log() {
    let log = log();
    let directory = TempDir::new().unwrap();
    let ops = Ops::builder()
        .bind("127.0.0.1:0")
        .token_file(Scope::Read, file(&directory, "readers-token", READ))
        .token_file(Scope::Act, file(&directory, "audited-token", ACT))
        .start()
        .unwrap();
    let bank = start(Store::in_memory()).await;
    ops.attach(&bank);
    deposit(&bank, "audited", 10).await;
    let (act, read) = (bearer(ACT), bearer(READ));
    for token in [&act, &read] {
        let headers = [token.as_str(), "X-Dormouse-Action: 1"];
        send(
            &ops,
            "POST /api/v1/streams/account/audited/passivate",
            &headers,
            "",
        );
    }
    let text = log.text();
    let lines: Vec<_> = text
        .lines()
        .filter(|line| line.contains("account/audited/passivate"))
        .collect();
    let [done, refused] = &*lines else {
        panic!("{text}")
    };
    for part in [
        "dormouse::audit",
        "who=\"token audited-token\"",
        "address=127.0.0.1",
        "status=200",
    ] {
        assert!(done.contains(part), "{part} in {done}");
    }
    assert!(
        refused.contains("who=\"token readers-token\"") && refused.contains("status=403"),
        "{refused}"
    );
    assert!(
        !text.contains(ACT) && !text.contains(READ),
        "a token is in the log"
    );
}

const PATIENCE: Duration = Duration::from_secs(30);

/// Whoever folds an event next says so, and waits until it may go on.
static GATE: Mutex<Option<(Sender<()>, Receiver<()>)>> = Mutex::new(None);

#[derive(Default, Serialize, Deserialize)]
struct Door;

#[derive(Serialize, Deserialize, Event)]
enum Knocked {
    Once,
}

#[derive(Serialize, Deserialize, Command)]
struct Knock;

impl Aggregate for Door {
    const TYPE: &'static str = "door";
    type Event = Knocked;
    type Error = Never;

    fn apply(&mut self, _: &Knocked) {
        let gate = GATE.lock().unwrap().take();
        if let Some((entered, go_on)) = gate {
            entered.send(()).unwrap();
            go_on.recv().unwrap();
        }
    }
}

impl Handle<Knock> for Door {
    fn handle(&self, _: Knock, _: &CommandContext<'_>) -> Decided<Self, Knock> {
        Ok(Decision::event(Knocked::Once))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_does_not_wait_for_the_answer_is_in_the_log_too() {
    let (log, ops) = (log(), open());
    let runtime = Dormouse::builder(Store::in_memory()).aggregate::<Door>();
    let runtime = runtime.start().await.unwrap();
    ops.attach(&runtime);
    let door = runtime.entity::<Door>("front").unwrap();
    door.execute(Knock).await.unwrap();

    let (enter, entered) = channel();
    let (go_on, may_go_on) = channel();
    *GATE.lock().unwrap() = Some((enter, may_go_on));
    let authority = authority(&ops);
    let mut stream = connect(&authority);
    let line = "POST /api/v1/streams/door/front/snapshot";
    let asked = request(&authority, line, &["X-Dormouse-Action: 1"], "");
    stream.write_all(asked.as_bytes()).unwrap();
    entered.recv_timeout(PATIENCE).unwrap();
    // closes with a reset
    SockRef::from(&stream).set_linger(Some(Duration::ZERO)).unwrap();
    drop(stream);

    let until = Instant::now() + PATIENCE;
    let told = loop {
        let text = log.text();
        if let Some(line) = text.lines().find(|line| line.contains("door/front/snapshot")) {
            break line.to_owned();
        }
        assert!(Instant::now() < until, "nothing is told: {text}");
        std::thread::yield_now();
    };
    for part in [
        "dormouse::audit",
        "who=\"local process\"",
        "address=127.0.0.1",
        "not answered",
    ] {
        assert!(told.contains(part), "{part} in {told}");
    }
    go_on.send(()).unwrap();
    runtime.shutdown().await.unwrap();
}

#[test]
fn whoever_logs_in_is_in_the_log() {
    let log = log();
    let directory = TempDir::new().unwrap();
    let token = file(&directory, "login-token", READ);
    let builder = Ops::builder().bind("127.0.0.1:0").token_file(Scope::Read, token);
    let ops = builder.start().unwrap();
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let answer = send(&ops, "POST /login", &form, &format!("token={READ}"));
    assert_eq!(answer.status, 303);
    let text = log.text();
    let told = text.lines().find(|line| line.contains("login-token"));
    let told = told.unwrap_or_else(|| panic!("who it was is not told: {text}"));
    for part in ["who=\"token login-token\"", "what=\"/login\"", "status=303"] {
        assert!(told.contains(part), "{part} in {told}");
    }
    assert!(!text.contains(READ));
}
