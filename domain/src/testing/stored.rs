use std::fmt;
use std::marker::PhantomData;

use super::lossless;
use crate::limits::{EVENTS_PER_COMMIT_MAX, PAYLOAD_BYTES_MAX};
use crate::{Aggregate, Codec, Event, EventType, SizeLimit};

/// Events as the store would hold them.
pub(super) struct Stored<A> {
    records: Vec<(EventType, Vec<u8>)>,
    of: PhantomData<fn() -> A>,
}

impl<A> Default for Stored<A> {
    fn default() -> Self {
        Self {
            records: Vec::new(),
            of: PhantomData,
        }
    }
}

impl<A: Aggregate<Event: fmt::Debug + PartialEq>> Stored<A> {
    pub(super) fn len(&self) -> u64 {
        self.records.len() as u64
    }

    #[track_caller]
    pub(super) fn push(&mut self, event: &A::Event) {
        let payload = encode(A::CODEC, event).unwrap_or_else(|reason| panic!("event {event:?} {reason}"));
        for codec in [Codec::Bincode, Codec::Json] {
            match read_back(codec, event) {
                Ok(read) if same(event, &read) => {}
                Ok(read) => panic!(
                    "event {event:?} does not survive {codec}: read back it is {read:?}\n{}",
                    lossless::USUAL_CAUSE
                ),
                Err(reason) if codec == A::CODEC => {
                    panic!(
                        "event {event:?} does not survive {codec}: it {reason}\n{}",
                        lossless::USUAL_CAUSE
                    )
                }
                // Not the codec it is stored with, and the loss could not go unnoticed.
                Err(_) => {}
            }
        }
        self.records.push((event.event_type(), payload));
    }

    /// The events after the first `from`.
    #[track_caller]
    pub(super) fn decode_from(&self, from: u64) -> Vec<A::Event> {
        let from = usize::try_from(from).expect("a number of events in memory");
        let new = &self.records[from..];
        assert!(
            new.len() <= EVENTS_PER_COMMIT_MAX,
            "the decision has {} events; the limit is {EVENTS_PER_COMMIT_MAX}",
            new.len()
        );
        new.iter()
            .map(|(event_type, payload)| decode(A::CODEC, *event_type, payload))
            .collect()
    }

    /// The state that these events make of `state`.
    #[track_caller]
    pub(super) fn fold_into(&self, mut state: A) -> A {
        for (event_type, payload) in &self.records {
            state.apply(&decode(A::CODEC, *event_type, payload));
        }
        state
    }
}

/// By `PartialEq`; an event that is not even equal to itself (a NaN in it) counts as the same.
fn same<E: PartialEq>(event: &E, read: &E) -> bool {
    let equals_itself = |event: &E, again: &E| event == again;
    event == read || !equals_itself(event, event)
}

fn encode<E: Event>(codec: Codec, event: &E) -> Result<Vec<u8>, String> {
    let mut payload = Vec::new();
    let limit = SizeLimit {
        field: "its payload",
        bytes_max: PAYLOAD_BYTES_MAX,
    };
    event
        .encode(codec, &mut payload, limit)
        .map_err(|error| error.to_string())?;
    Ok(payload)
}

fn read_back<E: Event>(codec: Codec, event: &E) -> Result<E, String> {
    let payload = encode(codec, event)?;
    let EventType { name, version } = event.event_type();
    E::decode(name, version, codec, &payload).map_err(|error| format!("can't be read back: {error}"))
}

#[track_caller]
fn decode<E: Event>(codec: Codec, event_type: EventType, payload: &[u8]) -> E {
    match E::decode(event_type.name, event_type.version, codec, payload) {
        Ok(event) => event,
        Err(error) => panic!("a stored event can't be read again: {error}"),
    }
}
