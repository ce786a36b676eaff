//! Traces to an OpenTelemetry collector (feature `otel`): over OTLP, as protobuf over HTTP.
//!
//! Without TLS: to a collector on the same machine or in the same pod, which is where one usually stands.
//!
//! ```no_run
//! use dormouse_ops::otel::{self, Traces};
//! use dormouse_persistence::Store;
//! use dormouse_runtime::Dormouse;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let traces = Traces::of("bank").sampled(0.1).install()?;
//! let bank = Dormouse::builder(Store::open("bank")?)
//!     .traces(otel::Propagation)
//!     .start()
//!     .await?;
//! // ... serve ...
//! bank.shutdown().await?;
//! traces.stop()?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Every command has a span then, with its parts, in the trace in which it was sent; its events remember that trace, and
//! whoever follows the log goes on with it by [`continue_from`].

use std::time::Duration;

use dormouse_domain::TraceContext;
use dormouse_runtime::TracePropagation;
use opentelemetry::Context;
use opentelemetry::trace::{
    SpanContext, SpanId, TraceContextExt, TraceFlags, TraceId, TraceState, TracerProvider,
};
use opentelemetry_otlp::{ExporterBuildError, SpanExporter, WithExportConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::error::OTelSdkError;
use opentelemetry_sdk::trace::{Sampler, SdkTracerProvider};
use tracing::{Level, Span, Subscriber};
use tracing_opentelemetry::OpenTelemetrySpanExt;
use tracing_subscriber::filter::{EnvFilter, Targets};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// The target of the runtime's spans.
const COMMANDS: &str = "dormouse::command";
/// Where a collector takes traces.
const PATH: &str = "/v1/traces";
/// A collector that does not answer for so long has lost these spans.
const EXPORT_TIMEOUT: Duration = Duration::from_secs(10);

/// Where spans are sent, and which.
#[derive(Clone, Debug)]
#[must_use = "nothing is sent before it is installed or started"]
pub struct Traces {
    service: String,
    endpoint: Option<String>,
    sampled: f64,
}

impl Traces {
    /// Of the service of this name, all of them, to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names, or else
    /// `http://localhost:4318`.
    pub fn of(service: impl Into<String>) -> Self {
        Self {
            service: service.into(),
            endpoint: None,
            sampled: 1.0,
        }
    }

    /// The collector's address, such as `http://localhost:4318`.
    pub fn to(mut self, collector: impl Into<String>) -> Self {
        self.endpoint = Some(collector.into());
        self
    }

    /// The share of traces that begin here and are recorded, from 0 to 1. Those that came from elsewhere are recorded if
    /// they were there.
    pub fn sampled(mut self, share: f64) -> Self {
        self.sampled = share;
        self
    }

    /// Starts sending, and installs a subscriber for the whole process: spans go to the collector, log lines to the
    /// standard error, from the level on that `RUST_LOG` names (by default INFO).
    ///
    /// # Errors
    /// [`TracesError`]: a subscriber is installed already, or the address is none.
    pub fn install(self) -> Result<Sending, TracesError> {
        let sending = self.start()?;
        let lines = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(std::io::stderr)
            .with_filter(lines);
        tracing_subscriber::registry()
            .with(sending.layer())
            .with(lines)
            .try_init()
            .map_err(|_| TracesError::SubscriberInstalled)?;
        Ok(sending)
    }

    /// Starts sending what [`Sending::layer`] is given: for a service with a subscriber of its own.
    ///
    /// # Errors
    /// [`TracesError`]: the address is none.
    pub fn start(self) -> Result<Sending, TracesError> {
        let mut exporter = SpanExporter::builder().with_http().with_timeout(EXPORT_TIMEOUT);
        if let Some(endpoint) = &self.endpoint {
            let endpoint = endpoint.trim_end_matches('/').trim_end_matches(PATH);
            exporter = exporter.with_endpoint(format!("{endpoint}{PATH}"));
        }
        let resource = Resource::builder().with_service_name(self.service).build();
        let sampler = Sampler::ParentBased(Box::new(Sampler::TraceIdRatioBased(self.sampled)));
        let provider = SdkTracerProvider::builder()
            .with_resource(resource)
            .with_sampler(sampler)
            .with_batch_exporter(exporter.build().map_err(TracesError::Exporter)?)
            .build();
        Ok(Sending { provider })
    }
}

/// Spans are sent, in batches, by a thread of their own. When it can't keep up, or the collector is away, spans are lost,
/// and nothing waits.
#[derive(Clone, Debug)]
pub struct Sending {
    provider: SdkTracerProvider,
}

impl Sending {
    /// What a `tracing` subscriber of the service's own needs: takes the spans of commands, and all others from INFO on.
    pub fn layer<S>(&self) -> impl Layer<S> + use<S>
    where
        S: Subscriber + for<'span> LookupSpan<'span>,
    {
        let wanted = Targets::new()
            .with_default(Level::INFO)
            .with_target(COMMANDS, Level::DEBUG);
        tracing_opentelemetry::layer()
            .with_tracer(self.provider.tracer("dormouse"))
            .with_filter(wanted)
    }

    /// Sends what is left, and ends. Blocks for as long as the collector takes, 10 seconds at most. What a collector that is
    /// away was not sent is lost without an error.
    ///
    /// # Errors
    /// [`TracesError::Unsent`]: it did not end in time, or had ended before.
    pub fn stop(&self) -> Result<(), TracesError> {
        let provider = self.provider.clone();
        // the exporter's client may not be dropped on a thread of an async runtime
        let stopped = std::thread::spawn(move || provider.shutdown_with_timeout(EXPORT_TIMEOUT)).join();
        stopped
            .unwrap_or(Err(OTelSdkError::AlreadyShutdown))
            .map_err(TracesError::Unsent)
    }
}

/// For [`Builder::traces`](dormouse_runtime::Builder::traces): how traces get from OpenTelemetry's spans into events.
#[derive(Clone, Copy, Debug)]
pub struct Propagation;

impl TracePropagation for Propagation {
    fn context_of(&self, span: &Span) -> Option<TraceContext> {
        context_of(span)
    }

    fn continue_from(&self, span: &Span, parent: &TraceContext) {
        continue_from(span, parent);
    }
}

/// The trace of a span, to be handed on: in the header `traceparent` of a request, say.
#[must_use]
pub fn context_of(span: &Span) -> Option<TraceContext> {
    let context = span.context();
    let span = context.span();
    let found = span.span_context();
    let state = found.trace_state().header();
    found.is_valid().then(|| TraceContext {
        trace_id: u128::from_be_bytes(found.trace_id().to_bytes()),
        span_id: u64::from_be_bytes(found.span_id().to_bytes()),
        flags: found.trace_flags().to_u8(),
        state: Some(state).filter(|state| !state.is_empty()),
    })
}

/// Makes a span a child of one elsewhere: of the command that stored an event, for who follows the log (the trace is in the
/// commit's metadata); of a request's caller. Before the span is entered.
///
/// ```
/// # use dormouse_domain::TraceContext;
/// # let of_event: TraceContext = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01".parse()?;
/// let span = tracing::info_span!("send a receipt");
/// dormouse_ops::otel::continue_from(&span, &of_event);
/// span.in_scope(|| { /* commands that are sent in here are in the same trace */ });
/// # Ok::<(), dormouse_domain::InvalidTraceParent>(())
/// ```
pub fn continue_from(span: &Span, parent: &TraceContext) {
    let state = parent.state.as_deref().and_then(|state| state.parse().ok());
    let parent = SpanContext::new(
        TraceId::from_bytes(parent.trace_id.to_be_bytes()),
        SpanId::from_bytes(parent.span_id.to_be_bytes()),
        TraceFlags::new(parent.flags),
        true,
        state.unwrap_or(TraceState::NONE),
    );
    // A span that nobody is interested in has no parent either.
    let _ = span.set_parent(Context::new().with_remote_span_context(parent));
}

/// Why traces are not sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TracesError {
    /// The process has a subscriber: give it [`Sending::layer`].
    #[error("a tracing subscriber is installed already: add the layer of `Traces::start` to it")]
    SubscriberInstalled,
    /// The collector's address is none, or its client can't be made.
    #[error("no spans can be sent: {0}")]
    Exporter(ExporterBuildError),
    /// Sending did not end in time, or had ended before.
    #[error("some spans may not have been sent: {0}")]
    Unsent(OTelSdkError),
}
