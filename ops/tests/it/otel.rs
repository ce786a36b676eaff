//! What a collector gets: the spans of commands, with the right parents, from one service to the next.

mod collector;
mod processes;
mod sampling;

use std::net::TcpListener;
use std::ops::ControlFlow;

use dormouse_domain::{
    Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never, Offset, TraceContext,
};
use dormouse_ops::otel::{self, Propagation, Sending, Traces};
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

use self::collector::{Collector, only};

#[derive(Default, Serialize, Deserialize)]
struct Account {
    cents: i64,
}

#[derive(Event)]
enum Entry {
    Deposited { cents: i64 },
}

#[derive(Serialize, Deserialize, Command)]
#[command(reply = i64)]
struct Deposit {
    cents: i64,
}

impl Aggregate for Account {
    const TYPE: &'static str = "account";
    type Event = Entry;
    type Error = Never;
    fn apply(&mut self, Entry::Deposited { cents }: &Entry) {
        self.cents += cents;
    }
}

impl Handle<Deposit> for Account {
    fn handle(&self, c: Deposit, _: &CommandContext<'_>) -> Decided<Self, Deposit> {
        let _span = tracing::info_span!("count the coins").entered();
        Ok(Decision::event(Entry::Deposited { cents: c.cents }).reply(|after| after.cents))
    }
}

async fn service(store: Store) -> Dormouse {
    let builder = Dormouse::builder(store)
        .aggregate::<Account>()
        .traces(Propagation);
    builder.start().await.unwrap()
}

fn started(service: &str, collector: &Collector) -> Sending {
    Traces::of(service).to(&collector.url).start().unwrap()
}

/// A caller elsewhere → a command → its event → a follower of the log, in another service → its command.
#[tokio::test]
async fn one_trace_from_a_caller_over_an_event_to_the_command_of_who_follows() {
    let collector = Collector::start();
    let (bank, receipts) = (started("bank", &collector), started("receipts", &collector));
    let caller: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
        .parse()
        .unwrap();
    let store = Store::in_memory();

    let of_event = {
        let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(bank.layer()));
        let runtime = service(store.clone()).await;
        let account = runtime.entity::<Account>("acc-1").unwrap();
        let sent = account.execute(Deposit { cents: 5 }).trace(caller.clone());
        sent.await.unwrap();
        let mut traces = Vec::new();
        store
            .read_log(Offset::new(1), &mut |commit| {
                traces.push(commit.metadata().unwrap().trace.unwrap());
                ControlFlow::Continue(())
            })
            .unwrap();
        assert_eq!(traces.len(), 1);
        runtime.shutdown().await.unwrap();
        traces.remove(0)
    };
    {
        let _there = tracing::subscriber::set_default(tracing_subscriber::registry().with(receipts.layer()));
        let runtime = service(Store::in_memory()).await;
        let account = runtime.entity::<Account>("receipt-1").unwrap();
        let span = tracing::info_span!("send a receipt");
        otel::continue_from(&span, &of_event);
        async { account.execute(Deposit { cents: 1 }).await.unwrap() }
            .instrument(span)
            .await;
        runtime.shutdown().await.unwrap();
    }
    bank.stop().unwrap();
    receipts.stop().unwrap();

    let spans = collector.spans();
    let id = |context: &TraceContext| context.span_id.to_be_bytes().to_vec();
    for span in &spans {
        assert_eq!(span.trace, caller.trace_id.to_be_bytes(), "{span:?}");
    }
    let first = only(&spans, "bank", "Deposit");
    assert_eq!(first.parent, id(&caller));
    assert_eq!(first.id, id(&of_event));
    for (key, value) in [
        ("aggregate.type", "account"),
        ("aggregate.id", "acc-1"),
        ("command.type", "Deposit"),
        ("outcome", "done"),
        ("version", "1"),
        ("position", "1"),
    ] {
        assert_eq!(first.attribute(key).as_deref(), Some(value), "{key}");
    }
    for part in ["queue", "decide", "commit"] {
        assert_eq!(only(&spans, "bank", part).parent, first.id, "{part}");
    }
    let counting = only(&spans, "bank", "count the coins");
    assert_eq!(counting.parent, only(&spans, "bank", "decide").id);
    let activation = only(&spans, "bank", "activation");
    assert_eq!(activation.parent, only(&spans, "bank", "queue").id);

    let receipt = only(&spans, "receipts", "send a receipt");
    assert_eq!(receipt.parent, id(&of_event));
    assert_eq!(only(&spans, "receipts", "Deposit").parent, receipt.id);
}

/// Nobody waits for a collector that is away.
#[tokio::test]
async fn a_collector_that_is_away_costs_nobody_an_answer() {
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let sending = Traces::of("bank")
        .to(format!("http://{closed}/"))
        .start()
        .unwrap();
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(sending.layer()));
    let runtime = service(Store::in_memory()).await;
    let account = runtime.entity::<Account>("acc-1").unwrap();
    for cents in 1..=50 {
        account.execute(Deposit { cents }).await.unwrap();
    }
    assert_eq!(account.query(|state| state.cents).await, Ok(50 * 51 / 2));
    runtime.shutdown().await.unwrap();
    sending.stop().unwrap();
}
