//! Spans of commands whose trace is sampled or not, where the runtime knows of traces.

use std::collections::HashMap;
use std::sync::Mutex;

use dormouse_domain::TraceContext;
use dormouse_persistence::MemoryDisk;
use dormouse_runtime::{Dormouse, TracePropagation};
use tracing::level_filters::LevelFilter;
use tracing::{Instrument, Span};

use crate::bank::{Deposit, Look, account, bank_with};
use crate::spans::{Recorder, recorded};

/// A tracing system in small: a span that continues a trace is sampled as that was, the others as its sampler says.
struct Tracing {
    sampler: bool,
    continued: Mutex<HashMap<u64, bool>>,
}

impl TracePropagation for Tracing {
    fn context_of(&self, span: &Span) -> Option<TraceContext> {
        let id = span.id()?.into_u64();
        let continued = self.continued.lock().unwrap().get(&id).copied();
        Some(trace(continued.unwrap_or(self.sampler)))
    }

    fn continue_from(&self, span: &Span, parent: &TraceContext) {
        let Some(id) = span.id() else { return };
        self.continued
            .lock()
            .unwrap()
            .insert(id.into_u64(), parent.is_sampled());
    }
}

fn trace(sampled: bool) -> TraceContext {
    TraceContext {
        trace_id: 7,
        span_id: 8,
        flags: u8::from(sampled),
        state: None,
    }
}

async fn traced(sampler: bool) -> Dormouse {
    let tracing = Tracing {
        sampler,
        continued: Mutex::default(),
    };
    bank_with(&MemoryDisk::new(), |builder| builder.traces(tracing)).await
}

/// The names of all spans that have ended, sorted.
fn ended(recorder: &Recorder) -> Vec<String> {
    let ended = std::mem::take(&mut *recorder.ended.lock().unwrap());
    let mut names: Vec<_> = ended.into_iter().map(|span| span.name).collect();
    names.sort();
    names
}

const ALL: [&str; 5] = ["activation", "command", "commit", "decide", "queue"];

#[tokio::test]
async fn the_sampler_decides_at_the_command_if_nobody_did_before() {
    for (sampler, spans) in [(true, &ALL[..]), (false, &["command"])] {
        let (recorder, _guard) = recorded(LevelFilter::DEBUG);
        let bank = traced(sampler).await;
        account(&bank, "acc-1")
            .execute(Deposit { cents: 1 })
            .await
            .unwrap();
        assert_eq!(ended(&recorder), spans, "sampled: {sampler}");
    }
}

#[tokio::test]
async fn a_trace_that_the_caller_gave_is_gone_on_with_as_it_was_sampled() {
    for (given, spans) in [(true, &ALL[..]), (false, &["command"])] {
        let (recorder, _guard) = recorded(LevelFilter::DEBUG);
        let bank = traced(!given).await;
        let account = account(&bank, "acc-1");
        let deposit = account.execute(Deposit { cents: 1 }).trace(trace(given));
        deposit.await.unwrap();
        assert_eq!(ended(&recorder), spans, "sampled: {given}");
    }
}

/// What a handler makes belongs to the span around it, so that it is not sampled either.
#[tokio::test]
async fn in_a_span_that_is_not_sampled_a_command_has_none_and_its_handler_runs_in_that() {
    let (recorder, _guard) = recorded(LevelFilter::DEBUG);
    let bank = traced(false).await;
    let account = account(&bank, "acc-1");
    let request = tracing::info_span!("request", events = tracing::field::Empty);
    let id = request.id().unwrap().into_u64();
    async { account.execute(Look).await.unwrap() }
        .instrument(request)
        .await;
    let looked = recorder.events.lock().unwrap().clone();
    let looked: Vec<_> = looked.iter().filter(|event| event.is("looked")).collect();
    assert_eq!(looked.len(), 1);
    assert_eq!(looked[0].parent, Some(id));
    let spans = recorder.ended.lock().unwrap().clone();
    assert_eq!(spans.len(), 1, "{spans:#?}");
    assert!(
        spans[0].fields.is_empty(),
        "a field of the caller's was written to: {spans:#?}"
    );
}

#[tokio::test]
async fn in_the_span_of_a_command_that_is_not_sampled_its_handler_runs() {
    let (recorder, _guard) = recorded(LevelFilter::DEBUG);
    let bank = traced(false).await;
    account(&bank, "acc-1").execute(Look).await.unwrap();
    let command = recorder.ended.lock().unwrap()[0].clone();
    let events = recorder.events.lock().unwrap();
    let looked = events.iter().find(|event| event.is("looked")).unwrap();
    assert_eq!(looked.parent, Some(command.id));
}
