//! One trace over two processes: this test binary, started again as two services that share nothing but the collector's
//! address, a header and a store.

use std::io::{Read, Write};
use std::ops::ControlFlow;
use std::path::Path;
use std::process::{Command, Stdio};

use dormouse_domain::{Offset, TraceContext};
use dormouse_ops::otel::{self, Traces};
use dormouse_persistence::Store;
use tracing::Instrument;

use super::collector::{Collector, only};
use super::{Account, Deposit, service};

const SERVICE: &str = "DORMOUSE_CHILD_SERVICE";
const DIRECTORY: &str = "DORMOUSE_CHILD_DIRECTORY";
/// What services tell each other, in the form of its header.
const CALLER: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

/// A request with a header → a command in one process → its event on disk → who follows the log in another → its command.
#[test]
fn one_trace_from_a_request_over_an_event_on_disk_to_another_process() {
    let collector = Collector::start();
    let directory = tempfile::tempdir().unwrap();
    run("bank", directory.path(), &collector.url, CALLER);
    run("receipts", directory.path(), &collector.url, "");

    let spans = collector.spans();
    let caller: TraceContext = CALLER.parse().unwrap();
    for span in &spans {
        assert_eq!(span.trace, caller.trace_id.to_be_bytes(), "{span:?}");
    }
    let mut parent = caller.span_id.to_be_bytes().to_vec();
    for (service, name) in [
        ("bank", "request"),
        ("bank", "Deposit"),
        ("receipts", "send a receipt"),
        ("receipts", "Deposit"),
    ] {
        let span = only(&spans, service, name);
        assert_eq!(span.parent, parent, "{name} of {service} in {spans:#?}");
        parent.clone_from(&span.id);
    }
}

/// Runs a service to its end, with a header on its standard input.
fn run(service: &str, directory: &Path, collector: &str, header: &str) {
    let mut process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "otel::processes::child_process", "--nocapture"])
        .env(SERVICE, service)
        .env(DIRECTORY, directory)
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", collector)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut input = process.stdin.take().unwrap();
    input.write_all(header.as_bytes()).unwrap();
    drop(input);
    let ended = process.wait_with_output().unwrap();
    let told = String::from_utf8_lossy(&ended.stdout);
    assert!(
        ended.status.success() && told.contains("1 passed"),
        "{service}: {told}"
    );
}

/// The services. Without a task in the environment there is nothing to do.
#[test]
fn child_process() {
    let (Ok(name), Ok(directory)) = (std::env::var(SERVICE), std::env::var(DIRECTORY)) else {
        return;
    };
    let traces = Traces::of(&name).install().unwrap();
    let store = Store::open(directory).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        match name.as_str() {
            "bank" => bank(&store).await,
            "receipts" => receipts(&store).await,
            other => panic!("no such service: {other}"),
        }
    });
    store.close().unwrap();
    traces.stop().unwrap();
}

/// Handles a request that comes with a header.
async fn bank(store: &Store) {
    let mut header = String::new();
    std::io::stdin().read_to_string(&mut header).unwrap();
    let runtime = service(store.clone()).await;
    let account = runtime.entity::<Account>("acc-1").unwrap();
    let request = tracing::info_span!("request");
    otel::continue_from(&request, &header.parse().unwrap());
    async { account.execute(Deposit { cents: 5 }).await.unwrap() }
        .instrument(request)
        .await;
    runtime.shutdown().await.unwrap();
}

/// Follows the bank's log, and answers each of its events with a command to aggregates of its own.
async fn receipts(log: &Store) {
    let runtime = service(Store::in_memory()).await;
    let mut follower = log.follow(Offset::new(1)).unwrap();
    follower.wait().await.unwrap();
    let mut found = Vec::new();
    let read = follower.read(&mut |commit| {
        let trace = commit.metadata().unwrap().trace;
        found.push((
            commit.id().to_string(),
            trace.expect("its events remember the trace"),
        ));
        ControlFlow::Continue(())
    });
    read.unwrap();
    for (account, trace) in found {
        let receipt = runtime
            .entity::<Account>(format!("receipt-of-{account}"))
            .unwrap();
        let span = tracing::info_span!("send a receipt");
        otel::continue_from(&span, &trace);
        async { receipt.execute(Deposit { cents: 5 }).await.unwrap() }
            .instrument(span)
            .await;
    }
    runtime.shutdown().await.unwrap();
}
