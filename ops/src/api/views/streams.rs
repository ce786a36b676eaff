//! Streams, events and states.

use dormouse_domain::StreamId;
use dormouse_runtime::admin::{EventRecord, EventsPage, Payload, StateRecord, StreamsPage};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::problem::Problem;

/// A page of streams, in the order of their ids.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Streams {
    pub(crate) streams: Vec<StreamView>,
    /// Whether there are more after these: ask again with `after` the last one's id.
    pub(crate) more: bool,
}

/// A stream that has events.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamView {
    #[serde(rename = "type")]
    pub(crate) aggregate_type: String,
    pub(crate) id: String,
    /// The version of its newest event.
    pub(crate) head: u64,
}

/// A page of a stream's events, oldest first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Events {
    pub(crate) events: Vec<EventView>,
    /// The stream's newest durable version; 0 if it has no events.
    pub(crate) head: u64,
    /// Whether there are events after these: ask again `from` the version after the last.
    pub(crate) more: bool,
}

/// One stored event.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct EventView {
    /// Its stream, where it was not asked for by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) stream: Option<StreamName>,
    /// Its number in its stream, from 1.
    pub(crate) version: u64,
    /// Its place in the log.
    pub(crate) offset: u64,
    /// What other events' `causation` names: a UUID.
    pub(crate) id: String,
    /// When its batch was written: RFC 3339.
    pub(crate) time: String,
    /// The name of its kind.
    pub(crate) name: String,
    /// The schema version it was stored with.
    pub(crate) schema: u64,
    /// How it is stored.
    pub(crate) codec: String,
    /// Whether it is the runtime's own, which no aggregate sees.
    pub(crate) system: bool,
    /// What its fields take in the store.
    pub(crate) bytes: usize,
    /// Its fields, decoded through the registered type and its upcasters; absent where that can't be.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = serde_json::Value)]
    pub(crate) payload: Option<Box<RawValue>>,
    /// Its stored bytes, where they can't be shown decoded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) raw: Option<RawPayload>,
    /// The command that caused it, if that had an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) command: Option<CommandView>,
    pub(crate) metadata: MetadataView,
    /// The first version of its commit: all that one command stored.
    pub(crate) commit_first: u64,
    /// And the last.
    pub(crate) commit_last: u64,
}

/// Type and id of an aggregate.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StreamName {
    #[serde(rename = "type")]
    pub(crate) aggregate_type: String,
    pub(crate) id: String,
}

/// Stored bytes that can't be shown decoded.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct RawPayload {
    /// Hexadecimal.
    pub(crate) hex: String,
    /// Why they can't.
    pub(crate) reason: String,
}

/// A command that caused a commit.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct CommandView {
    /// A UUID.
    pub(crate) id: String,
    /// Its type's name, if this process has handled one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) name: Option<String>,
    /// The version of its schema.
    pub(crate) schema: u64,
}

/// What a command carried beside.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MetadataView {
    /// The conversation that the command belongs to: a UUID.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) correlation: Option<String>,
    /// The message that caused the command: a UUID, an event's id perhaps.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) causation: Option<String>,
    /// The trace that it was sent in, as in the header `traceparent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) trace: Option<String>,
    /// The caller's own, in order: pairs of key and value.
    pub(crate) headers: Vec<[String; 2]>,
}

/// An aggregate's state.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StateView {
    /// The version of the last event in it; 0 if there is none.
    pub(crate) version: u64,
    /// When that event was stored: RFC 3339.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub(crate) time: Option<String>,
    /// The stream's newest durable version.
    pub(crate) head: u64,
    /// As the state writes itself.
    #[schema(value_type = serde_json::Value)]
    pub(crate) state: Box<RawValue>,
}

impl Streams {
    pub(crate) fn of(page: StreamsPage) -> Self {
        let streams = page.streams.into_iter().map(|summary| StreamView {
            aggregate_type: summary.stream.aggregate_type.to_string(),
            id: summary.stream.id.to_string(),
            head: summary.head.get(),
        });
        Self {
            streams: streams.collect(),
            more: page.more,
        }
    }
}

impl Events {
    pub(crate) fn of(page: EventsPage) -> Self {
        let events = page.events.into_iter().map(|record| EventView::of(record, None));
        Self {
            events: events.collect(),
            head: page.head.get(),
            more: page.more,
        }
    }
}

impl EventView {
    pub(crate) fn of(record: EventRecord, stream: Option<&StreamId>) -> Self {
        let (payload, raw) = shown(record.payload);
        Self {
            stream: stream.map(|stream| StreamName {
                aggregate_type: stream.aggregate_type.to_string(),
                id: stream.id.to_string(),
            }),
            version: record.version.get(),
            offset: record.position.offset.get(),
            id: record.id.to_string(),
            time: record.time.to_string(),
            name: record.name,
            schema: record.schema.get().into(),
            codec: record.codec.to_string(),
            system: record.system,
            bytes: record.bytes,
            payload,
            raw,
            command: record.command.map(|command| CommandView {
                id: command.id.to_string(),
                name: command.name.map(Into::into),
                schema: command.schema.get().into(),
            }),
            metadata: MetadataView {
                correlation: record.metadata.correlation.map(|id| id.to_string()),
                causation: record.metadata.causation.map(|id| id.to_string()),
                trace: record.metadata.trace.map(|trace| trace.to_string()),
                headers: record.metadata.headers.into_iter().map(Into::into).collect(),
            },
            commit_first: record.commit.0.get(),
            commit_last: record.commit.1.get(),
        }
    }
}

impl StateView {
    pub(crate) fn of(record: StateRecord) -> Result<Self, Problem> {
        let state = RawValue::from_string(record.json);
        Ok(Self {
            version: record.version.get(),
            time: record.time.map(|time| time.to_string()),
            head: record.head.get(),
            state: state.map_err(|error| Problem::conflict(format!("the state is no JSON: {error}")))?,
        })
    }
}

/// Decoded where it is JSON, raw otherwise.
fn shown(payload: Payload) -> (Option<Box<RawValue>>, Option<RawPayload>) {
    let raw = |bytes: &[u8], reason: String| RawPayload {
        hex: bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        reason,
    };
    match payload {
        Payload::Raw { bytes, reason } => (None, Some(raw(&bytes, reason))),
        Payload::Json(text) => match RawValue::from_string(text.clone()) {
            Ok(json) => (Some(json), None),
            Err(error) => (None, Some(raw(text.as_bytes(), error.to_string()))),
        },
    }
}
