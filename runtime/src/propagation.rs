//! How a trace gets from a `tracing` span into what is stored, and back.

use std::fmt;
use std::sync::Arc;

use dormouse_domain::{Metadata, TraceContext};
use tracing::Span;

/// Tells the W3C trace context of a `tracing` span, and makes a span continue one. The runtime knows no tracing system:
/// whoever sends spans to one implements this, and hands it to [`Builder::traces`](crate::Builder::traces).
/// `dormouse_ops::otel` does, for OpenTelemetry.
///
/// Where its runtime knows of traces, a command whose trace is not sampled has no spans but, at most, its own; whoever else
/// subscribes to them sees none either. A span whose trace is not known is made with all its parts.
///
/// Called on the caller's thread, for each command; must not block.
pub trait TracePropagation: Send + Sync {
    /// The span's trace, with the span's own id as whoever follows is to see it; `None` if it has none.
    fn context_of(&self, span: &Span) -> Option<TraceContext>;

    /// Makes a span, which was made a moment ago and not entered yet, a child of one that was elsewhere.
    fn continue_from(&self, span: &Span, parent: &TraceContext);
}

/// As a runtime's options hold it.
#[derive(Clone)]
pub(crate) struct Propagation(pub(crate) Arc<dyn TracePropagation>);

impl fmt::Debug for Propagation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Propagation")
    }
}

/// The trace of the span that a command is sent in, unless its caller gave it another.
pub(crate) fn surrounding(
    propagation: &dyn TracePropagation,
    metadata: Option<&Metadata>,
) -> Option<TraceContext> {
    let is_given = metadata.is_some_and(|metadata| metadata.trace.is_some());
    if is_given {
        None
    } else {
        propagation.context_of(&Span::current())
    }
}

/// Puts a command's span into the trace that its caller gave, and has its events remember theirs. `span`: its own, or one
/// that is disabled; `surrounding`: as above. `false` if the trace is known and not sampled.
///
/// A context that the caller gave is kept, with the command's own span in it if there is one. Without one, the trace is
/// stored if it is sampled: what nobody records is not worth a commit's bytes.
pub(crate) fn propagate(
    propagation: &dyn TracePropagation,
    span: &Span,
    surrounding: Option<TraceContext>,
    metadata: &mut Option<Box<Metadata>>,
) -> bool {
    let given = metadata.as_ref().and_then(|metadata| metadata.trace.as_ref());
    if let Some(parent) = given {
        propagation.continue_from(span, parent);
    }
    let is_given = given.is_some();
    let own = if span.is_disabled() {
        None
    } else {
        propagation.context_of(span)
    };
    let Some(own) = own.or(surrounding) else {
        return true;
    };
    let is_sampled = own.is_sampled();
    if is_given || is_sampled {
        remember(own, metadata);
    }
    is_sampled
}

/// Telemetry must not make a command too large: what does not fit is left out.
fn remember(trace: TraceContext, metadata: &mut Option<Box<Metadata>>) {
    let kept = metadata.get_or_insert_default();
    let before = kept.trace.replace(trace);
    if kept.validate().is_err() {
        if let Some(trace) = &mut kept.trace {
            trace.state = None;
        }
        if kept.validate().is_err() {
            kept.trace = before;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use dormouse_domain::limits::TRACE_STATE_BYTES_MAX;

    struct Always(TraceContext);

    impl TracePropagation for Always {
        fn context_of(&self, _: &Span) -> Option<TraceContext> {
            Some(self.0.clone())
        }

        fn continue_from(&self, _: &Span, _: &TraceContext) {}
    }

    fn trace(flags: u8, state: Option<String>) -> TraceContext {
        TraceContext {
            trace_id: 7,
            span_id: 8,
            flags,
            state,
        }
    }

    fn remembered(own: TraceContext, before: Metadata) -> Option<TraceContext> {
        let mut metadata = Some(Box::new(before));
        let around = surrounding(&Always(own.clone()), metadata.as_deref());
        propagate(&Always(own), &Span::none(), around, &mut metadata);
        metadata.and_then(|metadata| metadata.trace)
    }

    #[test]
    fn a_sampled_trace_around_it_is_stored_and_no_other() {
        assert_eq!(
            remembered(trace(1, None), Metadata::default()),
            Some(trace(1, None))
        );
        assert_eq!(remembered(trace(0, None), Metadata::default()), None);
    }

    #[test]
    fn what_the_caller_gave_stays_where_the_command_has_no_span() {
        let given = Metadata {
            trace: Some(trace(0, Some("a=b".into()))),
            ..Metadata::default()
        };
        assert_eq!(remembered(trace(1, None), given.clone()), given.trace);
    }

    #[test]
    fn no_command_becomes_too_large_by_its_trace() {
        let long = trace(1, Some("s".repeat(TRACE_STATE_BYTES_MAX + 1)));
        assert_eq!(remembered(long, Metadata::default()), Some(trace(1, None)));
        let headers = vec![("k".to_string(), "v".repeat(1_000)); 8];
        let mut full = Metadata {
            headers,
            ..Metadata::default()
        };
        while full.validate().is_ok() {
            full.headers.push(("k".into(), "v".repeat(10)));
        }
        full.headers.pop();
        assert!(full.validate().is_ok());
        assert_eq!(remembered(trace(1, None), full), None);
    }
}
