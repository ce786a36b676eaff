//! What is not sampled is not made, not sent, and takes no room in the log.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};

use dormouse_domain::{Offset, TraceContext};
use dormouse_ops::otel::{self, Traces};
use dormouse_persistence::Store;
use tracing::{Id, Instrument, Level, Span, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use super::collector::Collector;
use super::{Account, Deposit, service};

/// The names of the runtime's spans, in the order in which they were made.
#[derive(Clone, Default)]
struct Made(Arc<Mutex<Vec<&'static str>>>);

impl<S: Subscriber> Layer<S> for Made {
    fn on_new_span(&self, span: &tracing::span::Attributes<'_>, _: &Id, _: Context<'_, S>) {
        self.0.lock().unwrap().push(span.metadata().name());
    }
}

/// What became of one deposit.
struct Told {
    made: Vec<&'static str>,
    sent: usize,
    stored: Option<TraceContext>,
}

/// A deposit, where so much of what begins here is sampled, in a span, with a trace that its caller gave.
async fn deposit(share: f64, around: impl FnOnce() -> Span, given: Option<&str>) -> Told {
    let collector = Collector::start();
    let traces = Traces::of("bank").to(&collector.url).sampled(share);
    let (sending, made) = (traces.start().unwrap(), Made::default());
    let runtimes = Targets::new().with_target("dormouse::command", Level::DEBUG);
    let subscriber = tracing_subscriber::registry()
        .with(sending.layer())
        .with(made.clone().with_filter(runtimes));
    let _here = tracing::subscriber::set_default(subscriber);
    let store = Store::in_memory();
    let runtime = service(store.clone()).await;
    let account = runtime.entity::<Account>("acc-1").unwrap();
    let mut deposit = account.execute(Deposit { cents: 5 });
    if let Some(given) = given {
        deposit = deposit.trace(given.parse().unwrap());
    }
    async { deposit.await.unwrap() }.instrument(around()).await;

    let mut traces = Vec::new();
    let read = store.read_log(Offset::new(1), &mut |commit| {
        traces.push(commit.metadata().unwrap().trace);
        ControlFlow::Continue(())
    });
    read.unwrap();
    assert_eq!(traces.len(), 1);
    runtime.shutdown().await.unwrap();
    sending.stop().unwrap();
    Told {
        made: made.0.lock().unwrap().clone(),
        sent: collector.spans().len(),
        stored: traces.remove(0),
    }
}

const RECORDED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
const NOT_RECORDED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
const ALL: [&str; 5] = ["command", "queue", "activation", "decide", "commit"];

#[tokio::test]
async fn where_a_trace_begins_the_sampler_is_asked_once() {
    let told = deposit(0.0, Span::none, None).await;
    assert_eq!((told.made, told.sent, told.stored), (vec!["command"], 0, None));

    let told = deposit(1.0, Span::none, None).await;
    // one more is the handler's
    assert_eq!((told.made, told.sent), (ALL.to_vec(), ALL.len() + 1));
    assert!(told.stored.unwrap().is_sampled());
}

#[tokio::test]
async fn a_trace_that_the_caller_gave_goes_on_as_it_was() {
    let told = deposit(1.0, Span::none, Some(NOT_RECORDED)).await;
    assert_eq!((told.made, told.sent), (vec!["command"], 0));
    let stored = told.stored.unwrap();
    assert!(!stored.is_sampled());
    assert!(NOT_RECORDED.contains(&format!("{:x}", stored.trace_id)));

    let told = deposit(0.0, Span::none, Some(RECORDED)).await;
    assert_eq!((told.made, told.sent), (ALL.to_vec(), ALL.len() + 1));
}

/// With a span of the service's around the command, which has begun or gone on with a trace.
#[tokio::test]
async fn in_a_span_that_is_not_sampled_nothing_is_made() {
    let request = || tracing::info_span!("request");
    let told = deposit(0.0, request, None).await;
    assert_eq!((told.made, told.sent, told.stored), (vec![], 0, None));

    let continued = || {
        let span = request();
        otel::continue_from(&span, &NOT_RECORDED.parse().unwrap());
        span
    };
    let told = deposit(1.0, continued, None).await;
    // not the handler's span either, though traces that begin here are all sampled
    assert_eq!((told.made, told.sent, told.stored), (vec![], 0, None));

    let told = deposit(1.0, request, None).await;
    assert_eq!((told.made, told.sent), (ALL.to_vec(), ALL.len() + 2));
}
