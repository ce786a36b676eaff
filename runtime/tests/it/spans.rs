//! The spans of a command, as a subscriber sees them.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::sync::{Arc, Mutex};

use dormouse_domain::{Bound, CommandId, NotDone};
use dormouse_persistence::MemoryDisk;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;

use crate::bank::{Deposit, Panic, Where, Withdraw, account, bank, bank_on, bank_with, not_done, until};

/// A span that has ended, or an event, which has no id of its own.
#[derive(Clone, Debug, Default)]
pub(crate) struct Seen {
    pub name: String,
    pub id: u64,
    pub parent: Option<u64>,
    pub fields: BTreeMap<String, String>,
}

impl Seen {
    fn field(&self, name: &str) -> Option<&str> {
        self.fields.get(name).map(String::as_str)
    }

    /// Whether an event says this.
    pub(crate) fn is(&self, message: &str) -> bool {
        self.field("message") == Some(message)
    }
}

impl Visit for Seen {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.fields.insert(field.name().into(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.fields.insert(field.name().into(), value.into());
    }
}

/// Keeps everything.
#[derive(Clone, Default)]
pub(crate) struct Recorder {
    pub ended: Arc<Mutex<Vec<Seen>>>,
    pub events: Arc<Mutex<Vec<Seen>>>,
}

impl<S: Subscriber + for<'s> LookupSpan<'s>> Layer<S> for Recorder {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        let mut seen = Seen {
            name: span.name().into(),
            id: id.into_u64(),
            parent: span.parent().map(|parent| parent.id().into_u64()),
            fields: BTreeMap::new(),
        };
        attributes.record(&mut seen);
        span.extensions_mut().insert(seen);
    }

    fn on_record(&self, id: &Id, values: &Record<'_>, context: Context<'_, S>) {
        let span = context.span(id).unwrap();
        values.record(span.extensions_mut().get_mut::<Seen>().unwrap());
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut seen = Seen {
            name: event.metadata().name().into(),
            parent: context.event_span(event).map(|span| span.id().into_u64()),
            ..Seen::default()
        };
        event.record(&mut seen);
        self.events.lock().unwrap().push(seen);
    }

    fn on_close(&self, id: Id, context: Context<'_, S>) {
        let seen = context.span(&id).unwrap().extensions_mut().remove::<Seen>();
        self.ended.lock().unwrap().push(seen.unwrap());
    }
}

impl Recorder {
    /// The only command that has ended, with its parts in the order in which they ended.
    fn command(&self) -> (Seen, Vec<String>) {
        let mut ended = self.ended.lock().unwrap();
        let commands: Vec<_> = ended.iter().filter(|span| span.name == "command").collect();
        assert_eq!(commands.len(), 1, "{ended:#?}");
        let command = commands[0].clone();
        let is_part = |span: &mut Seen| span.parent == Some(command.id);
        let parts = ended.extract_if(.., is_part).map(|span| span.name).collect();
        ended.retain(|span| span.id != command.id);
        (command, parts)
    }
}

pub(crate) fn recorded(level: LevelFilter) -> (Recorder, tracing::subscriber::DefaultGuard) {
    let recorder = Recorder::default();
    let subscriber = tracing_subscriber::registry().with(recorder.clone().with_filter(level));
    (recorder, tracing::subscriber::set_default(subscriber))
}

#[tokio::test]
async fn a_command_has_a_span_with_its_parts_and_how_it_ended() {
    let (recorder, _guard) = recorded(LevelFilter::DEBUG);
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    let id = CommandId::now();

    account.execute(Deposit { cents: 700 }).id(id).await.unwrap();
    let (deposit, parts) = recorder.command();
    assert_eq!(parts, ["queue", "decide", "commit"]);
    let id_text = id.to_string();
    for (name, value) in [
        ("aggregate.type", "account"),
        ("aggregate.id", "acc-1"),
        ("command.type", "Deposit"),
        ("command.id", id_text.as_str()),
        ("outcome", "done"),
        ("version", "1"),
        ("position", "1"),
    ] {
        assert_eq!(deposit.field(name), Some(value), "{name} of {deposit:?}");
    }

    account.execute(Deposit { cents: 700 }).id(id).await.unwrap();
    let (replayed, parts) = recorder.command();
    assert_eq!(
        (replayed.field("outcome"), replayed.field("version")),
        (Some("replayed"), Some("1"))
    );
    assert_eq!(parts, ["queue", "replay"]);

    account.execute(Withdraw { cents: 900 }).await.unwrap_err();
    let (refused, parts) = recorder.command();
    assert_eq!(
        (refused.field("outcome"), refused.field("version")),
        (Some("refused"), None)
    );
    assert_eq!(parts, ["queue", "decide"]);

    let place = Where::Handle;
    account.execute(Panic { place }).await.unwrap_err();
    let (panicked, _) = recorder.command();
    assert_eq!(
        (panicked.field("outcome"), panicked.field("reason")),
        (Some("not_done"), Some("panicked"))
    );
    assert_eq!(panicked.field("otel.status_code"), Some("ERROR"));
}

#[tokio::test]
async fn reading_the_aggregate_is_part_of_waiting_for_it() {
    let disk = MemoryDisk::new();
    let bank = bank_on(&disk).await;
    let account = account(&bank, "acc-1");
    for _ in 0..3 {
        account.execute(Deposit { cents: 1 }).await.unwrap();
    }
    assert_eq!(
        bank.admin().passivate(&stream("acc-1")).await.unwrap(),
        dormouse_runtime::admin::Passivated::Done
    );
    let (recorder, _guard) = recorded(LevelFilter::DEBUG);
    account.execute(Deposit { cents: 1 }).await.unwrap();
    let ended = recorder.ended.lock().unwrap().clone();
    let named = |name: &str| ended.iter().find(|span| span.name == name).unwrap();
    assert_eq!(named("activation").parent, Some(named("queue").id));
    assert_eq!(named("activation").field("events"), Some("3"));
}

fn stream(id: &str) -> dormouse_domain::StreamId {
    dormouse_domain::StreamId::new(
        dormouse_domain::AggregateType::from_static("account"),
        id.try_into().unwrap(),
    )
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_turned_away_or_goes_away_is_told_of_truly() {
    let disk = MemoryDisk::new();
    let bank = bank_with(&disk, |builder| builder.mailbox(1)).await;
    let account = account(&bank, "acc-1");
    account.execute(Deposit { cents: 1 }).await.unwrap();
    let (recorder, _guard) = recorded(LevelFilter::DEBUG);
    let held = disk.hold_appends();
    let mut waits = std::pin::pin!(account.execute(Deposit { cents: 1 }).into_future());
    let mut here = std::task::Context::from_waker(std::task::Waker::noop());
    assert!(waits.as_mut().poll(&mut here).is_pending());
    until("it is decided", || bank.statistics().committed == 2).await;

    let reason = not_done(account.execute(Deposit { cents: 1 }).await);
    assert!(
        matches!(
            reason,
            NotDone::Overloaded {
                bound: Bound::Mailbox,
                ..
            }
        ),
        "{reason}"
    );
    let (overloaded, parts) = recorder.command();
    assert_eq!(
        (overloaded.field("outcome"), overloaded.field("reason")),
        (Some("not_done"), Some("overloaded"))
    );
    assert_eq!(parts, ["queue"]);

    drop(held);
    waits.await.unwrap();
    let (done, parts) = recorder.command();
    assert_eq!(
        (done.field("outcome"), done.field("position")),
        (Some("done"), Some("2"))
    );
    assert_eq!(parts, ["queue", "decide", "commit"]);
}

/// The span around the sender is the parent; what a subscriber does not want is not made.
#[tokio::test]
async fn it_is_a_child_of_the_span_that_it_is_sent_in_and_there_only_if_wanted() {
    let bank = bank().await;
    let account = account(&bank, "acc-1");
    let (recorder, _guard) = recorded(LevelFilter::DEBUG);
    let request = tracing::info_span!("request");
    let request_id = request.id().unwrap().into_u64();
    tracing::Instrument::instrument(
        async { account.execute(Deposit { cents: 1 }).await.unwrap() },
        request,
    )
    .await;
    assert_eq!(recorder.command().0.parent, Some(request_id));
    drop(_guard);

    let (recorder, _guard) = recorded(LevelFilter::INFO);
    account.execute(Deposit { cents: 1 }).await.unwrap();
    assert_eq!(recorder.ended.lock().unwrap().len(), 0);
}
