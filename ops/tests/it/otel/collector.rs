//! A collector in the test's own process.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc;

use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::KeyValue;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use prost::Message;

/// A collector that takes OTLP over HTTP, and keeps what it is sent.
pub(super) struct Collector {
    pub(super) url: String,
    requests: mpsc::Receiver<ExportTraceServiceRequest>,
}

impl Collector {
    pub(super) fn start() -> Collector {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let (sender, requests) = mpsc::channel();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                // The test has ended otherwise.
                let _ = sender.send(take(&stream));
                // Only now: who sent it goes on with the answer, and looks for what came.
                stream.write_all(ANSWER.as_bytes()).unwrap();
            }
        });
        Collector { url, requests }
    }

    /// All spans that came by now.
    pub(super) fn spans(&self) -> Vec<Seen> {
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

/// To each request, of which a connection has one.
const ANSWER: &str = "HTTP/1.1 200 OK\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";

/// Reads a request.
fn take(stream: &TcpStream) -> ExportTraceServiceRequest {
    let mut reader = BufReader::new(stream);
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
    ExportTraceServiceRequest::decode(&body[..]).unwrap()
}

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) service: String,
    name: String,
    pub(super) trace: Vec<u8>,
    pub(super) id: Vec<u8>,
    pub(super) parent: Vec<u8>,
    attributes: Vec<KeyValue>,
}

impl Seen {
    pub(super) fn attribute(&self, key: &str) -> Option<String> {
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
pub(super) fn only<'s>(spans: &'s [Seen], service: &str, name: &str) -> &'s Seen {
    let mut found = spans
        .iter()
        .filter(|span| (span.service.as_str(), span.name.as_str()) == (service, name));
    match (found.next(), found.next()) {
        (Some(span), None) => span,
        _ => panic!("not one {name} of {service} in {spans:#?}"),
    }
}
