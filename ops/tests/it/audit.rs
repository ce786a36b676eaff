//! What the log keeps of who did what.

use std::io::{self, Write};
use std::sync::{Arc, Mutex};

use dormouse_ops::{Ops, Scope};
use dormouse_persistence::Store;
use tempfile::TempDir;

use crate::bank::{deposit, start};
use crate::client::send;
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

#[tokio::test(flavor = "multi_thread")]
async fn whoever_changes_something_is_in_the_log() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone());
    tracing::subscriber::set_global_default(subscriber.finish()).unwrap();
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
    let text = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
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
