//! What is in commands, events, states, replies, errors, headers and panics never gets into a log line or a span, whatever
//! level is asked for.

use dormouse_domain::{Aggregate, Codec, Command, CommandContext, Decided, Decision, Event, Handle};
use dormouse_persistence::{MemoryDisk, Store, StoreOptions};
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::SubscriberExt;

use crate::bank::until;
use crate::spans::Recorder;

const SECRET: &str = "tr0ub4dor&3";

#[derive(Debug, Clone, Default, Deserialize)]
struct Vault {
    secret: String,
    fails: bool,
}

/// As a type of a user's may: its error says what it can't serialize.
impl Serialize for Vault {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.fails {
            return Err(serde::ser::Error::custom(format!(
                "can't serialize {}",
                self.secret
            )));
        }
        (&self.secret, self.fails).serialize(serializer)
    }
}

#[derive(Debug, Clone, PartialEq, Event)]
enum Put {
    Stored { secret: String },
    Failing,
    Cursed { secret: String },
}

#[derive(Debug, Clone, thiserror::Error, Serialize, Deserialize)]
#[error("{secret} is not the secret")]
struct Wrong {
    secret: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
enum Then {
    Reply,
    Refuse,
    Panic,
    PanicInApply,
    FailToSerialize,
}

#[derive(Debug, Clone, Serialize, Deserialize, Command)]
#[command(reply = String)]
struct Store1 {
    secret: String,
    then: Then,
}

impl Aggregate for Vault {
    const TYPE: &'static str = "vault";
    const CODEC: Codec = Codec::Json;
    type Event = Put;
    type Error = Wrong;

    fn apply(&mut self, event: &Put) {
        match event {
            Put::Stored { secret } => self.secret.clone_from(secret),
            Put::Failing => self.fails = true,
            Put::Cursed { secret } => panic!("a curse on {secret}"),
        }
    }
}

impl Handle<Store1> for Vault {
    fn handle(&self, c: Store1, _: &CommandContext<'_>) -> Decided<Self, Store1> {
        match c.then {
            Then::Reply => {
                Ok(Decision::event(Put::Stored { secret: c.secret }).reply(|after| after.secret.clone()))
            }
            Then::Refuse => Err(Wrong { secret: c.secret }),
            Then::Panic => panic!("what to do with {}?", c.secret),
            Then::PanicInApply => Ok(Decision::event(Put::Cursed {
                secret: c.secret.clone(),
            })
            .reply_with(c.secret)),
            Then::FailToSerialize => Ok(Decision::event(Put::Failing).reply_with(c.secret)),
        }
    }
}

/// The same stream, read by a program that thinks that secrets are numbers.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Misread {
    sum: u64,
}

#[derive(Debug, Event)]
enum PutNumber {
    Stored { secret: u64 },
}

#[derive(Debug, Serialize, Deserialize, Command)]
struct Touch;

impl Aggregate for Misread {
    const TYPE: &'static str = "vault";
    const CODEC: Codec = Codec::Json;
    type Event = PutNumber;
    type Error = Wrong;

    fn apply(&mut self, PutNumber::Stored { secret }: &PutNumber) {
        self.sum += secret;
    }
}

impl Handle<Touch> for Misread {
    fn handle(&self, _: Touch, _: &CommandContext<'_>) -> Decided<Self, Touch> {
        Ok(Decision::none())
    }
}

#[tokio::test]
async fn no_payload_reaches_a_log_line_or_a_span() {
    let recorder = Recorder::default();
    // For the runtime's threads, too.
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(recorder.clone())).unwrap();
    let disk = MemoryDisk::new();
    let on_disk = || Store::on_memory(&disk, StoreOptions::default()).unwrap();
    let runtime = Dormouse::builder(on_disk())
        .aggregate::<Vault>()
        .snapshot_every(1)
        .start()
        .await
        .unwrap();
    let vault = runtime.entity::<Vault>("v-1").unwrap();
    for then in [
        Then::Reply,
        Then::Refuse,
        Then::Panic,
        Then::PanicInApply,
        Then::FailToSerialize,
        Then::Reply,
    ] {
        let secret = SECRET.to_string();
        let sent = vault.execute(Store1 { secret, then }).header("token", SECRET);
        let _ = sent.await;
    }
    until("a snapshot is written", || {
        runtime.statistics().snapshots_written > 0
    })
    .await;
    runtime.shutdown().await.unwrap();

    let runtime = Dormouse::builder(on_disk())
        .aggregate::<Misread>()
        .start()
        .await
        .unwrap();
    let misread = runtime.entity::<Misread>("v-1").unwrap();
    let told = misread.execute(Touch).await.unwrap_err().to_string();
    assert!(told.contains(SECRET), "the caller is told why: {told}");
    runtime.shutdown().await.unwrap();

    let lines: Vec<_> = recorder.events.lock().unwrap().drain(..).collect();
    let spans: Vec<_> = recorder.ended.lock().unwrap().drain(..).collect();
    assert!(spans.iter().any(|span| span.name == "decide"));
    for expected in [
        "is reloaded",
        "can't be woken",
        "snapshot can't be used",
        "as a snapshot",
        "shut down",
        "store is open",
    ] {
        assert!(
            lines.iter().any(|line| format!("{line:?}").contains(expected)),
            "{expected}: {lines:#?}"
        );
    }
    for seen in lines.iter().chain(&spans) {
        assert!(!format!("{seen:?}").contains(SECRET), "{seen:?}");
    }
}
