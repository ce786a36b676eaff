//! The test kit passes where it should, and says why where it should not.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};

use dormouse_domain::testing::{given, given_state};
use dormouse_domain::{
    Aggregate, Codec, Command, CommandContext, CommandId, Decided, Decision, Event, Handle, Metadata, Never,
    Timestamp, Version, limits,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Account {
    cents: i64,
    owners: HashMap<String, u8>,
}

#[derive(Debug, PartialEq, Event)]
enum Entry {
    Opened { owners: Vec<String>, on: Timestamp },
    Deposited { cents: i64 },
    Withdrawn { cents: i64 },
    RanLow,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Overdrawn {
    short: i64,
}

impl std::fmt::Display for Overdrawn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} cents short", self.short)
    }
}

impl std::error::Error for Overdrawn {}

#[derive(Serialize, Deserialize, Command)]
struct Open {
    owners: Vec<String>,
}

#[derive(Serialize, Deserialize, Command)]
#[command(reply = i64)]
struct Withdraw {
    cents: i64,
}

/// What the handler was told.
#[derive(Serialize, Deserialize, Command)]
#[command(reply = (String, u64, bool, Option<CommandId>, usize))]
struct WhoAmI;

#[derive(Serialize, Deserialize, Command)]
struct DepositOften {
    times: usize,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Overdrawn;

    fn apply(&mut self, event: &Entry) {
        match event {
            Entry::Opened { owners, .. } => self.owners.extend(owners.iter().map(|owner| (owner.clone(), 1))),
            Entry::Deposited { cents } => self.cents += cents,
            Entry::Withdrawn { cents } => self.cents -= cents,
            Entry::RanLow => {}
        }
    }
}

impl Handle<Open> for Account {
    fn handle(&self, command: Open, ctx: &CommandContext<'_>) -> Decided<Self, Open> {
        if ctx.is_new() {
            Ok(Decision::event(Entry::Opened {
                owners: command.owners,
                on: ctx.now(),
            }))
        } else {
            Ok(Decision::none())
        }
    }
}

impl Handle<Withdraw> for Account {
    fn handle(&self, command: Withdraw, _: &CommandContext<'_>) -> Decided<Self, Withdraw> {
        let short = command.cents - self.cents;
        if short > 0 {
            return Err(Overdrawn { short });
        }
        Ok(Decision::event(Entry::Withdrawn { cents: command.cents })
            .then(|after: &Self| {
                if after.cents < 100 {
                    vec![Entry::RanLow]
                } else {
                    vec![]
                }
            })
            .reply(|after| after.cents))
    }
}

impl Handle<WhoAmI> for Account {
    fn handle(&self, _: WhoAmI, ctx: &CommandContext<'_>) -> Decided<Self, WhoAmI> {
        let headers = ctx.metadata().headers.len();
        let (id, version) = (ctx.id().to_string(), ctx.version().get());
        Ok(Decision::none().reply_with((id, version, ctx.is_new(), ctx.command_id(), headers)))
    }
}

impl Handle<DepositOften> for Account {
    fn handle(&self, command: DepositOften, _: &CommandContext<'_>) -> Decided<Self, DepositOften> {
        Ok(Decision::events(
            (0..command.times).map(|_| Entry::Deposited { cents: 1 }),
        ))
    }
}

fn account() -> [Entry; 2] {
    [
        Entry::Opened {
            owners: vec!["Ada".into(), "Bob".into()],
            on: Timestamp::EPOCH,
        },
        Entry::Deposited { cents: 800 },
    ]
}

#[track_caller]
fn message_of<T>(test: impl FnOnce() -> T) -> String {
    let panic = catch_unwind(AssertUnwindSafe(|| drop(test()))).expect_err("the test kit noticed nothing");
    match panic.downcast::<String>() {
        Ok(message) => *message,
        Err(panic) => (*panic.downcast::<&str>().expect("a panic with a message")).to_owned(),
    }
}

#[test]
fn events_reply_and_state() {
    let outcome = given(account())
        .when(Withdraw { cents: 500 })
        .then_events([Entry::Withdrawn { cents: 500 }])
        .then_reply(300)
        .then_state(Account {
            cents: 300,
            owners: [("Ada".into(), 1), ("Bob".into(), 1)].into(),
        });
    assert_eq!(outcome.state().cents, 300);
    assert_eq!(outcome.events().len(), 1);
}

#[test]
fn events_decided_on_the_state_after() {
    given::<Account>(account())
        .when(Withdraw { cents: 750 })
        .then_events([Entry::Withdrawn { cents: 750 }, Entry::RanLow])
        .then_reply(50);
}

#[test]
fn refusals() {
    given::<Account>([])
        .when(Withdraw { cents: 1 })
        .then_refused(Overdrawn { short: 1 })
        .then_refused_with(|refusal| refusal.short > 0)
        .then_state(Account::default());
}

#[test]
fn a_given_state_has_had_an_event() {
    given_state(Account::default())
        .when(Open { owners: vec![] })
        .then_no_events()
        .then_reply(());
    given_state(Account::default())
        .version(Version::NONE)
        .at(Timestamp::from_millis(5))
        .when(Open { owners: vec![] })
        .then_events([Entry::Opened {
            owners: vec![],
            on: Timestamp::from_millis(5),
        }]);
}

#[test]
fn the_handler_sees_what_was_given() {
    given::<Account>([])
        .when(WhoAmI)
        .then_reply(("test".into(), 0, true, None, 0));

    let id = CommandId::from_key("key");
    let metadata = Metadata {
        headers: vec![("a".into(), "b".into())],
        ..Metadata::default()
    };
    given::<Account>(account())
        .id("acc-1")
        .command_id(id)
        .metadata(metadata)
        .when(WhoAmI)
        .then_reply(("acc-1".into(), 2, false, Some(id), 1));
}

#[test]
fn other_events_are_shown_line_by_line() {
    let message = message_of(|| {
        given::<Account>(account())
            .when(Withdraw { cents: 750 })
            .then_events([Entry::Withdrawn { cents: 740 }, Entry::RanLow, Entry::RanLow])
    });
    assert_eq!(
        message,
        "the events are not those expected (- expected, + came):\n\
         - 0: Withdrawn { cents: 740 }\n\
         + 0: Withdrawn { cents: 750 }\n  \
           1: RanLow\n\
         - 2: RanLow\n"
    );
}

#[test]
fn another_reply_refusal_or_state_is_shown() {
    let withdrawn = || given::<Account>(account()).when(Withdraw { cents: 500 });
    assert_eq!(
        message_of(|| withdrawn().then_reply(1)),
        "the reply is not the one expected:\n- 1\n+ 300"
    );

    let refused = || given::<Account>([]).when(Withdraw { cents: 5 });
    assert_eq!(
        message_of(|| refused().then_refused(Overdrawn { short: 6 })),
        "the refusal is not the one expected:\n- Overdrawn { short: 6 }\n+ Overdrawn { short: 5 }"
    );
    assert_eq!(
        message_of(|| refused().then_refused_with(|refusal| refusal.short == 6)),
        "the refusal is not as expected: Overdrawn { short: 5 }"
    );
    assert!(
        message_of(|| refused().then_state(Account {
            cents: 9,
            ..Account::default()
        }))
        .starts_with("the state is not the one expected:\n- Account { cents: 9")
    );
}

#[test]
fn done_instead_of_refused_and_the_reverse() {
    assert_eq!(
        message_of(|| given::<Account>([]).when(Withdraw { cents: 5 }).then_no_events()),
        "expected events, but command Withdraw was refused: 5 cents short (Overdrawn { short: 5 })"
    );
    assert_eq!(
        message_of(|| given::<Account>([]).when(Withdraw { cents: 5 }).then_reply(0)),
        "expected a reply, but command Withdraw was refused: 5 cents short (Overdrawn { short: 5 })"
    );
    assert_eq!(
        message_of(|| given::<Account>(account())
            .when(Withdraw { cents: 800 })
            .then_refused_with(|_| true)),
        "expected a refusal, but command Withdraw was done, with 2 events: Withdrawn v1, RanLow v1"
    );
}

#[test]
fn too_many_events() {
    given::<Account>([])
        .when(DepositOften {
            times: limits::EVENTS_PER_COMMIT_MAX,
        })
        .then_reply(());
    assert_eq!(
        message_of(|| given::<Account>([]).when(DepositOften { times: 10_001 })),
        "the decision has 10001 events; the limit is 10000"
    );
}

#[test]
fn an_invalid_id() {
    assert_eq!(
        message_of(|| given::<Account>([]).id("")),
        "aggregate id is empty; it takes 1 to 512 bytes"
    );
}

/// An aggregate whose every part is a type parameter, to plant a mistake in one of them.
#[derive(Default, Serialize, Deserialize)]
#[serde(bound = "S: Serialize + DeserializeOwned")]
struct Planted<S, const JSON: bool = false> {
    state: S,
}

#[derive(Debug, PartialEq, Event)]
enum Happened {
    Float(f64),
    Text(String),
    Lossy(#[serde(with = "rounded")] u32),
}

/// Loses the last digit.
mod rounded {
    use serde::{Deserialize, Deserializer, Serializer};

    #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
    pub(super) fn serialize<S: Serializer>(n: &u32, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u32(n / 10)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
        u32::deserialize(deserializer).map(|n| n * 10)
    }
}

trait State: Default + Serialize + DeserializeOwned + Send + 'static {
    fn apply(&mut self) {}
}

impl<S: State, const JSON: bool> Aggregate for Planted<S, JSON> {
    const TYPE: &'static str = "planted";
    const CODEC: Codec = if JSON { Codec::Json } else { Codec::Bincode };
    type Event = Happened;
    type Error = Never;

    fn apply(&mut self, _: &Happened) {
        self.state.apply();
    }
}

#[derive(Serialize, Deserialize, Command)]
#[command(reply = Skips)]
struct Pay {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
    cents: u8,
}

#[derive(Serialize, Deserialize, Command)]
#[command(reply = String)]
struct ReplyWith {
    bytes: usize,
}

#[derive(Serialize, Deserialize, Command)]
struct Emit {
    text_bytes: usize,
}

impl<S: State, const JSON: bool> Handle<Pay> for Planted<S, JSON> {
    fn handle(&self, command: Pay, _: &CommandContext<'_>) -> Decided<Self, Pay> {
        let absent = (command.cents == 0).then_some(1);
        Ok(Decision::none().reply_with(Skips {
            first: absent,
            second: 7,
        }))
    }
}

impl<S: State, const JSON: bool> Handle<ReplyWith> for Planted<S, JSON> {
    fn handle(&self, command: ReplyWith, _: &CommandContext<'_>) -> Decided<Self, ReplyWith> {
        Ok(Decision::none().reply_with("x".repeat(command.bytes)))
    }
}

impl<S: State, const JSON: bool> Handle<Emit> for Planted<S, JSON> {
    fn handle(&self, command: Emit, _: &CommandContext<'_>) -> Decided<Self, Emit> {
        Ok(Decision::event(Happened::Text("x".repeat(command.text_bytes))))
    }
}

impl State for () {}

/// Loses its place under bincode when `first` is absent.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Skips {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    first: Option<u8>,
    second: u8,
}

impl State for Skips {}

const CAUSE: &str = "The usual cause is a serde attribute that leaves something out";

#[test]
fn a_command_that_skips_a_field_is_found() {
    let pay = |note: Option<&str>| Pay {
        note: note.map(Into::into),
        cents: 0,
    };
    given::<Planted<()>>([]).when(pay(Some("rent"))).then_no_events();
    let message = message_of(|| given::<Planted<()>>([]).when(pay(None)));
    assert!(
        message.starts_with("command Pay does not survive bincode: it can't be decoded"),
        "{message}"
    );
    assert!(message.contains(CAUSE), "{message}");
    // JSON keeps names, so it carries such a command; bincode is not used, and could not go wrong silently.
    given::<Planted<(), true>>([]).when(pay(None)).then_no_events();
}

#[test]
fn a_reply_that_skips_a_field_is_found() {
    let pay = || Pay {
        note: Some("rent".into()),
        cents: 1,
    };
    let message = message_of(|| given::<Planted<()>>([]).when(pay()));
    assert!(
        message.starts_with("the reply does not survive bincode: it can't be decoded"),
        "{message}"
    );
    given::<Planted<(), true>>([]).when(pay()).then_no_events();
}

#[test]
fn a_state_that_skips_a_field_is_found() {
    let message = message_of(|| {
        given_state(Planted::<Skips> {
            state: Skips {
                first: None,
                second: 1,
            },
        })
    });
    assert!(
        message.starts_with("the state does not survive bincode: it can't be decoded"),
        "{message}"
    );

    let message = message_of(|| given::<Planted<Skips>>([]).when(ReplyWith { bytes: 1 }));
    assert!(
        message.starts_with("the state does not survive bincode"),
        "{message}"
    );
}

#[test]
fn a_change_under_the_other_codec_is_found() {
    // 2 is read as `Some(…)`'s mark or as the first of two bytes: whatever it becomes, it must not pass silently.
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Untidy {
        #[serde(default, skip_serializing_if = "is_zero")]
        a: u8,
        #[serde(with = "only_in_json")]
        b: u8,
    }
    fn is_zero(n: &u8) -> bool {
        *n == 0
    }
    /// One more each time it is read, but only where a format is for people.
    mod only_in_json {
        use serde::{Deserialize, Deserializer, Serializer};

        #[allow(clippy::trivially_copy_pass_by_ref)] // serde's signature
        pub(super) fn serialize<S: Serializer>(n: &u8, serializer: S) -> Result<S::Ok, S::Error> {
            serializer.serialize_u8(*n)
        }

        pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u8, D::Error> {
            let more = u8::from(deserializer.is_human_readable());
            u8::deserialize(deserializer).map(|n| n + more)
        }
    }
    impl State for Untidy {}

    let message = message_of(|| {
        given_state(Planted::<Untidy> {
            state: Untidy { a: 1, b: 2 },
        })
    });
    assert_eq!(
        message,
        format!(
            "the state does not survive JSON:\n  written:               {{\"state\":{{\"a\":1,\"b\":2}}}}\n  \
             read and written again: {{\"state\":{{\"a\":1,\"b\":3}}}}\n{CAUSE}: skip, skip_serializing_if, flatten, \
             tag, untagged."
        )
    );
}

#[test]
fn an_event_that_comes_back_changed_is_found() {
    let _ = given::<Planted<()>>([Happened::Lossy(20)]);
    let message = message_of(|| given::<Planted<()>>([Happened::Lossy(21)]));
    assert!(
        message.starts_with("event Lossy(21) does not survive bincode: read back it is Lossy(20)\n"),
        "{message}"
    );
}

#[test]
fn a_value_that_only_its_own_codec_carries_is_fine() {
    // JSON has no NaN: it writes null, and refuses to read it as a float.
    let _ = given::<Planted<()>>([Happened::Float(f64::NAN)]);
    let message = message_of(|| given::<Planted<(), true>>([Happened::Float(f64::NAN)]));
    assert!(
        message.starts_with("event Float(NaN) does not survive JSON: it can't be read back"),
        "{message}"
    );
}

#[test]
fn sizes_over_their_limits_are_found() {
    given::<Planted<()>>([])
        .when(ReplyWith { bytes: 65_000 })
        .then_no_events();
    assert_eq!(
        message_of(|| given::<Planted<()>>([]).when(ReplyWith { bytes: 70_000 })),
        "the reply has 70005 bytes when encoded; the limit is 65536"
    );
    let message = message_of(|| {
        given::<Planted<()>>([]).when(Emit {
            text_bytes: 2_000_000,
        })
    });
    assert!(
        message.ends_with("its payload has 2000005 bytes when encoded; the limit is 1048576"),
        "{}",
        &message[message.len() - 200..]
    );
}

/// Counts its events in a field that snapshots leave out, so that after an activation from a snapshot it decides
/// otherwise.
#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Forgetful {
    #[serde(skip)]
    seen: u32,
    doubled: u32,
}

impl State for Forgetful {
    fn apply(&mut self) {
        self.seen += 1;
        self.doubled = self.seen * 2;
    }
}

#[test]
fn a_snapshot_that_forgets_what_apply_needs_is_found() {
    let state = || Planted::<Forgetful> {
        state: Forgetful { seen: 3, doubled: 6 },
    };
    let message = message_of(|| given_state(state()).when(Emit { text_bytes: 1 }));
    assert_eq!(
        message,
        "the state folded from the stored events is not the one that the command left, written as bincode:\n  \
         left by the command: [08]\n  folded again:        [02]\n\
         `apply` must depend on the state and the event only, and serde must not leave out what it depends on."
    );
}

#[test]
fn a_state_that_serde_skips_parts_of_is_found_by_then_state() {
    #[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
    struct Skipping {
        #[serde(skip)]
        seen: u32,
    }
    #[derive(Debug, PartialEq, Event)]
    enum Seen {
        Seen,
    }
    #[derive(Serialize, Deserialize, Command)]
    struct See;
    impl Aggregate for Skipping {
        const TYPE: &'static str = "skipping";
        type Event = Seen;
        type Error = Never;
        fn apply(&mut self, _: &Seen) {
            self.seen += 1;
        }
    }
    impl Handle<See> for Skipping {
        fn handle(&self, _: See, _: &CommandContext<'_>) -> Decided<Self, See> {
            Ok(Decision::event(Seen::Seen))
        }
    }
    let message = message_of(|| given::<Skipping>([]).when(See).then_state(Skipping { seen: 1 }));
    assert!(
        message.starts_with(
            "the state does not survive bincode:\n- Skipping { seen: 1 }\n+ Skipping { seen: 0 }\n"
        ),
        "{message}"
    );
}

#[test]
fn a_type_name_that_cannot_be_stored_is_found() {
    #[derive(Default, Serialize, Deserialize)]
    struct Nameless;
    impl Aggregate for Nameless {
        const TYPE: &'static str = "";
        type Event = Happened;
        type Error = Never;
        fn apply(&mut self, _: &Happened) {}
    }
    assert_eq!(
        message_of(|| given::<Nameless>([])),
        "Aggregate::TYPE can't be stored: aggregate type is empty; it takes 1 to 64 bytes"
    );
}
