//! What a collector gets: the spans of commands, with the right parents, from one service to the next.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::ops::ControlFlow;
use std::sync::mpsc;

use dormouse_domain::{
    Aggregate, Command, CommandContext, Decided, Decision, Event, Handle, Never, Offset, TraceContext,
};
use dormouse_ops::otel::{self, Propagation, Sending, Traces};
use dormouse_persistence::Store;
use dormouse_runtime::Dormouse;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;
use serde::{Deserialize, Serialize};
use tracing::Instrument;
use tracing_subscriber::layer::SubscriberExt;

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
        Ok(Decision::event(Entry::Deposited { cents: c.cents }).reply(|after| after.cents))
    }
}

/// A collector that takes OTLP over HTTP, and keeps what it is sent.
struct Collector {
    url: String,
    requests: mpsc::Receiver<ExportTraceServiceRequest>,
}

impl Collector {
    fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                // The test has ended otherwise.
                let _ = sender.send(take(stream.unwrap()));
            }
        });
        Collector { url, requests }
    }

    /// All spans that came by now.
    fn spans(&self) -> Vec<Seen> {
        let requests = self
            .requests
            .try_iter()
            .flat_map(|request| request.resource_spans);
        let of_service = requests.flat_map(|spans| {
            let service = attribute(&spans.resource.unwrap().attributes, "service.name").unwrap();
            let spans = spans.scope_spans.into_iter().flat_map(|scope| scope.spans);
            spans.map(move |span| Seen {
                service: service.clone(),
                name: span.name,
                trace: span.trace_id,
                id: span.span_id,
                parent: span.parent_span_id,
                attributes: span.attributes,
            })
        });
        of_service.collect()
    }
}

/// One request a connection.
fn take(mut stream: TcpStream) -> ExportTraceServiceRequest {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let (mut line, mut bytes) = (String::new(), 0);
    reader.read_line(&mut line).unwrap();
    assert!(line.starts_with("POST /v1/traces "), "{line}");
    while !line.trim().is_empty() {
        line.clear();
        reader.read_line(&mut line).unwrap();
        let header = line.to_ascii_lowercase();
        if let Some(value) = header.strip_prefix("content-length:") {
            bytes = value.trim().parse().unwrap();
        }
        if let Some(value) = header.strip_prefix("content-type:") {
            assert_eq!(value.trim(), "application/x-protobuf");
        }
    }
    let mut body = vec![0; bytes];
    reader.read_exact(&mut body).unwrap();
    let answer = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).unwrap();
    ExportTraceServiceRequest::decode(&body[..]).unwrap()
}

#[derive(Debug)]
struct Seen {
    service: String,
    name: String,
    trace: Vec<u8>,
    id: Vec<u8>,
    parent: Vec<u8>,
    attributes: Vec<KeyValue>,
}

impl Seen {
    fn attribute(&self, key: &str) -> Option<String> {
        attribute(&self.attributes, key)
    }
}

fn attribute(attributes: &[KeyValue], key: &str) -> Option<String> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    match found.value.clone()?.value? {
        Value::StringValue(text) => Some(text),
        Value::IntValue(number) => Some(number.to_string()),
        other => Some(format!("{other:?}")),
    }
}

/// The only span of this name in a service.
fn only<'s>(spans: &'s [Seen], service: &str, name: &str) -> &'s Seen {
    let mut found = spans
        .iter()
        .filter(|span| (span.service.as_str(), span.name.as_str()) == (service, name));
    match (found.next(), found.next()) {
        (Some(span), None) => span,
        _ => panic!("not one {name} of {service} in {spans:#?}"),
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
    let activation = only(&spans, "bank", "activation");
    assert_eq!(activation.parent, only(&spans, "bank", "queue").id);

    let receipt = only(&spans, "receipts", "send a receipt");
    assert_eq!(receipt.parent, id(&of_event));
    assert_eq!(only(&spans, "receipts", "Deposit").parent, receipt.id);
}

/// What is not sampled is not sent, and takes no room in the log.
#[tokio::test]
async fn a_trace_that_is_not_sampled_is_neither_sent_nor_stored() {
    let collector = Collector::start();
    let sending = Traces::of("bank")
        .to(&collector.url)
        .sampled(0.0)
        .start()
        .unwrap();
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry().with(sending.layer()));
    let store = Store::in_memory();
    let runtime = service(store.clone()).await;
    let account = runtime.entity::<Account>("acc-1").unwrap();
    account.execute(Deposit { cents: 5 }).await.unwrap();
    let mut traces = Vec::new();
    let read = store.read_log(Offset::new(1), &mut |commit| {
        traces.push(commit.metadata().unwrap().trace);
        ControlFlow::Continue(())
    });
    read.unwrap();
    assert_eq!(traces, [None]);
    runtime.shutdown().await.unwrap();
    sending.stop().unwrap();
    assert_eq!(collector.spans().len(), 0);
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
